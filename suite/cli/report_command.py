"""`bench report`: prints tables of scores and costs."""

from __future__ import annotations

import json
import sys

import click

from suite.analysis.tables import make_tables, record_filter
from suite.api import Mode, RequestError
from suite.cli.options import home_option, json_option, make_store, split_list
from suite.cli.registry import read_registry
from suite.cli.unreadable import print_unreadable
from suite.records.collector import collector_paused
from suite.records.published import local_records, read_published, without_trials


@click.command("report")
@click.option("--task", "tasks", metavar="NAME,…", help="Tasks to show. [default: all]")
@click.option(
    "--mode", type=click.Choice([str(mode) for mode in Mode]), help="Mode to show. [default: all]"
)
@click.option("--published", is_flag=True, help="Show the published records, not your own.")
@click.option("--trials", is_flag=True, help="With --published: show the published trials too.")
@click.option("--samples", is_flag=True, help="Show the samples of language models too.")
@json_option
@home_option
def command(
    tasks: str | None,
    mode: str | None,
    published: bool,
    trials: bool,
    samples: bool,
    as_json: bool,
    home: str | None,
) -> None:
    """Print tables of scores and costs, with a row for each entry and length.

    Final runs of a ranked benchmark come first, then other final runs, costs and trials.

    A score is the mean over seeds, with the lowest and the highest; the dashboard and the
    leaderboard have 95% intervals. Memory and speed are geometric means over the runs that no other
    process disturbed. For probes, tables follow with the exponents of the costs in the length next
    to the claimed costs, and with ratios between backends and precisions. Exponents of memory need
    a fixed batch size. With --samples, texts follow with which each trained language model
    continues prompts of the validation split.
    """
    registry, store = read_registry(), make_store(home)
    names = None if tasks is None else split_list(tasks)
    with collector_paused():
        found = read_published() if published else local_records(store, print_unreadable)
        is_chosen = record_filter(names, mode, registry.tasks.plugins)
        records = [stored for stored in found if is_chosen(stored.record)]
        if published and not trials:
            results = without_trials(records)
            if left_out := len(records) - len(results):
                print(f"{left_out} trials are left out; --trials shows them.", file=sys.stderr)
            records = results
        tables = make_tables(
            records, registry.task_versions, registry.architectures.plugins, samples=samples
        )
    if as_json:
        print(json.dumps([table.to_dict() for table in tables], indent=1))
        return
    shown = sum(sum(row.statuses.values()) for table in tables for row in table.rows)
    if shown < len(records):
        print(
            f"{len(records) - shown} superseded records are left out.",
            file=sys.stderr,
        )
    if not tables:
        raise RequestError(
            "There are no such records",
            received="results/published" if published else store.home,
            remedy="Run `bench run` first, or read the --published ones",
        )
    from suite.cli.tables import print_tables

    print_tables(tables)
