"""`bench list`: lists tasks, architectures, methods and model sizes."""

from __future__ import annotations

import json
from typing import Any

import click

from suite.api.plugins import search_path_from_environment
from suite.cli.catalogue import STAGES, catalogue
from suite.matrix.listing import describe_registry
from suite.matrix.registry import load_registry


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print the tables of docs/catalogue.md.")
def command(as_json: bool, markdown: bool) -> None:
    """List tasks, architectures, methods and model sizes, and which supports which.

    `bench benchmarks` lists the benchmarks.
    """
    registry = load_registry(search_path_from_environment())
    listing = describe_registry(registry)
    if as_json:
        print(json.dumps(listing, indent=1))
    elif markdown:
        print(catalogue(listing), end="")
    else:
        _print(listing)


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
            mark = " (open track, if changed)" if name in task["open_options"] else ""
            print(f"      --option {name}={value}{mark}")
    print("\nArchitectures")
    for key, part in listing["architectures"].items():
        notes = ["control"] if part["control"] else []
        notes += ["trained only if named"] if part["probe_only"] else []
        mark = f" ({'; '.join(notes)})" if notes else ""
        print(f"  {key}: {part['title']}{mark} — {part['paper']}")
        print(f"      forms {', '.join(part['forms'])}; inputs {', '.join(part['inputs'])}")
        print(f"      claims time {part['claimed_time']}, memory {part['claimed_memory']}")
        for name, value in part["options"].items():
            print(f"      --option {name}={value}")
    print("\nMethods (--method NAME:OPTION=VALUE,…), in the order in which they are applied")
    for key, method in sorted(
        listing["methods"].items(), key=lambda item: STAGES.index(item[1]["stage"])
    ):
        print(f"  {key}: {method['summary']} — {method['paper']}")
        options = [f"{name}={value}" for name, value in method["options"].items()]
        probes = "; runs in probes" if method["in_probes"] else ""
        print(f"      stage {method['stage']}{probes}; options {', '.join(options) or 'none'}")
    print("\nSupport (task × architecture)")
    for task_key, reasons in listing["supports"].items():
        for key, reason in reasons.items():
            print(f"  {task_key} × {key}: {'no: ' + reason if reason else 'yes'}")
    print("\nModel sizes (--model-size)")
    for size in listing["model_sizes"].values():
        print(
            f"  {size['name']}: {size['num_layers']} layers, width {size['width']}, "
            f"{size['num_heads']} heads, feed-forward {size['feedforward_width']}"
        )
    for key, reason in listing["broken"].items():
        print(f"\nUnusable: {key}: {reason}")
