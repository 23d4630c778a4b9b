"""Sessions of the command line: with a display, delivery to MLflow and the command's own name."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

from suite.analysis.probing import RunPlan
from suite.execution.preparation import Prepared
from suite.execution.session import Interrupted, MakeExecutor, Session, open_session
from suite.progress import Display
from suite.records.schema import Record
from suite.records.store import Store
from suite.tracking.listener import deliver_records

PATH_OPTIONS = frozenset({"--home", "--bench-home", "--bench_home", "--tfds-data-dir"})


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
            command_line(sys.argv[1:]),
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


def command_line(arguments: list[str]) -> str:
    """Return the command without the paths in its arguments, which stay private."""
    words, hidden = ["bench"], False
    for word in arguments:
        name, equals, _ = word.partition("=")
        if hidden:
            word = "…"
        elif equals and name in PATH_OPTIONS:
            word = f"{name}=…"
        hidden = word in PATH_OPTIONS
        words.append(re.sub(r"files:.*", "files:…", word))
    return " ".join(words)


def warn(message: str) -> None:
    """Print a warning; standard output is for the answer."""
    print(f"bench: {message}", file=sys.stderr)
