"""`bench list`: what there is, what supports what, and why not."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from suite.api import Architecture, PresetOverride, Task
from suite.api.plugins import search_path_from_environment
from suite.matrix.expansion import expand
from suite.matrix.presets import MODEL_SIZES, PRESETS, Preset
from suite.matrix.registry import Registry, load_registry
from suite.matrix.request import Request


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def command(as_json: bool) -> None:
    """Show tasks, architectures, presets and sizes; which supports which, and why not."""
    registry = load_registry(search_path_from_environment())
    listing = _describe(registry)
    if as_json:
        print(json.dumps(listing, indent=1))
    else:
        _print(listing)


def _describe(registry: Registry) -> dict[str, Any]:
    tasks, architectures = registry.tasks, registry.architectures
    return {
        "tasks": {key: _describe_task(task) for key, task in tasks.plugins.items()},
        "architectures": {
            key: _describe_architecture(part) for key, part in architectures.plugins.items()
        },
        "supports": {key: _reasons(registry, key) for key in tasks.plugins},
        "presets": {preset.name: asdict(preset) for preset in PRESETS.values()},
        "model_sizes": {size.name: asdict(size) for size in MODEL_SIZES.values()},
        "broken": {**tasks.broken, **architectures.broken},
    }


def _describe_task(task: Task) -> dict[str, Any]:
    return {
        "title": task.title,
        "summary": task.summary,
        "form": str(task.form),
        "position": task.position,
        "default_lengths": list(task.default_lengths),
        "primary_metric": task.primary_metric.name,
        "default_source": task.default_source,
        "sources": {key: asdict(source) for key, source in task.sources.items()},
        "options": dict(task.options),
        "recipe": asdict(task.recipe),
        "budget_unit": task.budget_unit,
        "presets": {name: _describe_effort(task, preset) for name, preset in PRESETS.items()},
    }


def _describe_effort(task: Task, preset: Preset) -> dict[str, Any]:
    """Say what a preset is for a task, whose own effort goes before."""
    effort = task.preset_overrides.get(preset.name, PresetOverride())
    return {
        "lengths": list(effort.lengths or task.default_lengths[: preset.num_lengths]),
        "budget": effort.budget or preset.training_tokens,
        "batch": f"{effort.examples_per_batch:,} examples a batch"
        if effort.examples_per_batch
        else f"{effort.tokens_per_batch or preset.tokens_per_batch:,} tokens a batch",
        "model_size": effort.model_size or preset.model_size,
        "options": dict(effort.options),
    }


def _describe_architecture(part: Architecture) -> dict[str, Any]:
    return {
        "title": part.title,
        "paper": part.paper,
        "forms": sorted(part.forms),
        "inputs": sorted(part.inputs),
        "claimed_time": part.claimed_time,
        "claimed_memory": part.claimed_memory,
        "options": dict(part.options),
        "control": part.control,
    }


def _reasons(registry: Registry, task: str) -> dict[str, str | None]:
    """Say why each architecture cannot do a task at its first length, or None where it can."""
    request = Request(
        tasks=(task,),
        architectures=tuple(registry.architectures.plugins),
        lengths=registry.tasks.get(task).default_lengths[:1],
        seeds=(0,),
    )
    return {planned.cell.architecture: planned.unsupported for planned in expand(request, registry)}


def _print(listing: dict[str, Any]) -> None:
    print("Tasks")
    for key, task in listing["tasks"].items():
        lengths = ", ".join(map(str, task["default_lengths"]))
        print(f"  {key}: {task['summary']}")
        print(f"      form {task['form']}; a position is {task['position']}; lengths {lengths}")
        print(f"      scored by {task['primary_metric']}")
        for name, source in task["sources"].items():
            mark = " (default)" if name == task["default_source"] else ""
            argument = f":{source['argument']}" if source["argument"] else ""
            print(f"      --data {name}{argument}{mark}: {source['summary']}")
        for name, value in task["options"].items():
            print(f"      --option {name}={value}")
        for name, effort in task["presets"].items():
            print(
                f"      --preset {name}: lengths {', '.join(map(str, effort['lengths']))}; "
                f"{effort['budget']:,} {task['budget_unit']} a cell, "
                f"{effort['batch']}, size {effort['model_size']}"
                + "".join(f", {key}={value}" for key, value in effort["options"].items())
            )
    print("\nArchitectures")
    for key, part in listing["architectures"].items():
        control = " (control: trains only when named)" if part["control"] else ""
        print(f"  {key}: {part['title']}{control} — {part['paper']}")
        print(f"      forms {', '.join(part['forms'])}; inputs {', '.join(part['inputs'])}")
        print(f"      claims time {part['claimed_time']}, memory {part['claimed_memory']}")
        for name, value in part["options"].items():
            print(f"      --option {name}={value}")
    print("\nWhat supports what")
    for task_key, reasons in listing["supports"].items():
        for key, reason in reasons.items():
            print(f"  {task_key} × {key}: {'no: ' + reason if reason else 'yes'}")
    print("\nPresets (--preset)")
    for preset in listing["presets"].values():
        print(f"  {preset['name']}: {preset['summary']}")
        seeds = ", ".join(map(str, preset["seeds"]))
        lengths = ", ".join(map(str, preset["probe_lengths"]))
        print(f"      seeds {seeds}; probes: {preset['probe_rounds']} rounds, lengths {lengths}")
    print("\nModel sizes (--model-size)")
    for size in listing["model_sizes"].values():
        print(
            f"  {size['name']}: {size['num_layers']} layers, width {size['width']}, "
            f"{size['num_heads']} heads, feed-forward {size['feedforward_width']}"
        )
    for key, reason in listing["broken"].items():
        print(f"\nCannot be used: {key}: {reason}")
