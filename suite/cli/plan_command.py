"""`bench plan`: prints the cells of a request and their state."""

from __future__ import annotations

import json
from typing import Any

import click

from suite.cli.options import json_option, make_request, make_store, request_options
from suite.cli.unreadable import print_unreadable
from suite.execution.preparation import prepare
from suite.results import MatrixPlan


@click.command("plan")
@request_options
@json_option
def command(home: str | None, as_json: bool, **given: Any) -> None:
    """Show the cells of a request and their state, without running them.

    \b
    Examples:
      bench plan --task ner
      bench plan --task ner --lengths 128,4096 --seeds 0,1,2 --json
    """
    prepared = prepare(make_request(given), make_store(home), report_unreadable=print_unreadable)
    plan = MatrixPlan(prepared.plan.cells, prepared)
    print(json.dumps(plan.to_dicts(), indent=1) if as_json else plan)
