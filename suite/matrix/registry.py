"""The registry of all tasks, architectures, methods and benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from suite.api import Architecture, Method, PluginError, RequestError, Task, check_name
from suite.api.plugins import (
    ARCHITECTURES,
    METHODS,
    SEARCH_PATH_VARIABLE,
    TASKS,
    Plugin,
    PluginKind,
    load_plugin,
    locate,
    search_path_from_environment,
)
from suite.records.benchmarks import FOLDER, Benchmark, benchmark_names, find_benchmark

Item = TypeVar("Item")


@dataclass(frozen=True)
class PluginSet(Generic[Item]):
    """The plug-ins of one kind by key; `broken` maps a key to the reason for a failed import."""

    word: str
    plugins: Mapping[str, Item]
    broken: Mapping[str, str]

    def get(self, key: str) -> Item:
        """Return one plugin.

        Raises:
            RequestError: the name is unknown.
            PluginError: the file of the plug-in cannot be used.
        """
        if key in self.broken:
            raise PluginError(f"The {self.word} '{key}' cannot be used: {self.broken[key]}")
        check_name(self.word, key, self.plugins)
        return self.plugins[key]


@dataclass(frozen=True)
class Registry:
    """All tasks, architectures, methods and benchmarks that were found."""

    tasks: PluginSet[Task]
    architectures: PluginSet[Architecture]
    methods: PluginSet[Method]
    benchmarks: PluginSet[Benchmark]

    @property
    def plugin_sets(self) -> tuple[PluginSet[Any], ...]:
        """The tasks, architectures, methods and benchmarks."""
        return (self.tasks, self.architectures, self.methods, self.benchmarks)

    @property
    def task_versions(self) -> dict[str, int]:
        """The version of each task."""
        return {key: task.version for key, task in self.tasks.plugins.items()}


def load_registry(search_path: Sequence[str] | None = None) -> Registry:
    """Find all plug-ins in the checkout, then in `search_path`, then among installed packages.

    The search path is by default that of BENCH_PATH.

    Raises:
        RequestError: a folder of the search path does not exist, or holds no plug-ins.
        PluginError: two plug-ins of one kind have the same key.
    """
    search_path = search_path_from_environment() if search_path is None else search_path
    for folder in map(Path, search_path):
        names = (TASKS.folder, ARCHITECTURES.folder, METHODS.folder, FOLDER)
        if not any((folder / name).is_dir() for name in names):
            raise RequestError(
                f"A folder of {SEARCH_PATH_VARIABLE} must hold `tasks/`, `baselines/`, `methods/` "
                "or `benchmarks/`",
                received=folder,
                remedy="Correct the path, or create one of them in it",
            )
    return Registry(
        _collect(TASKS, search_path),
        _collect(ARCHITECTURES, search_path),
        _collect(METHODS, search_path),
        _load("benchmark", benchmark_names(search_path), lambda n: find_benchmark(n, search_path)),
    )


def _collect(kind: PluginKind[Plugin], search_path: Sequence[str]) -> PluginSet[Plugin]:
    places = dict(locate(kind, search_path))
    return _load(kind.word, places, lambda key: load_plugin(kind, key, places[key]))


def _load(word: str, keys: Iterable[str], load: Callable[[str], Item]) -> PluginSet[Item]:
    plugins: dict[str, Item] = {}
    broken: dict[str, str] = {}
    for key in keys:
        try:
            plugins[key] = load(key)
        except PluginError as error:
            broken[key] = str(error)
    return PluginSet(word, plugins, broken)
