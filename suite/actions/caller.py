"""The caller of an action: a Python program, or the command line, which names its own call."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO

from suite.matrix.registry import Registry, load_registry
from suite.records.command_line import HIDDEN, without_path

COMMAND: ContextVar[str | None] = ContextVar("command", default=None)
"""The running command without paths; None in a Python program."""


class LengthwiseWarning(RuntimeWarning):
    """A warning of an action; the command line prints its message to standard error."""


def name_call(function: str, keywords: Mapping[str, Any]) -> str:
    """Return the running command, or the call of a function, as the records name it."""
    return COMMAND.get() or describe_call(function, keywords)


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


def search_stream() -> TextIO:
    """Return the stream of the progress of a search; the answer of a command has the other."""
    return sys.stderr if COMMAND.get() else sys.stdout


def warn(message: str) -> None:
    """Warn the caller, once for each message and command."""
    warnings.warn(message, LengthwiseWarning, stacklevel=1)


def report_broken(registry: Registry) -> None:
    """Warn of each plug-in that cannot be used."""
    for plugins in registry.plugin_sets:
        for name, reason in plugins.broken.items():
            warn(f"the {plugins.word} '{name}' is left out: {reason}")


def read_registry() -> Registry:
    """Return the registry, and warn of the plug-ins that cannot be used."""
    registry = load_registry()
    report_broken(registry)
    return registry
