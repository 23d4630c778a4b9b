"""`bench plan`: prints the cells of a request and their state."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from suite.actions.runs import plan
from suite.cli.command import Command, json_option, request_options
from suite.cli.run_command import run_options
from suite.execution.preparation import check_any_can_run


@click.command("plan", cls=Command)
@request_options
@run_options
@json_option
def command(as_json: bool, no_tracking: bool, no_dashboard: bool, **given: Any) -> None:
    """Show the cells of a request and their state, without running them.

    The options are those of `bench run`: the plan shows what the same command would run.

    The last lines name the cells that wait for `bench tune`, and estimate two times: that of the
    cells that a run would start now, and that of the trials and the waiting cells. The estimates
    come from the newest 1,000 records in your home of this machine and number of threads. The plan
    needs no data: it names each data set that a run would download.

    \b
    Examples:
      bench plan --task ner
      bench plan --benchmark core
      bench plan --benchmark core --task ner --threads 1 --parallel 2
      bench plan --task ner --lengths 128,1024 --seeds 0-2 --json
    """
    matrix = plan(**given)
    check_any_can_run(matrix.prepared)
    if as_json:
        print(json.dumps(matrix.to_dicts(), indent=1))
        for line in matrix.prepared.data_notes:
            print(f"bench: {line}", file=sys.stderr)
    else:
        print(matrix)
