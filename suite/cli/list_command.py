"""`bench list`: lists tasks, architectures, methods and model sizes."""

from __future__ import annotations

import json
from typing import Any

import click

from suite.actions.listing import list_plugins
from suite.api import Form, Stage
from suite.cli.command import json_option
from suite.report.markdown import render

STAGES = [str(stage) for stage in Stage]


@click.command("list")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@json_option
@click.option("--markdown", is_flag=True, help="Print docs/catalogue.md.")
def command(names: tuple[str, ...], as_json: bool, markdown: bool) -> None:
    """List tasks, architectures, methods and model sizes, each in a line.

    With NAMES, the details of these tasks, architectures and methods are listed: options, papers,
    and which supports which. `bench benchmarks` lists the benchmarks.

    \b
    Examples:
      bench list ner
      bench list longformer mamba2
    """
    listing = list_plugins(names or None)
    if as_json:
        print(json.dumps(listing, indent=1))
    elif markdown:
        print(render("catalogue.md", **listing, stages=STAGES, num_forms=len(Form)), end="")
    elif names:
        _print_details(listing)
    else:
        _print(listing)


def _print(listing: dict[str, Any]) -> None:
    stages: dict[str, list[str]] = {stage: [] for stage in STAGES}
    for key, method in listing["methods"].items():
        stages[method["stage"]].append(key)
    sections = {
        "Tasks (--task)": {key: task["summary"] for key, task in listing["tasks"].items()},
        "Architectures (--architectures), with the claimed time in the length n": {
            key: f"{part['title']}, {part['claimed_time']}"
            for key, part in listing["architectures"].items()
        },
        "Methods (--method), by stage": {
            stage: ", ".join(names) for stage, names in stages.items() if names
        },
    }
    for title, items in sections.items():
        print(title)
        width = max(map(len, items), default=0)
        for key, text in items.items():
            print(f"  {key:{width}}  {text}")
    sizes = (
        f"{size['name']} {size['num_layers']}×{size['width']}"
        for size in listing["model_sizes"].values()
    )
    print(f"Model sizes (--model-size), layers × width: {', '.join(sizes)}")
    print("`bench list NAME` has the details; `bench benchmarks` lists the benchmarks.")
    _print_broken(listing)


def _print_details(listing: dict[str, Any]) -> None:
    if listing["tasks"]:
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
    if listing["architectures"]:
        print("\nArchitectures" if listing["tasks"] else "Architectures")
    for key, part in listing["architectures"].items():
        is_marked = "(control)" in part["title"]
        notes = ["control"] if part["control"] and not is_marked else []
        notes += ["trained only if named"] if part["probe_only"] else []
        mark = f" ({'; '.join(notes)})" if notes else ""
        print(f"  {key}: {part['title']}{mark} — {part['paper']}")
        print(f"      forms {', '.join(part['forms'])}; inputs {', '.join(part['inputs'])}")
        print(f"      claims time {part['claimed_time']}, memory {part['claimed_memory']}")
        for name, value in part["options"].items():
            print(f"      --option {name}={value}")
    if listing["methods"]:
        before = "\n" if listing["tasks"] or listing["architectures"] else ""
        print(f"{before}Methods (--method NAME:OPTION=VALUE,…), in the order of their application")
    for key, method in sorted(
        listing["methods"].items(), key=lambda item: STAGES.index(item[1]["stage"])
    ):
        print(f"  {key}: {method['summary']} — {method['paper']}")
        options = [f"{name}={value}" for name, value in method["options"].items()]
        probes = "; runs in probes" if method["in_probes"] else ""
        print(f"      stage {method['stage']}{probes}; options {', '.join(options) or 'none'}")
    supports, title = listing["supports"], "Support of architectures by task"
    if listing["architectures"] and not listing["tasks"]:
        supports = {
            key: {task: reasons[key] for task, reasons in supports.items()}
            for key in listing["architectures"]
        }
        title = "Tasks that an architecture can run"
    if supports:
        print(f"\n{title}")
    for name, reasons in supports.items():
        print(f"  {name}: {', '.join(key for key in reasons if not reasons[key]) or 'none'}")
        refused: dict[str, list[str]] = {}
        for key, reason in reasons.items():
            if reason:
                refused.setdefault(reason, []).append(key)
        for reason, keys in refused.items():
            print(f"      not {', '.join(keys)}: {reason}")
    _print_broken(listing)


def _print_broken(listing: dict[str, Any]) -> None:
    for key, reason in listing["broken"].items():
        print(f"\nUnusable: {key}: {reason}")
