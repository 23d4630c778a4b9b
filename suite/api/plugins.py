"""Find tasks, architectures and methods in the checkout, in BENCH_PATH, and by entry points.

Each plug-in is a module that binds `TASK`, `ARCHITECTURE` or `METHOD`. Its key is the name of its
file, of its folder, or of its entry point. Built-in and external plug-ins use the same code.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import posixpath
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from suite.api import Architecture, Method, Metric, Task
from suite.api.errors import LengthwiseError, PluginError, check_name
from suite.api.files import CHECKOUT

SEARCH_PATH_VARIABLE = "BENCH_PATH"
MAX_CHARACTERS = 100
"""The longest name of a metric or option. MLflow takes 250 characters, with split and condition."""
CHARACTERS = re.compile(r"[/\w.\- :]+")

Plugin = TypeVar("Plugin", Task, Architecture, Method)


@dataclass(frozen=True)
class PluginKind(Generic[Plugin]):
    """The location of the plug-ins of one kind, and the attribute that their modules bind.

    `word` also names the module of a plug-in in a folder of its own: "task" for `task.py`.
    `folder` is that of a folder of BENCH_PATH, `in_checkout` that of the checkout.
    """

    word: str
    folder: str
    attribute: str
    group: str
    contract: type[Plugin]
    in_checkout: str = ""


TASKS: PluginKind[Task] = PluginKind("task", "tasks", "TASK", "lengthwise.tasks", Task)  # type: ignore[type-abstract]
ARCHITECTURES: PluginKind[Architecture] = PluginKind(
    "architecture",
    "baselines",
    "ARCHITECTURE",
    "lengthwise.architectures",
    Architecture,  # type: ignore[type-abstract]
)
METHODS: PluginKind[Method] = PluginKind(
    "method", "methods", "METHOD", "lengthwise.methods", Method, "suite/methods"
)


def search_path_from_environment() -> tuple[str, ...]:
    """Return the folders named in BENCH_PATH, in order, as absolute paths."""
    folders = os.environ.get(SEARCH_PATH_VARIABLE, "").split(os.pathsep)
    return tuple(str(Path(folder).resolve()) for folder in folders if folder)


def find_plugin(kind: PluginKind[Plugin], key: str, search_path: Sequence[str] = ()) -> Plugin:
    """Return one plug-in, without importing the files of the others.

    Raises:
        RequestError: the key is unknown.
        PluginError: the file of the plug-in cannot be used.
    """
    locations = dict(locate(kind, search_path))
    check_name(kind.word, key, locations)
    return load_plugin(kind, key, locations[key])


def plugin_files(plugin: Task | Architecture | Method) -> list[Path]:
    """Return the Python files of a plug-in: its module or folder, and its helpers.

    Helpers are modules whose names begin with `_`, and folders that hold no plug-in. A module
    outside any package has none: its folder holds packages of other projects too.
    """
    kind = next(
        kind for kind in (TASKS, ARCHITECTURES, METHODS) if isinstance(plugin, kind.contract)
    )
    file = Path(inspect.getfile(type(plugin)))
    in_folder = file.stem == kind.word
    own = list(file.parent.rglob("*.py")) if in_folder else [file]
    if type(plugin).__module__.count(".") < 1 + in_folder:
        return sorted(own)
    folder = file.parent.parent if in_folder else file.parent
    helpers = [path for path in folder.glob("_*.py") if path.name != "__init__.py"]
    for path in folder.iterdir():
        if path.is_dir() and not (path / f"{kind.word}.py").exists():
            helpers += path.rglob("*.py")
    return sorted({*own, *helpers})


def plugin_names(kind: PluginKind[Any]) -> list[str]:
    """Return the keys of all plug-ins of a kind, those of BENCH_PATH too, without importing any."""
    return sorted(key for key, _ in locate(kind, search_path_from_environment()))


@dataclass(frozen=True)
class Location:
    """The module and the attribute of a plug-in; an entry point may name another attribute."""

    module: str
    attribute: str
    described: str


def locate(kind: PluginKind[Plugin], search_path: Sequence[str]) -> Iterator[tuple[str, Location]]:
    """Yield the key and the location of each plug-in; raise a PluginError for a taken key."""
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


def _candidates(
    kind: PluginKind[Plugin], search_path: Sequence[str]
) -> Iterator[tuple[str, Location]]:
    for root in (CHECKOUT, *map(Path, search_path)):
        package = _package_of(root)
        folder = kind.in_checkout if root == CHECKOUT and kind.in_checkout else kind.folder
        for key, path in _modules_of(root / folder, kind.word):
            module = ".".join(path.relative_to(root).with_suffix("").parts)
            name = f"{package}.{module}" if package else module
            yield key, Location(name, kind.attribute, str(path))
    for entry in _entry_points(kind.group, tuple(sys.path)):
        module, _, attribute = entry.value.partition("[")[0].partition(":")
        described = f"entry point {entry.value}"
        named = attribute.strip() or kind.attribute
        yield entry.name, Location(module.strip(), named, described)


@cache
def _entry_points(group: str, path: tuple[str, ...]) -> list[EntryPoint]:
    """Return the entry points of the packages on `sys.path`, which is `path`, by name.

    Reading the metadata of all packages takes as long as importing all plug-ins again.
    """
    return sorted(entry_points(group=group), key=lambda entry: entry.name)


def _modules_of(folder: Path, module: str) -> Iterator[tuple[str, Path]]:
    paths = {path.stem: path for path in folder.glob("*.py")}
    paths |= {path.parent.name: path for path in folder.glob(f"*/{module}.py")}
    for key, path in sorted(paths.items()):
        if not key.startswith("_"):
            yield key, path


def _package_of(root: Path) -> str:
    """Return the name of the package that contains the folders of `root`; "" for the checkout.

    A folder of the search path becomes a separate package. Its files can therefore import their
    helpers (`from ._helper import …`), and never shadow built-in modules.
    """
    if root == CHECKOUT:
        return ""
    name = "bench_path_" + hashlib.sha256(str(root).encode()).hexdigest()[:12]
    if name not in sys.modules:
        specification = ModuleSpec(name, loader=None, is_package=True)
        specification.submodule_search_locations = [str(root)]
        sys.modules[name] = importlib.util.module_from_spec(specification)
    return name


def load_plugin(kind: PluginKind[Plugin], key: str, location: Location) -> Plugin:
    """Import a module and return the plug-in that it binds.

    Raises:
        PluginError: the module cannot be imported, or its plug-in lacks an attribute.
    """
    try:
        with output_to_stderr():
            module: ModuleType = importlib.import_module(location.module)
            plugin = getattr(module, location.attribute, None)
            if not isinstance(plugin, kind.contract):
                raise PluginError(
                    f"A {kind.word}'s file binds `{location.attribute}` to an instance of "
                    f"`suite.api.{kind.contract.__name__}`",
                    received=f"{type(plugin).__name__} in {location.described}",
                )
            stated = _stated_attributes(kind.contract)
            if missing := [name for name in stated if not hasattr(plugin, name)]:
                raise PluginError(
                    f"The {kind.word} '{key}' must state {', '.join(missing)}",
                    received=location.described,
                )
            _check_tracked_names(key, plugin)
    except (PluginError, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit too: one file must not end the command
        raise PluginError(
            f"Importing it raised {type(error).__name__}: {error}",
            received=location.described,
            remedy="Correct the file, or remove it from the search path",
        ) from error
    return plugin


@contextmanager
def plugin_calls() -> Iterator[None]:
    """Call plug-ins of users: their output goes to standard error, and an exception is one error.

    Functions that call plug-ins in the process of a command have this as a decorator. A PluginError
    replaces an exception from a folder of the search path, and the end of the process.
    """
    try:
        with output_to_stderr():
            yield
    except (LengthwiseError, KeyboardInterrupt):
        raise
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        roots = tuple(f"{root}{os.sep}" for root in search_path_from_environment())
        own = [frame for frame in frames if frame.filename.startswith(roots)]
        if not own and isinstance(error, Exception):
            raise
        place = (own or frames)[-1]
        raise PluginError(
            f"A plug-in raised {type(error).__name__}: {error}",
            received=f"line {place.lineno} of {place.filename}, in {place.name}",
            remedy="Correct the file, or remove it from the search path",
        ) from error


@contextmanager
def output_to_stderr() -> Iterator[None]:
    """Redirect the output of plug-ins to standard error: standard output may have to be JSON.

    This includes the output of child processes and of libraries in C.
    """
    with redirect_stdout(sys.stderr), ExitStack() as stack:
        with suppress(OSError):  # a process may have closed its output
            kept = os.dup(1)
            stack.callback(os.close, kept)
            os.dup2(2, 1)
            stack.callback(os.dup2, kept, 1)
        yield


def _stated_attributes(contract: type) -> list[str]:
    return [name for name in contract.__annotations__ if not name.startswith("_")]


def _check_tracked_names(key: str, plugin: Task | Architecture | Method) -> None:
    """Refuse names of a plug-in's metrics and options that MLflow rejects."""
    for kind, name in _tracked_names(key, plugin):
        if not is_tracked_name(name):
            raise PluginError(
                f"The name of {kind} has up to {MAX_CHARACTERS} letters, digits and _ - . : / and "
                "spaces, and is no path with empty or dotted parts: MLflow rejects others",
                received=repr(name) if len(repr(name)) <= MAX_CHARACTERS else f"{name!r:.60}…",
                remedy="Rename it, as in recall_at_5",
            )


def is_tracked_name(name: object) -> bool:
    """Return whether MLflow takes a name of a metric or option behind "test." or "option."."""
    return (
        isinstance(name, str)
        and len(name) <= MAX_CHARACTERS
        and CHARACTERS.fullmatch(name) is not None
        and posixpath.normpath(f"option.{name}") == f"option.{name}"
    )


def _tracked_names(key: str, plugin: Task | Architecture | Method) -> Iterator[tuple[str, object]]:
    if isinstance(plugin, Task):
        for metric in (plugin.primary_metric, *plugin.other_metrics):
            if not isinstance(metric, Metric):
                raise PluginError("A metric is a `suite.api.Metric`", received=repr(metric)[:60])
            yield "a metric", metric.name
    if isinstance(plugin, Method):
        yield "a method", key
    yield from (("an option", name) for name in plugin.options)
