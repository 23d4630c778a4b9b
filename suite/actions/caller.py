"""The caller of an action: Python code, or the command line, which names and warns its own way."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from suite.api.plugins import search_path_from_environment
from suite.matrix.registry import Registry, load_registry
from suite.records.command_line import HIDDEN, without_path
from suite.records.store import ReportUnreadable


@dataclass(frozen=True, slots=True)
class Caller:
    """How an action names its call in the records, and shows what is not its result.

    `describe` returns the call of a function with keyword arguments, without paths. `warn` shows a
    warning, `report_unreadable` a file that is not a readable record, and `report_left_out` the
    plug-ins that cannot be used. `search_progress` is the stream of the progress of searches.
    """

    describe: Callable[[str, Mapping[str, Any]], str]
    warn: Callable[[str], None]
    report_unreadable: ReportUnreadable
    report_left_out: Callable[[Registry], None]
    search_progress: Callable[[], TextIO]


def describe_call(function: str, keywords: Mapping[str, Any]) -> str:
    """Return a call as the records name it: the paths in its arguments stay private."""
    private = {"home", "tfds_data_dir"}
    parts = [
        f"{name}={HIDDEN if name in private else _shown(value)}"
        for name, value in keywords.items()
        if value is not None
    ]
    return f"suite.{function}({', '.join(parts)})"


def _shown(value: Any) -> str:
    """Return an argument as code, without the paths in it."""
    if isinstance(value, Path):
        return HIDDEN
    if isinstance(value, str):
        return repr(without_path(value))
    if isinstance(value, list | tuple):
        shown = ", ".join(map(_shown, value))
        comma = "," if len(value) == 1 else ""
        return f"[{shown}]" if isinstance(value, list) else f"({shown}{comma})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name!r}: {_shown(item)}' for name, item in value.items())}}}"
    return repr(value)


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=2)


PYTHON = Caller(
    describe=describe_call,
    warn=_warn,
    report_unreadable=lambda path, reason: _warn(
        f"{path} is not a readable record and was left alone: {reason}"
    ),
    report_left_out=lambda registry: None,
    search_progress=lambda: sys.stdout,
)
CALLER: ContextVar[Caller] = ContextVar("caller", default=PYTHON)


def warn(message: str) -> None:
    """Show a warning to the caller."""
    CALLER.get().warn(message)


def report_unreadable(path: Path, reason: str) -> None:
    """Tell the caller of a file that is not a readable record."""
    CALLER.get().report_unreadable(path, reason)


def read_registry() -> Registry:
    """Return the registry, and tell the caller of the plug-ins that cannot be used."""
    registry = load_registry(search_path_from_environment())
    CALLER.get().report_left_out(registry)
    return registry
