"""`bench publish`: copy local records to results/published."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import click

from suite.api.errors import RequestError
from suite.api.files import RESULTS
from suite.api.plugins import search_path_from_environment
from suite.cli.dashboard_command import draw_site
from suite.cli.options import home_option, make_store
from suite.cli.unreadable import print_unreadable
from suite.matrix.registry import load_registry
from suite.matrix.tuned_rates import read_choices
from suite.publish.leaderboard_files import leaderboard_files
from suite.publish.publishing import publish
from suite.records.naming import cell_label
from suite.records.published import Folder, read_published, without_trials

ADDRESS = re.compile(r"https?://[^\s\"'<>?#]+")

LINKS_WITH_DOCS = [
    ("Findings", "docs/results/README.html"),
    ("Leaderboard as text", "docs/results/LEADERBOARD.html"),
    ("Documentation", "docs/index.html"),
]
"""The title and the address of each link at the foot of the pages, beside the documentation."""
MARK = ".nojekyll"
"""Marks a folder as written by this command. GitHub Pages then serves files that begin with _."""


@click.command("publish")
@click.option(
    "--machine",
    metavar="NAME",
    help="The folder's name.  [default: accelerators, processor and cores of the record]",
)
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path),
    help="Instead, write the published records, the leaderboard and the site to a folder for any "
    "static host. The folder is new, empty, or one that this command wrote.",
)
@click.option(
    "--url",
    metavar="URL",
    help="With --to, the address of the folder on its host: social media then show a preview "
    "image for links to the site.",
)
@click.option(
    "--docs",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="With --to, the folder of the documentation that `make docs` built, to be copied as well.",
)
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, hidden=True)
@click.option("--dry-run", is_flag=True, help="Print what would be published, and write nothing.")
@home_option
def command(
    machine: str | None,
    folder: Path | None,
    url: str | None,
    docs: Path | None,
    results: Path,
    dry_run: bool,
    home: str | None,
) -> None:
    """Copy the records that pass the checks to results/published/MACHINE.

    A record passes if its run finished under the current protocol and from a clean commit. Host
    names, logs and tracebacks are removed, and large fields are reduced. A final run of a benchmark
    becomes a file, as does another training with evaluation lengths; other records join an archive.
    Published records are never changed or deleted.

    \b
    Examples:
      bench publish --dry-run
      bench publish --machine my-workstation
      bench publish --to public --docs results/local/docs --url https://example.org/lengthwise
    """
    if url is not None and (folder is None or not ADDRESS.fullmatch(url)):
        raise RequestError(
            "--url is the address that the folder of --to will be served at",
            received=url,
            remedy="Use it as in --to public --url https://example.org/lengthwise",
        )
    if docs is not None and folder is None:
        raise RequestError("--docs is copied to the folder of --to", remedy="Add --to FOLDER")
    if folder is not None:
        _write_public(folder, results, docs, (url or "").rstrip("/"))
        return
    store = make_store(home).require()
    published = results / Folder.PUBLISHED
    outcome = publish(
        store,
        machine,
        published,
        registry=load_registry(search_path_from_environment()),
        dry_run=dry_run,
        report_unreadable=print_unreadable,
    )
    verb = "would be published" if dry_run else "published"
    folders = Counter(path.relative_to(published).parts[0] for path in outcome.written)
    for name, count in sorted(folders.items()):
        print(f"{count} records {verb} in results/published/{name}")
    if not outcome.written:
        print("No new record to publish")
    print(f"{outcome.already_published} records already published, {len(outcome.refused)} refused")
    for record, reason in outcome.refused:
        print(f"  {cell_label(record.cell, record.ranking)}: {reason}")


def _write_public(folder: Path, results: Path, docs: Path | None, address: str) -> None:
    """Write the leaderboard's files, all committed records, and the site if there are records."""
    from dashboards.pages import Host

    registry = load_registry(search_path_from_environment())
    entries = read_published(results)
    choices = read_choices(results / "tuning")
    _clear(folder)
    links = [("Leaderboard as text", "LEADERBOARD.md")]
    if docs is not None:
        shutil.copytree(docs, folder / "docs")
        links = LINKS_WITH_DOCS
    host = Host(address, links)
    first = (
        draw_site(without_trials(entries), registry, folder, choices=choices, host=host)
        if entries
        else folder / "LEADERBOARD.md"
    )
    for name, content in leaderboard_files(entries, registry, choices).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    if (changes := results / "CHANGES.md").is_file():  # the leaderboard links to it
        shutil.copy(changes, folder)
    for part in Folder:
        if (results / part).is_dir() and part is not Folder.LOCAL:
            shutil.copytree(results / part, folder / "records" / part, dirs_exist_ok=True)
    (folder / MARK).touch()
    print(f"{len(entries)} records are ready for any static host: {first}")


def _clear(folder: Path) -> None:
    """Create the folder, or remove what an earlier call wrote to it. Hidden files and CNAME stay.

    Raises:
        RequestError: the folder has files that this command did not write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if found and not (folder / MARK).exists():
        raise RequestError(
            "--to takes a new or empty folder, or one that this command wrote",
            received=f"{folder}, which has {found[0].name}",
            remedy="Choose another folder",
        )
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != "CNAME":
            path.unlink()
