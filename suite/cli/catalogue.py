"""The catalogue: the tables of `docs/catalogue.md`, from the description of the registry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from suite.api import Form, Stage
from suite.report.markdown import escape, table

STAGES = [str(stage) for stage in Stage]
HEAD = """# Catalogue

`bench list --markdown` prints this page. `bench list NAME` shows the options, lengths and papers of
a task, an architecture or a method.
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
            escape(task["summary"]),
            _form(task["form"]),
            _sources(task),
            f"`{task['primary_metric']}`",
            _names(task["open_options"]),
        ]
        for key, task in tasks.items()
    ]
    head = ["task", "the model", "form", "data", "metric", "open track"]
    return _table(head, rows) + (
        "\n\nThe first source is the default; [your own files](your-own-data.md) are `files`. "
        "Options in the last column break a rule of the "
        "[standard track](how-we-compare.md#standard-and-open-track)."
    )


def _sources(task: Mapping[str, Any]) -> str:
    """Return the sources with the default first; the formats of `files` have a page."""
    sources = task["sources"]
    names = sorted(sources, key=lambda name: name != task["default_source"])
    return "<br>".join(
        f"`{name}`" + (f": {escape(sources[name]['summary'])}" if name != "files" else "")
        for name in names
    )


def _architectures(architectures: Mapping[str, Any]) -> str:
    rows = [
        [
            f"`{key}`" + (" (control)" if part["control"] else ""),
            _authors(part["paper"]),
            "all" if len(part["forms"]) == len(Form) else ", ".join(map(_form, part["forms"])),
            escape(part["claimed_time"]),
            escape(part["claimed_memory"]),
        ]
        for key, part in architectures.items()
    ]
    head = ["architecture", "paper", "forms", "time", "memory"]
    return _table(head, rows) + (
        "\n\nTime and memory are the claims of the papers, in the sequence length n."
    )


def _methods(methods: Mapping[str, Any]) -> str:
    ordered = sorted(methods.items(), key=lambda item: STAGES.index(item[1]["stage"]))
    rows = [
        [
            method["stage"],
            f"`{key}`",
            escape(method["summary"]),
            "yes" if method["in_probes"] else "",
        ]
        for key, method in ordered
    ]
    return _table(["stage", "method", "what it does", "in probes"], rows)


def _benchmarks(benchmarks: Mapping[str, Any]) -> str:
    rows = [
        [
            f"`{key}`",
            escape(benchmark["summary"]),
            "yes" if benchmark["ranked"] else "no",
        ]
        for key, benchmark in benchmarks.items()
    ]
    return _table(["benchmark", "summary", "ranked"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    return table(head, rows)


def _names(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names) or "—"


def _authors(paper: str) -> str:
    """Return the authors and the year of a citation, as in "Vaswani et al. 2017, Title"."""
    return escape(re.sub(r"( \d{4}), .*", r"\1", paper))


def _form(name: str) -> str:
    return name.replace("_", "-")
