"""`bench plan`: prints the cells of a request and their state."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from suite.cli.options import json_option, make_request, make_store, request_options
from suite.cli.registry import print_left_out
from suite.cli.run_command import parallel_option
from suite.cli.unreadable import print_unreadable
from suite.execution.preparation import check_any_can_run, prepare
from suite.matrix.durations import durations_here
from suite.results import MatrixPlan


@click.command("plan")
@request_options
@parallel_option
@json_option
def command(home: str | None, parallel: int | None, as_json: bool, **given: Any) -> None:
    """Show the cells of a request and their state, without running them.

    The last lines say how long the cells take that a run would start now, which cells wait for
    `bench tune`, and how long the trials and these cells take. The times follow from the records of
    your home that ran on this machine with as many threads. The data need not be here: each data
    set that a run would need is named.

    \b
    Examples:
      bench plan --task ner
      bench plan --benchmark core
      bench plan --benchmark core --task ner --threads 1 --parallel 2
      bench plan --task ner --lengths 128,1024 --seeds 0,1,2 --json
    """
    store = make_store(home)
    prepared = prepare(
        make_request(given),
        store,
        accept_missing_data=True,
        report_unreadable=print_unreadable,
    )
    print_left_out(prepared.registry)
    check_any_can_run(prepared)
    plan = MatrixPlan(prepared.plan.cells, prepared, durations_here(store), parallel or 1)
    if as_json:
        print(json.dumps(plan.to_dicts(), indent=1))
        for line in plan.prepared.data_notes:
            print(f"bench: {line}", file=sys.stderr)
    else:
        print(plan)
