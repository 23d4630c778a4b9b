"""Commands call actions as the command line: it names its calls, and warns, in its own way."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from suite.actions.caller import CALLER, Caller
from suite.execution.session import Interrupted
from suite.matrix.registry import Registry
from suite.records.command_line import shareable_command


class Command(click.Command):
    """A command whose actions know that the command line called them."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        token = CALLER.set(COMMAND_LINE)
        try:
            return super().invoke(context)
        except Interrupted:
            print("Interrupted. The same command continues from here.", file=sys.stderr)
            raise
        finally:
            CALLER.reset(token)


def _describe(function: str, keywords: Mapping[str, Any]) -> str:
    """Return the running command without the paths among its arguments, which stay private."""
    context = click.get_current_context(silent=True)
    given = context.params.values() if context else ()
    return shareable_command(sys.argv[1:], [value for value in given if isinstance(value, Path)])


def _warn(message: str) -> None:
    """Print a warning; standard output is for the answer."""
    print(f"bench: {message}", file=sys.stderr)


def _report_unreadable(path: Path, reason: str) -> None:
    """Print a warning about a file that is not a readable record, once for each command."""
    context = click.get_current_context(silent=True)
    known: set[Path] = context.find_root().meta.setdefault(__name__, set()) if context else set()
    if path in known:  # a command may read the records several times
        return
    known.add(path)
    _warn(
        f"{path} is not a readable record and was left alone: {reason} "
        "`bench doctor` lists such files."
    )


def _report_left_out(registry: Registry) -> None:
    """Print a warning about each plug-in that cannot be used."""
    for collection in registry.plugin_sets:
        for name, reason in collection.broken.items():
            _warn(f"the {collection.word} '{name}' is left out: {reason}")


COMMAND_LINE = Caller(
    describe=_describe,
    warn=_warn,
    report_unreadable=_report_unreadable,
    report_left_out=_report_left_out,
    search_progress=lambda: sys.stderr,  # the answer goes to standard output
)
