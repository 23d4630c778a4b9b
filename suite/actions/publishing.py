"""Publish records of a home, and check published ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from suite.actions.caller import read_registry, report_unreadable
from suite.actions.request import PathLike, make_existing_store
from suite.api.files import RESULTS
from suite.publish import checks, publishing
from suite.publish.publishing import PublishResult
from suite.records.published import PUBLISHED


def publish_records(
    *,
    machine: str | None = None,
    results: PathLike = RESULTS,
    dry_run: bool = False,
    home: PathLike | None = None,
) -> PublishResult:
    """Copy the records of a home that pass the checks to `results`; return what was done.

    `machine` names the folder. `dry_run` writes nothing.

    Raises:
        HomeError: the home does not exist.
    """
    return publishing.publish(
        make_existing_store(home),
        machine,
        Path(results) / PUBLISHED,
        registry=read_registry(),
        dry_run=dry_run,
        report_unreadable=report_unreadable,
    )


def check_submission(
    paths: Sequence[Path], *, results: PathLike = RESULTS
) -> list[tuple[str, str | None]]:
    """Return each record in published files or folders, and why it would be refused, or None.

    Raises:
        LengthwiseError: the paths hold no published file, or a file is not a record.
    """
    return checks.check_files(paths, read_registry(), Path(results))
