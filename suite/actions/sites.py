"""Write what people read: the dashboard, the leaderboard, and a public folder with both."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from suite.actions.caller import read_registry
from suite.actions.request import PathLike, make_store
from suite.analysis.comparisons import Comparison, compare
from suite.api.errors import RequestError
from suite.api.files import RESULTS, atomic_write_bytes
from suite.matrix.registry import Registry
from suite.publish.checks import check_finals, check_tree
from suite.publish.inserted_figures import (
    FigureError,
    fill_page,
    has_figures,
    selectable,
)
from suite.publish.public_folder import replaced_contents
from suite.records.published import (
    PUBLISHED,
    StoredRecord,
    local_records,
    read_published,
    without_trials,
)
from suite.records.store import collector_paused
from suite.records.tuned_rates import Tuned, read_choices
from suite.report.leaderboard import FOLDER, leaderboard_files
from suite.search.tuning_evidence import check_tuning_files
from suite.tracking.connection import read_pages

if TYPE_CHECKING:
    import pandas

    from dashboards.pages import Host

LINKS_WITH_DOCS = [
    ("Findings", "docs/results/README.html"),
    ("Leaderboard as text", "docs/results/LEADERBOARD.html"),
    ("Documentation", "docs/index.html"),
]
"""The title and the address of each link at the foot of the pages, beside the documentation."""
NO_JEKYLL = ".nojekyll"
"""With this file, GitHub Pages serves files that begin with _."""


def write_dashboard(
    folder: Path | None = None, *, published: bool = False, home: PathLike | None = None
) -> Path | None:
    """Write the site of a home or of the published records, and return its first page.

    Without published records there is no site and no page.

    Raises:
        RequestError: the home has no records.
    """
    store, registry, choices = make_store(home), read_registry(), read_choices()
    if published:
        records = without_trials(read_published())
        folder = folder or store.home / "published_site"
        return draw_site(records, registry, folder, choices=choices) if records else None
    with collector_paused():  # until the records are let go of
        records = local_records(store)
        if not records:
            raise RequestError(
                "The home has no records yet", received=store.home, remedy="Run `bench run` first"
            )
        pages = read_pages(store)
        return draw_site(
            records,
            registry,
            folder or store.dashboard.parent,
            {run_id: f"{pages.at}/{page}" for run_id, page in pages.runs.items()},
            choices,
            is_home=True,
        )


def draw_site(
    records: list[StoredRecord],
    registry: Registry,
    folder: Path,
    mlflow_pages: Mapping[str, str] | None = None,
    choices: Sequence[Tuned] = (),
    host: Host | None = None,
    *,
    is_home: bool = False,
) -> Path:
    """Write a site and return its first page; that of a user's home has own data first.

    `mlflow_pages` holds the address of each run in MLflow by run id.
    """
    from dashboards.site import Known, write_site

    with collector_paused():
        known = Known(
            registry.tasks.plugins,
            registry.architectures.plugins,
            registry.benchmarks.plugins.values(),
            choices,
            is_home,
        )
        return write_site(records, known, folder, mlflow_pages, host)


def write_public_folder(
    folder: Path, *, results: Path = RESULTS, docs: Path | None = None, address: str = ""
) -> tuple[Path, int]:
    """Write the leaderboard's files, all committed records, and the site if there are records.

    Return the first page and the number of records. The call replaces the files of an earlier call.
    `docs` is the built documentation. `address` is the folder's address on its host.

    Raises:
        RequestError: the folder lies in one that is copied into it, or has files of others.
    """
    from dashboards.pages import Host

    for source in filter(None, (docs, results / PUBLISHED)):
        if folder.resolve().is_relative_to(source.resolve()):
            raise RequestError(
                "--to names a folder outside of those that are copied into it",
                received=f"{folder}, in {source}",
                remedy="Choose another folder",
            )
    registry = read_registry()
    records = read_published(results)
    choices = read_choices(results / "tuning")
    links = [("Leaderboard as text", "LEADERBOARD.md")] if docs is None else LINKS_WITH_DOCS
    with replaced_contents(folder) as new:
        if docs is not None:
            shutil.copytree(docs, new / "docs")
        if shown := without_trials(records):
            draw_site(shown, registry, new, choices=choices, host=Host(address, links))
        comparisons = compare(records, registry.task_versions)
        for name, content in leaderboard_files(records, comparisons, registry, choices).items():
            (new / name).parent.mkdir(exist_ok=True)
            (new / name).write_text(content, encoding="utf-8")
        for linked in ("CHANGES.md", "lessons-*.md"):
            for page in results.glob(linked):
                shutil.copy(page, new)
        if (results / PUBLISHED).is_dir():
            shutil.copytree(results / PUBLISHED, new / "records" / PUBLISHED)
        (new / NO_JEKYLL).touch()
    return folder / ("index.html" if records else "LEADERBOARD.md"), len(records)


def write_leaderboard(results: Path = RESULTS, *, check: bool = False) -> list[str]:
    """Write the leaderboard and the pages with figures, and return the paths of all files.

    `check` writes nothing.

    Raises:
        RequestError: a published record is misplaced or contradicts its benchmark; with `check`
            also if a file is not up to date.
    """
    if check:
        check_tree(results)
    registry = read_registry()
    with collector_paused():
        records = read_published(results)
        check_finals(records, registry)
        choices = read_choices(results / "tuning")
        check_tuning_files(choices, registry.tasks.plugins)
        comparisons = compare(records, registry.task_versions)
        contents = leaderboard_files(records, comparisons, registry, choices)
        contents |= _pages_with_figures(results, comparisons)
    former = {f"{FOLDER}/{path.name}" for path in (results / FOLDER).glob("*")}
    for name, content in contents.items():
        path = results / name
        if not check:
            path.parent.mkdir(exist_ok=True)
            atomic_write_bytes(path, content.encode())
        elif not path.exists() or path.read_bytes() != content.encode():
            raise _stale(name)
    for name in sorted(former - contents.keys()):
        if check:
            raise _stale(name)
        (results / name).unlink()
    return [_path(name) for name in contents]


def _pages_with_figures(results: Path, comparisons: Sequence[Comparison]) -> dict[str, str]:
    frame = selectable(comparisons)
    guides = sorted((results.parent / "docs").glob("*.md"))
    texts = {
        os.path.relpath(path, results): path.read_text(encoding="utf-8")
        for path in (*sorted(results.glob("*.md")), *guides)
    }
    return {name: _filled(name, text, frame) for name, text in texts.items() if has_figures(text)}


def _filled(name: str, text: str, frame: pandas.DataFrame) -> str:
    try:
        return fill_page(text, frame)
    except FigureError as error:
        raise FigureError(f"{_path(name)}: {error}") from None


def _path(name: str) -> str:
    return os.path.normpath(f"results/{name}")


def _stale(name: str) -> RequestError:
    return RequestError(
        "The leaderboard must match the published records",
        received=f"{_path(name)}, which is stale or was edited",
        remedy="Run `make leaderboard`",
    )
