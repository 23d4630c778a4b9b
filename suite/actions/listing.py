"""List tasks, architectures and methods, and which supports which: the registry described."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from suite.actions.request import Names, names_of
from suite.api import DATA_OPTIONS, Architecture, Method, Task, changes_model_alone
from suite.api.errors import RequestError, check_name
from suite.api.plugins import plugin_calls
from suite.matrix.expansion import expand
from suite.matrix.registry import Registry, load_registry
from suite.matrix.request import Request
from suite.records.benchmarks import Benchmark
from suite.records.model_sizes import MODEL_SIZES

KINDS = ("tasks", "architectures", "methods")
"""The kinds of plug-ins that have names."""


def list_plugins(names: Names | None = None) -> dict[str, Any]:
    """Return all plug-ins as plain values, and why an architecture cannot run a task.

    `names` selects tasks, architectures and methods. The support is then limited to these.

    Raises:
        RequestError: no plug-in has one of the names.
    """
    listing = describe_registry(load_registry())
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
        check_name("task, architecture or method", name, sorted(known))
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


@plugin_calls()
def describe_registry(registry: Registry) -> dict[str, Any]:
    """Return all tasks, architectures, methods, benchmarks and model sizes as plain values."""
    tasks, architectures, benchmarks = registry.tasks, registry.architectures, registry.benchmarks
    methods = registry.methods
    return {
        "tasks": {key: _describe_task(task) for key, task in tasks.plugins.items()},
        "architectures": {
            key: _describe_architecture(part) for key, part in architectures.plugins.items()
        },
        "methods": {key: _describe_method(method) for key, method in methods.plugins.items()},
        "supports": {key: _reasons(registry, key) for key in tasks.plugins},
        "benchmarks": {
            key: describe_benchmark(benchmark) for key, benchmark in benchmarks.plugins.items()
        },
        "model_sizes": {size.name: asdict(size) for size in MODEL_SIZES.values()},
        "broken": {
            name: reason
            for collection in registry.plugin_sets
            for name, reason in collection.broken.items()
        },
    }


def describe_benchmark(benchmark: Benchmark) -> dict[str, Any]:
    """Return the content of a benchmark file, its hash, and whether it is frozen."""
    content = benchmark.model_dump(
        mode="json", exclude={"path", "content_hash", "task_hashes", "frozen"}
    )
    return {**content, "hash": benchmark.content_hash, "is_frozen": benchmark.is_frozen}


TASK_FIELDS = ("title", "summary", "form", "position", "default_source", "scored_unit")
ARCHITECTURE_FIELDS = ("title", "paper", "claimed_time", "claimed_memory", "control", "probe_only")


def _describe_task(task: Task) -> dict[str, Any]:
    return {
        **{name: getattr(task, name) for name in TASK_FIELDS},
        "default_lengths": list(task.default_lengths),
        "primary_metric": task.primary_metric.name,
        "sources": {key: asdict(source) for key, source in task.sources.items()},
        "options": {**task.options, **DATA_OPTIONS},
        "open_options": sorted(task.open_options),
        "recipe": task.recipe.to_dict(),
    }


def _describe_architecture(architecture: Architecture) -> dict[str, Any]:
    return {
        **{name: getattr(architecture, name) for name in ARCHITECTURE_FIELDS},
        "forms": sorted(architecture.forms),
        "inputs": sorted(architecture.inputs),
        "options": dict(architecture.options),
    }


def _describe_method(method: Method) -> dict[str, Any]:
    return {
        **{name: getattr(method, name) for name in ("title", "summary", "paper", "stage")},
        "in_probes": changes_model_alone(method),
        "options": dict(method.options),
    }


def _reasons(registry: Registry, task: str) -> dict[str, str | None]:
    request = Request(
        tasks=(task,),
        architectures=tuple(registry.architectures.plugins),
        lengths=registry.tasks.get(task).default_lengths[:1],
        seeds=(0,),
        batch_size=1,  # any length is accepted with it
    )
    return {planned.cell.architecture: planned.unsupported for planned in expand(request, registry)}
