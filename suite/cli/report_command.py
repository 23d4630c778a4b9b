"""`bench report`: tables from the records."""

from __future__ import annotations

import json
import sys

import click

from suite.analysis.tables import make_tables
from suite.api.errors import RequestError, unknown_name
from suite.api.plugins import search_path_from_environment
from suite.cli.options import home_option, json_option, make_store, split_list
from suite.cli.planning import print_unreadable
from suite.matrix.registry import load_registry
from suite.records.published import local_record


@click.command("report")
@click.option("--task", "tasks", metavar="NAME,…", help="Only these tasks.")
@click.option("--mode", type=click.Choice(["train", "probe"]), help="Only this mode.")
@json_option
@home_option
def command(tasks: str | None, mode: str | None, as_json: bool, home: str | None) -> None:
    """Print tables: architecture × length, with quality, memory, speed and status.

    Quality is the mean over seeds, the lowest "to" the highest behind it (95% intervals are on the
    dashboard and the leaderboard); memory and speed are medians over repeats, without those during
    which others used the machine, unless it was so in all. A probe also prints
    the exponents of its costs in length, with their intervals, beside what the architectures claim
    (of memory at a fixed batch alone), and where the same cells ran on several backends or in
    several precisions, how they compare.
    """
    registry = load_registry(search_path_from_environment())
    wanted = split_list(tasks) if tasks else None
    for name in wanted or ():
        if name not in registry.tasks.plugins:
            raise unknown_name("task", name, registry.tasks.plugins)
    store = make_store(home)
    records = [
        local_record(record, store.path_of(record))
        for record in store.summaries(print_unreadable)
        if (wanted is None or record.cell.task in wanted)
        and (mode is None or record.cell.mode == mode)
    ]
    tables = make_tables(records, registry.task_versions, registry.architectures.plugins)
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
            "There are no such records yet", received=store.home, remedy="Run `bench run` first"
        )
    from suite.cli.tables import print_tables

    print_tables(tables)
