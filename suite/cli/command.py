"""Commands call actions as the command line: it names its calls, and prints their warnings."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any, TextIO

import click

from suite.actions.caller import COMMAND, LengthwiseWarning
from suite.execution.session import Interrupted
from suite.records.command_line import shareable_command


class Command(click.Command):
    """A command whose actions know that the command line called them."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command; the paths among its arguments stay private."""
        paths = [value for value in context.params.values() if isinstance(value, Path)]
        token = COMMAND.set(shareable_command(sys.argv[1:], paths))
        with warnings.catch_warnings():
            warnings.simplefilter("default", LengthwiseWarning)
            warnings.showwarning = _show_warning
            try:
                return super().invoke(context)
            except Interrupted:
                print("Interrupted. The same command continues from here.", file=sys.stderr)
                raise
            finally:
                COMMAND.reset(token)


_show_other_warning = warnings.showwarning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print the warning of an action to standard error: standard output is for the answer."""
    if issubclass(category, LengthwiseWarning):
        print(f"bench: {message}", file=sys.stderr)
    else:
        _show_other_warning(message, category, filename, lineno, file, line)
