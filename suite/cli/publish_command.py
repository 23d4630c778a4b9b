"""`bench publish`: copy local records to results/published."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import click

from suite.actions.publishing import publish_records
from suite.actions.sites import write_public_folder
from suite.api.errors import RequestError
from suite.cli.command import Command, home_option, results_option
from suite.records.naming import cell_label
from suite.records.published import PUBLISHED

ADDRESS = re.compile(r"https?://[^\s\"'<>?#]+")


@click.command("publish", cls=Command)
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
    "static host. What an earlier call wrote there is replaced; other files stay.",
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
@results_option
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
    _check_public(folder, docs, url, machine, dry_run=dry_run)
    if folder is not None:
        address = (url or "").rstrip("/")
        first, count = write_public_folder(folder, results=results, docs=docs, address=address)
        print(f"The site with {count:,} records is ready for any static host: {first}")
        return
    outcome = publish_records(machine=machine, results=results, dry_run=dry_run, home=home)
    verb = "would be published" if dry_run else "published"
    folders = Counter(path.relative_to(results / PUBLISHED).parts[0] for path in outcome.written)
    for name, count in sorted(folders.items()):
        print(f"{count} records {verb} in results/published/{name}")
    if not outcome.written:
        print("No new record to publish")
    print(f"{outcome.already_published} records already published, {len(outcome.refused)} refused")
    for record, reason in outcome.refused:
        print(f"  {cell_label(record.cell, record.ranking)}: {reason}")


def _check_public(
    folder: Path | None, docs: Path | None, url: str | None, machine: str | None, *, dry_run: bool
) -> None:
    if url is not None and (folder is None or not ADDRESS.fullmatch(url)):
        raise RequestError(
            "--url is the address that the folder of --to will be served at",
            received=url,
            remedy="Use it as in --to public --url https://example.org/lengthwise",
        )
    if docs is not None and folder is None:
        raise RequestError("--docs is copied to the folder of --to", remedy="Add --to FOLDER")
    if folder is not None and (machine is not None or dry_run):
        raise RequestError(
            "--to writes the published records, so that --machine and --dry-run do not apply",
            remedy="Leave them out",
        )
    if docs is None or folder is None:
        return
    if not (docs / "index.html").is_file():
        raise RequestError(
            "--docs is the folder of the documentation",
            received=f"{docs}, which has no index.html",
            remedy="Run `make docs`, which writes results/local/docs",
        )
    if folder.resolve() in (docs.resolve(), *docs.resolve().parents):
        raise RequestError(
            "--docs is copied into the folder of --to, whose contents are replaced",
            received=docs,
            remedy="Choose another folder",
        )
