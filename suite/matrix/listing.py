"""A description of the registry: tasks, architectures, which supports which, presets and sizes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from suite.api import Architecture, PresetOverride, Task
from suite.matrix.expansion import expand
from suite.matrix.presets import MODEL_SIZES, PRESETS, Preset
from suite.matrix.registry import Registry
from suite.matrix.request import Request


def describe_registry(registry: Registry) -> dict[str, Any]:
    """Return all tasks, architectures, presets and model sizes as plain values."""
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
        "presets": {name: _describe_preset(task, preset) for name, preset in PRESETS.items()},
    }


def _describe_preset(task: Task, preset: Preset) -> dict[str, Any]:
    """Return a preset as a task overrides it."""
    override = task.preset_overrides.get(preset.name, PresetOverride())
    return {
        "lengths": list(override.lengths or task.default_lengths[: preset.num_lengths]),
        "budget": override.budget or preset.training_tokens,
        "batch": f"{override.examples_per_batch:,} examples per batch"
        if override.examples_per_batch
        else f"{override.tokens_per_batch or preset.tokens_per_batch:,} tokens per batch",
        "model_size": override.model_size or preset.model_size,
        "options": dict(override.options),
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
    """Return why each architecture cannot run a task at its first length; None if it can."""
    request = Request(
        tasks=(task,),
        architectures=tuple(registry.architectures.plugins),
        lengths=registry.tasks.get(task).default_lengths[:1],
        seeds=(0,),
    )
    return {planned.cell.architecture: planned.unsupported for planned in expand(request, registry)}
