"""Finds tasks and architectures: the checkout's files, the folders of BENCH_PATH, entry points.

All three give the same thing: a module that binds `TASK` or `ARCHITECTURE`, whose file name (or
entry-point name) is its key. The built-in ones come through the same code as a newcomer's.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from suite import CHECKOUT
from suite.contracts import Architecture, Task
from suite.errors import PluginError, RequestError, unknown_name
from suite.files import digest_paths

SEARCH_PATH_VARIABLE = "BENCH_PATH"

Part = TypeVar("Part", Task, Architecture)


@dataclass(frozen=True)
class Kind(Generic[Part]):
    """Where parts of one kind live and what a module of it must bind."""

    word: str
    folder: str
    attribute: str
    group: str
    contract: type[Part]


TASKS: Kind[Task] = Kind("task", "tasks", "TASK", "lengthwise.tasks", Task)  # type: ignore[type-abstract]
ARCHITECTURES: Kind[Architecture] = Kind(
    "architecture",
    "baselines",
    "ARCHITECTURE",
    "lengthwise.architectures",
    Architecture,  # type: ignore[type-abstract]
)


@dataclass(frozen=True)
class Collection(Generic[Part]):
    """The parts of one kind by key; `broken` holds what could not be loaded, and why."""

    word: str
    parts: Mapping[str, Part]
    broken: Mapping[str, str]

    def get(self, key: str) -> Part:
        """Return one part.

        Raises:
            RequestError: there is none of that name.
            PluginError: there is, but its file cannot be used.
        """
        if key in self.broken:
            raise PluginError(f"The {self.word} '{key}' can't be used: {self.broken[key]}")
        if key not in self.parts:
            raise unknown_name(self.word, key, self.parts)
        return self.parts[key]


@dataclass(frozen=True)
class Registry:
    """Every task and architecture that can be found."""

    tasks: Collection[Task]
    architectures: Collection[Architecture]


def search_path_from_environment() -> tuple[str, ...]:
    """Return the folders named in BENCH_PATH, in order, as absolute paths."""
    folders = os.environ.get(SEARCH_PATH_VARIABLE, "").split(os.pathsep)
    return tuple(str(Path(folder).resolve()) for folder in folders if folder)


def load_registry(search_path: Sequence[str] = ()) -> Registry:
    """Find all parts in the checkout, then in `search_path`, then among installed packages.

    Raises:
        RequestError: a folder of the search path is none, or has neither `tasks` nor `baselines`.
        PluginError: two parts of one kind have the same key.
    """
    for folder in map(Path, search_path):
        if not any((folder / kind.folder).is_dir() for kind in (TASKS, ARCHITECTURES)):
            raise RequestError(
                f"A folder of {SEARCH_PATH_VARIABLE} must hold `tasks/` or `baselines/`",
                received=folder,
                remedy="Correct the path, or create one of the two in it",
            )
    return Registry(_collect(TASKS, search_path), _collect(ARCHITECTURES, search_path))


def find_part(kind: Kind[Part], key: str, search_path: Sequence[str] = ()) -> Part:
    """Load a single part, without importing the files of the others."""
    found = dict(_locate(kind, search_path))
    if key not in found:
        raise unknown_name(kind.word, key, found)
    return _load(kind, key, found[key])


@cache
def digest_code(search_path: tuple[str, ...] = ()) -> str:
    """Hash the Python files of the checkout and of the folders added to it, as they were first."""
    folders = [CHECKOUT / "suite"]
    for root in (CHECKOUT, *map(Path, search_path)):
        folders += [root / kind.folder for kind in (TASKS, ARCHITECTURES)]
    return digest_paths(path for folder in folders for path in folder.rglob("*.py"))


def part_names(kind: Kind[Part], search_path: Sequence[str] = ()) -> list[str]:
    """Return the names of all parts of a kind, without importing any."""
    return sorted(key for key, _ in _locate(kind, search_path))


@dataclass(frozen=True)
class _Location:
    """Where a part is: a module to import, and the attribute (entry points may name another)."""

    module: str
    attribute: str
    described: str


def _collect(kind: Kind[Part], search_path: Sequence[str]) -> Collection[Part]:
    parts: dict[str, Part] = {}
    broken: dict[str, str] = {}
    for key, location in _locate(kind, search_path):
        try:
            parts[key] = _load(kind, key, location)
        except PluginError as error:
            broken[key] = str(error)
    return Collection(kind.word, parts, broken)


def _locate(kind: Kind[Part], search_path: Sequence[str]) -> Iterator[tuple[str, _Location]]:
    """Yield each key with where it is, refusing a key found twice."""
    seen: dict[str, str] = {}
    for key, location in _candidates(kind, search_path):
        if key in seen:
            raise PluginError(
                f"Two {kind.word}s have the name '{key}'",
                received=f"{seen[key]} and {location.described}",
                remedy="Rename one of the two",
            )
        seen[key] = location.described
        yield key, location


def _candidates(kind: Kind[Part], search_path: Sequence[str]) -> Iterator[tuple[str, _Location]]:
    for root in (CHECKOUT, *map(Path, search_path)):
        package = _package_of(root)
        for file in sorted((root / kind.folder).glob("*.py")):
            if not file.name.startswith("_"):
                module = ".".join(filter(None, (package, kind.folder, file.stem)))
                yield file.stem, _Location(module, kind.attribute, str(file))
    for entry in sorted(entry_points(group=kind.group), key=lambda entry: entry.name):
        described = f"entry point {entry.value}"
        yield entry.name, _Location(entry.module, entry.attr or kind.attribute, described)


def _package_of(root: Path) -> str:
    """Name the package whose sub-packages are the folders of `root`; none for the checkout.

    A folder of the search path becomes a package of its own, so that its files can import the
    helpers beside them (`from ._helper import …`) and never shadow the built-in ones.
    """
    if root == CHECKOUT:
        return ""
    name = "bench_path_" + hashlib.sha256(str(root).encode()).hexdigest()[:12]
    if name not in sys.modules:
        specification = ModuleSpec(name, loader=None, is_package=True)
        specification.submodule_search_locations = [str(root)]
        sys.modules[name] = importlib.util.module_from_spec(specification)
    return name


def _load(kind: Kind[Part], key: str, location: _Location) -> Part:
    try:
        module: ModuleType = importlib.import_module(location.module)
    except Exception as error:
        raise PluginError(
            f"Importing it raised {type(error).__name__}: {error}",
            received=location.described,
            remedy="Mend the file or take it off the search path",
        ) from error
    part = getattr(module, location.attribute, None)
    if not isinstance(part, kind.contract):
        raise PluginError(
            f"A {kind.word}'s file binds `{location.attribute}` to an instance of "
            f"`suite.contracts.{kind.contract.__name__}`",
            received=f"{type(part).__name__} in {location.described}",
        )
    missing = [name for name in _stated_attributes(kind.contract) if not hasattr(part, name)]
    if missing:
        raise PluginError(
            f"The {kind.word} '{key}' must state {', '.join(missing)}", received=location.described
        )
    return part


def _stated_attributes(contract: type) -> list[str]:
    return [name for name in contract.__annotations__ if not name.startswith("_")]
