"""`bench plan`: prints the cells of a request and their state."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from suite.cli.options import json_option, make_request, make_store, request_options
from suite.cli.planning import print_unreadable
from suite.execution.preparation import prepare
from suite.matrix.expansion import PlannedCell
from suite.matrix.plan import Plan


@click.command("plan")
@request_options
@json_option
def command(home: str | None, as_json: bool, **given: Any) -> None:
    """Show the cells of a request without running them.

    \b
    Examples:
      bench plan --task ner
      bench plan --task ner --lengths 128,4096 --seeds 0,1,2 --json
    """
    made = prepare(make_request(given), make_store(home), report_unreadable=print_unreadable).plan
    if as_json:
        print(json.dumps([_to_dict(made, planned) for planned in made.cells], indent=1))
        return
    for planned in made.cells:
        print(f"{planned.cell.id}  {planned.cell.label:48}  {_state(made, planned)}")
    print(summary(made))


def summary(made: Plan) -> str:
    """Return the numbers of cells in one line."""
    unsupported = sum(planned.unsupported is not None for planned in made.cells)
    parts = [f"{len(made.cells)} cells", f"{len(made.to_run)} to run"]
    done = len(made.cells) - len(made.to_run) - unsupported
    parts += [f"{done} done"] if done else []
    parts += [f"{unsupported} unsupported"] if unsupported else []
    return ", ".join(parts)


def _state(made: Plan, planned: PlannedCell) -> str:
    if planned.unsupported:
        return f"unsupported: {planned.unsupported}"
    record = made.done.get(planned.cell.id)
    return f"done: {record.status}" if record else "to run"


def _to_dict(made: Plan, planned: PlannedCell) -> dict[str, Any]:
    record = made.done.get(planned.cell.id)
    return {
        "id": planned.cell.id,
        "cell": asdict(planned.cell),
        "status": str(record.status) if record else None,
        "unsupported": planned.unsupported,
        "to_run": planned.unsupported is None and record is None,
    }
