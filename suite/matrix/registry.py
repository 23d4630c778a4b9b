"""The registry of all tasks and architectures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from suite.api import Architecture, PluginError, RequestError, Task, unknown_name
from suite.api.plugins import (
    ARCHITECTURES,
    SEARCH_PATH_VARIABLE,
    TASKS,
    Kind,
    Plugin,
    load_plugin,
    locate,
)


@dataclass(frozen=True)
class Collection(Generic[Plugin]):
    """The plug-ins of one kind by key; `broken` maps a key to the reason for a failed import."""

    word: str
    plugins: Mapping[str, Plugin]
    broken: Mapping[str, str]

    def get(self, key: str) -> Plugin:
        """Return one plugin.

        Raises:
            RequestError: the name is unknown.
            PluginError: the file of the plug-in cannot be used.
        """
        if key in self.broken:
            raise PluginError(f"The {self.word} '{key}' cannot be used: {self.broken[key]}")
        if key not in self.plugins:
            raise unknown_name(self.word, key, self.plugins)
        return self.plugins[key]


@dataclass(frozen=True)
class Registry:
    """All tasks and architectures that were found."""

    tasks: Collection[Task]
    architectures: Collection[Architecture]

    @property
    def task_versions(self) -> dict[str, int]:
        """The version of each task."""
        return {key: task.version for key, task in self.tasks.plugins.items()}


def load_registry(search_path: Sequence[str] = ()) -> Registry:
    """Find all plug-ins in the checkout, then in `search_path`, then among installed packages.

    Raises:
        RequestError: a folder of the search path does not exist, or lacks `tasks` and `baselines`.
        PluginError: two plug-ins of one kind have the same key.
    """
    for folder in map(Path, search_path):
        if not any((folder / kind.folder).is_dir() for kind in (TASKS, ARCHITECTURES)):
            raise RequestError(
                f"A folder of {SEARCH_PATH_VARIABLE} must hold `tasks/` or `baselines/`",
                received=folder,
                remedy="Correct the path, or create one of the two in it",
            )
    return Registry(_collect(TASKS, search_path), _collect(ARCHITECTURES, search_path))


def _collect(kind: Kind[Plugin], search_path: Sequence[str]) -> Collection[Plugin]:
    plugins: dict[str, Plugin] = {}
    broken: dict[str, str] = {}
    for key, location in locate(kind, search_path):
        try:
            plugins[key] = load_plugin(kind, key, location)
        except PluginError as error:
            broken[key] = str(error)
    return Collection(kind.word, plugins, broken)
