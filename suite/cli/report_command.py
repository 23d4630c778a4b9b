"""`bench report`: prints tables of scores and costs."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from suite.actions.records import report
from suite.api import Mode, RequestError
from suite.cli.command import Command, filter_options, home_option, json_option


@click.command("report", cls=Command)
@filter_options
@click.option(
    "--mode", type=click.Choice([str(mode) for mode in Mode]), help="Mode to show. [default: all]"
)
@click.option("--published", is_flag=True, help="Show the published records, not your own.")
@click.option("--trials", is_flag=True, help="With --published: show the published trials too.")
@click.option("--samples", is_flag=True, help="Show the samples of language models too.")
@json_option
@home_option
def command(as_json: bool, **given: Any) -> None:
    """Print tables of scores and costs, with a row for each entry and length.

    Final runs of a ranked benchmark come first, then other final runs, costs and trials.

    A score is the mean over seeds, with the lowest and the highest; the dashboard and the
    leaderboard have 95% intervals. Memory and speed are geometric means over the runs that no other
    process disturbed. For probes, tables follow with the exponents of the costs in the length next
    to the claimed costs, and with ratios between backends and precisions. Exponents of memory need
    a fixed batch size. For tasks with exact answers, tables follow with the seeds that solve them
    and the effective length: the longest evaluation length up to which the score stays above 0.9,
    as median and range over seeds. With --samples, texts follow with which each trained language
    model continues prompts of the validation split.
    """
    result = report(**given)
    if result.num_trials:
        print(f"{result.num_trials} trials are left out; --trials shows them.", file=sys.stderr)
    if as_json:
        print(json.dumps([table.to_dict() for table in result.tables], indent=1))
        return
    if result.num_superseded:
        print(f"{result.num_superseded} superseded records are left out.", file=sys.stderr)
    if not result.tables:
        raise RequestError(
            "There are no such records",
            received=result.origin,
            remedy="Run `bench run` first, widen the filters, or read the --published records",
        )
    from suite.report.tables import print_diagnostics, print_tables

    print_tables(result.tables.items)
    print_diagnostics(result.diagnostics)
