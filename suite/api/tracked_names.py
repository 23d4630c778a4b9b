"""The rule for names of metrics and options: MLflow takes them, with the parts put around them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from suite.api.architecture import Architecture
from suite.api.errors import PluginError
from suite.api.method import Method
from suite.api.scores import Metric
from suite.api.task import Task

MAX_CHARACTERS = 100
"""The longest name. MLflow takes 250 characters, with split, variant and condition around it."""
CHARACTERS = re.compile(r"[/\w.\- :]+")


def check_tracked_names(key: str, plugin: Task | Architecture | Method) -> None:
    """Check the names of a plug-in's metrics and options.

    Raises:
        PluginError: MLflow rejects a name.
    """
    for kind, name in _names(key, plugin):
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


def _names(key: str, plugin: Task | Architecture | Method) -> Iterator[tuple[str, object]]:
    """Yield each name with what it names."""
    if isinstance(plugin, Task):
        for metric in (plugin.primary_metric, *plugin.other_metrics):
            if not isinstance(metric, Metric):
                raise PluginError("A metric is a `suite.api.Metric`", received=repr(metric)[:60])
            yield "a metric", metric.name
    if isinstance(plugin, Method):
        yield "a method", key
    yield from (("an option", name) for name in plugin.options)
