"""`bench dashboard`: records → one page."""

from __future__ import annotations

from pathlib import Path

import click

from suite.cli.options import home_option, make_store
from suite.cli.planning import tell_set_aside
from suite.cli.report_command import primary_metrics
from suite.errors import RequestError
from suite.registry import load_registry, search_path_from_environment
from suite.store import Store


@click.command("dashboard")
@home_option
def command(home: str | None) -> None:
    """Draw the dashboard: one page that works from disk, without a network."""
    store = make_store(home)
    print(draw(store, primary_metrics(load_registry(search_path_from_environment()))))


def draw(store: Store, metrics: dict[str, str]) -> Path:
    """Write the page and return its path.

    Raises:
        RequestError: there are no records.
    """
    from dashboards.pages import write_dashboard

    records = list(store.current(set_aside=tell_set_aside).values())
    if not records:
        raise RequestError(
            "There are no records to draw yet", received=store.home, remedy="Run `bench run` first"
        )
    write_dashboard(records, metrics, store.dashboard)
    return store.dashboard
