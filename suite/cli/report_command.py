"""`bench report`: tables from the records."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from suite.analysis.tables import in_force, make_tables
from suite.api.errors import RequestError, unknown_name
from suite.api.plugins import search_path_from_environment
from suite.cli.options import home_option, json_option, make_store, split_list
from suite.cli.planning import tell_set_aside
from suite.matrix.registry import load_registry


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
        record
        for record in store.summaries(tell_set_aside)
        if (wanted is None or record.cell.task in wanted)
        and (mode is None or record.cell.mode == mode)
    ]
    parts = registry.tasks.plugins, registry.architectures.plugins
    tables = make_tables(records, *parts)
    if former := sum(not in_force(record, *parts) for record in records):
        print(
            f"{former} records ran under an older protocol or version and are left out.",
            file=sys.stderr,
        )
    if as_json:
        output = [
            {
                "title": table.title,
                "metric": table.metric,
                "rows": [row.to_dict() for row in table.rows],
                "exponents": [asdict(item) for item in table.exponents],
                "baseline": table.baseline,
                "ratios": [asdict(item) for item in table.ratios],
            }
            for table in tables
        ]
        print(json.dumps(output, indent=1))
        return
    if not tables:
        raise RequestError(
            "There are no such records yet", received=store.home, remedy="Run `bench run` first"
        )
    from suite.cli.tables import print_tables

    print_tables(tables)
