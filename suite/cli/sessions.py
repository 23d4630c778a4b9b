"""Sessions of the command line: with a display, delivery to MLflow and the command's own name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

import click

from suite.analysis.probing import RunPlan
from suite.execution.preparation import Prepared
from suite.execution.session import Interrupted, MakeExecutor, Session, open_session
from suite.progress import Display
from suite.records.command_line import shareable_command
from suite.records.schema import Record
from suite.records.store import Store
from suite.tracking.listener import deliver_records


@contextmanager
def open_command_session(
    store: Store,
    planned_cells: int | None = None,
    *,
    executor: MakeExecutor | None = None,
    tracking: bool = True,
) -> Iterator[Session]:
    """Yield a session that is named after this command and delivers its records to MLflow."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(deliver_records(store, warn))] if tracking else []
        session = open_session(
            store,
            command_line(),
            planned_cells=planned_cells,
            executor=executor,
            listeners=listeners,
        )
        try:
            yield stack.enter_context(session)
        except Interrupted:
            print("Interrupted. The same command continues from here.", file=sys.stderr)
            raise


@contextmanager
def open_search_session(store: Store) -> Iterator[RunPlan]:
    """Yield what runs a search's plans; progress goes to standard error, the answer elsewhere."""
    with open_command_session(store) as session:
        yield lambda prepared: run_with_display(session, prepared, sys.stderr)


def run_with_display(
    session: Session, prepared: Prepared, file: TextIO | None = None
) -> list[Record]:
    """Run a plan, show its progress (on standard output by default) and return its records.

    Raises:
        Interrupted: the user interrupted the run with Ctrl-C.
    """
    with Display(len(prepared.plan.to_run), file) as display:
        return session.run(prepared, display)


def command_line() -> str:
    """Return the running command without the paths among its arguments, which stay private."""
    context = click.get_current_context(silent=True)
    given = context.params.values() if context else ()
    return shareable_command(sys.argv[1:], [value for value in given if isinstance(value, Path)])


def warn(message: str) -> None:
    """Print a warning; standard output is for the answer."""
    print(f"bench: {message}", file=sys.stderr)
