"""List tasks, architectures and methods, and which supports which."""

from __future__ import annotations

from typing import Any

from suite.actions.request import Names, names_of
from suite.api.errors import RequestError, unknown_name
from suite.api.plugins import search_path_from_environment
from suite.matrix.listing import describe_registry
from suite.matrix.registry import load_registry

KINDS = ("tasks", "architectures", "methods")
"""The kinds of plug-ins that have names."""


def list_plugins(names: Names | None = None) -> dict[str, Any]:
    """Return what the registry has, as plain values, and why an architecture lacks a task.

    `names` selects tasks, architectures and methods, and the support among them.

    Raises:
        RequestError: there is no plug-in of a name.
    """
    listing = describe_registry(load_registry(search_path_from_environment()))
    if names is None:
        return listing
    names = names_of("names", names)
    known = {name for kind in KINDS for name in listing[kind]}
    for name in names:
        if name not in known and name in listing["benchmarks"]:
            raise RequestError(
                "`bench list` shows tasks, architectures and methods",
                received=f"the benchmark {name}",
                remedy=f"Run `bench benchmarks {name}`",
            )
        if name not in known:
            raise unknown_name("task, architecture or method", name, sorted(known))
    chosen = {
        kind: {name: part for name, part in listing[kind].items() if name in names}
        for kind in KINDS
    }
    tasks, architectures = (chosen[kind] or listing[kind] for kind in ("tasks", "architectures"))
    supports = {
        task: {name: reason for name, reason in reasons.items() if name in architectures}
        for task, reasons in listing["supports"].items()
        if task in tasks
    }
    only_methods = not chosen["tasks"] and not chosen["architectures"]
    return {**listing, **chosen, "supports": {} if only_methods else supports, "model_sizes": {}}
