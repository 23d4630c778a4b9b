"""The catalogue: the tables of `docs/catalogue.md`, from the description of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suite.api import Stage
from suite.report.markdown import escape, table

STAGES = [str(stage) for stage in Stage]
HEAD = """# Catalogue

All tasks, architectures, methods and benchmarks of the checkout, as `bench list --markdown` prints
them. `bench list` also describes each option's default, and says which task supports which
architecture.
"""


def catalogue(listing: Mapping[str, Any]) -> str:
    """Return the page of a listing that `describe_registry` made."""
    sections = {
        "Tasks": _tasks(listing["tasks"]),
        "Architectures": _architectures(listing["architectures"]),
        "Methods": _methods(listing["methods"]),
        "Benchmarks": _benchmarks(listing["benchmarks"]),
    }
    return "\n".join([HEAD, *(f"## {title}\n\n{text}\n" for title, text in sections.items())])


def _tasks(tasks: Mapping[str, Any]) -> str:
    rows = [
        [
            f"`{key}`",
            escape(task["title"]),
            escape(task["summary"]),
            _form(task["form"]),
            ", ".join(f"{length:,}" for length in task["default_lengths"]),
            _sources(task),
            f"`{task['primary_metric']}`",
            _names(task["open_options"]),
        ]
        for key, task in tasks.items()
    ]
    head = ["task", "title", "the model", "form", "lengths", "data", "metric", "open track"]
    return _table(head, rows) + (
        "\n\nThe first source is the default. Options in the last column break a rule of the "
        "[standard track](how-we-compare.md#standard-and-open-track)."
    )


def _sources(task: Mapping[str, Any]) -> str:
    """Return the sources with the default first."""
    sources = task["sources"]
    names = sorted(sources, key=lambda name: name != task["default_source"])
    return "<br>".join(f"`{name}`: {escape(sources[name]['summary'])}" for name in names)


def _architectures(architectures: Mapping[str, Any]) -> str:
    rows = [
        [
            f"`{key}`" + (" (control)" if part["control"] else ""),
            escape(part["paper"]),
            ", ".join(map(_form, part["forms"])),
            ", ".join(name.replace("_", " ") for name in part["inputs"]),
            escape(part["claimed_time"]),
            escape(part["claimed_memory"]),
            _names(part["options"]),
        ]
        for key, part in architectures.items()
    ]
    head = ["architecture", "paper", "forms", "inputs", "time", "memory", "options"]
    return _table(head, rows) + (
        "\n\nTime and memory are the claims of the papers, in the sequence length n. Measured "
        "exponents are compared with them."
    )


def _methods(methods: Mapping[str, Any]) -> str:
    ordered = sorted(methods.items(), key=lambda item: STAGES.index(item[1]["stage"]))
    rows = [
        [
            method["stage"],
            f"`{key}`",
            escape(method["summary"]),
            escape(method["paper"]),
            "yes" if method["in_probes"] else "",
            _names(method["options"]),
        ]
        for key, method in ordered
    ]
    return _table(["stage", "method", "what it does", "paper", "in probes", "options"], rows)


def _benchmarks(benchmarks: Mapping[str, Any]) -> str:
    rows = [
        [
            f"`{key}`",
            escape(benchmark["summary"]),
            benchmark["track"],
            "ranked" if benchmark["ranked"] else "never ranked",
            ", ".join(benchmark["model_size"]),
        ]
        for key, benchmark in benchmarks.items()
    ]
    return _table(["benchmark", "summary", "track", "leaderboard", "model size"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    return table(head, rows)


def _names(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names) or "—"


def _form(name: str) -> str:
    return name.replace("_", "-")
