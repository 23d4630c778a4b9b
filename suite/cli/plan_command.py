"""`bench plan`: prints the cells of a request and their state."""

from __future__ import annotations

import json
import sys
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

    The data need not be here: the last lines name each data set that a run would need.

    \b
    Examples:
      bench plan --task ner
      bench plan --benchmark core
      bench plan --task ner --lengths 128,1024 --seeds 0,1,2 --json
    """
    prepared = prepare(
        make_request(given),
        make_store(home),
        accept_missing_data=True,
        report_unreadable=print_unreadable,
    )
    plan = MatrixPlan(prepared.plan.cells, prepared)
    if as_json:
        print(json.dumps(plan.to_dicts(), indent=1))
        for line in plan.missing_data:
            print(f"bench: {line}", file=sys.stderr)
    else:
        print(plan)
