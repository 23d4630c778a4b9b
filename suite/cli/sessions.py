"""Sessions of the command line, named after the command, with its warnings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from suite.execution.session import Interrupted, MakeExecutor, Session
from suite.records.command_line import shareable_command
from suite.records.store import Store
from suite.runs import open_tracked_session, run_with_display
from suite.search.probing import RunPlan


@contextmanager
def open_command_session(
    store: Store,
    planned_cells: int | None = None,
    *,
    executor: MakeExecutor | None = None,
    tracking: bool = True,
    stop_after_seconds: float | None = None,
) -> Iterator[Session]:
    """Yield a session that is named after this command and delivers its records to MLflow."""
    opened = open_tracked_session(
        store,
        command_line(),
        planned_cells,
        executor=executor,
        tracking=tracking,
        on_warning=warn,
        stop_after_seconds=stop_after_seconds,
    )
    with opened as session:
        try:
            yield session
        except Interrupted:
            print("Interrupted. The same command continues from here.", file=sys.stderr)
            raise


@contextmanager
def open_search_session(store: Store) -> Iterator[RunPlan]:
    """Yield what runs a search's plans; progress goes to standard error, the answer elsewhere."""
    with open_command_session(store) as session:
        yield lambda prepared: run_with_display(session, prepared, sys.stderr)


def command_line() -> str:
    """Return the running command without the paths among its arguments, which stay private."""
    context = click.get_current_context(silent=True)
    given = context.params.values() if context else ()
    return shareable_command(sys.argv[1:], [value for value in given if isinstance(value, Path)])


def warn(message: str) -> None:
    """Print a warning; standard output is for the answer."""
    print(f"bench: {message}", file=sys.stderr)
