"""`bench dashboard`: writes a site from the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from suite.api.errors import RequestError
from suite.cli.options import home_option, make_store
from suite.cli.registry import read_registry
from suite.cli.unreadable import print_unreadable
from suite.matrix.registry import Registry
from suite.records.collector import collector_paused
from suite.records.published import StoredRecord, local_records, read_published, without_trials
from suite.records.store import Store
from suite.records.tuned_rates import Tuned, read_choices
from suite.tracking.pages import read_pages

if TYPE_CHECKING:
    from dashboards.pages import Host


@click.command("dashboard")
@click.option("--published", is_flag=True, help="Use the published records instead of your own.")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the site. [default: in the home]",
)
@home_option
def command(published: bool, folder: Path | None, home: str | None) -> None:
    """Write the dashboard: a few pages that work from disk, without a network.

    With --published, trials of learning rates are left out as soon as there are final runs.
    """
    store = make_store(home)
    registry = read_registry()
    if published:
        entries = without_trials(read_published())
        if entries:
            site = folder or store.home / "published_site"
            print(draw_site(entries, registry, site, choices=read_choices()))
        else:
            print("No results are published yet: no site is written")
    else:
        print(draw(store, registry, folder))


def draw(store: Store, registry: Registry, folder: Path | None = None) -> Path:
    """Write the site of a home and return its first page."""
    with collector_paused():  # until the records are let go of
        return draw_site(
            _entries(store),
            registry,
            folder or store.dashboard.parent,
            _run_pages(store),
            read_choices(),
        )


def _entries(store: Store) -> list[StoredRecord]:
    return local_records(store, print_unreadable)


def _run_pages(store: Store) -> dict[str, str]:
    pages = read_pages(store)
    return {run_id: f"{pages.at}/{page}" for run_id, page in pages.runs.items()}


def draw_site(
    entries: list[StoredRecord],
    registry: Registry,
    folder: Path,
    mlflow_pages: Mapping[str, str] | None = None,
    choices: Sequence[Tuned] = (),
    host: Host | None = None,
) -> Path:
    """Write a site and return its first page.

    `mlflow_pages` holds the address of each run in MLflow by run id. `choices` are the tuned
    learning rates. `host` has the facts about the host that the pages state.

    Raises:
        RequestError: there are no records.
    """
    from dashboards.site import Known, write_site

    if not entries:
        raise RequestError(
            "There are no records yet", received=folder, remedy="Run `bench run` first"
        )
    with collector_paused():
        known = Known(
            registry.tasks.plugins,
            registry.architectures.plugins,
            registry.benchmarks.plugins.values(),
            choices,
        )
        return write_site(entries, known, folder, mlflow_pages, host)
