"""Publish records, check published ones or run them again, and pack cells for other machines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from suite.actions.caller import name_call, read_registry
from suite.actions.request import (
    DATA_DIR_VARIABLE,
    PathLike,
    RequestKeywords,
    as_text,
    make_existing_store,
    make_store,
    not_empty,
    read_request,
)
from suite.actions.runs import open_tracked_session
from suite.api.files import RESULTS
from suite.execution.conformance_checks import check_ranked
from suite.execution.preparation import prepare
from suite.progress import Display
from suite.publish import checks, publishing
from suite.publish.bundle import PackSummary, pack, unpack
from suite.publish.publishing import PublishResult
from suite.publish.verify import TIME_LIMIT_SECONDS, Verification, read_original
from suite.publish.verify import verify as run_again
from suite.records.published import PUBLISHED
from suite.records.schema import Record

if TYPE_CHECKING:
    from typing_extensions import Unpack


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
    )


def check_submission(
    paths: Sequence[Path], *, results: PathLike = RESULTS
) -> list[tuple[str, str | None]]:
    """Return each record in published files or folders, and why it would be refused, or None.

    Raises:
        LengthwiseError: the paths hold no published file, or a file is not a record.
    """
    return checks.check_files(paths, read_registry(), Path(results))


def verify(
    path: PathLike,
    *,
    data: str | None = None,
    tfds_data_dir: PathLike | None = None,
    time_limit: float | None = None,
    home: PathLike | None = None,
    results: PathLike = RESULTS,
    progress: bool = True,
    tracking: bool = True,
) -> Verification:
    """Run the cell of a record again on this machine, and return both runs.

    `path` is a file, `FILE.jsonl.gz#RUN_ID`, or the id of a run in the home or in `results`. `data`
    names the source if the record was of a user's own files. The score is `reproduced` if both
    scores lie within 2% of each other.

    ```python
    verification = suite.verify("results/published/MACHINE/methods-1/ner/RUN.json", tracking=False)
    print(verification.verdict())
    ```

    Raises:
        LengthwiseError: the file is not a record, or this version cannot run the cell.
    """
    store = make_store(home)
    record = read_original(os.fspath(path), store, Path(results))
    registry = read_registry()
    store.prepare()
    keywords = {"data": data, "time_limit": time_limit}
    file = sys.stdout if progress else None
    with open_tracked_session(
        store, "verify", keywords, file=file, planned_cells=1, tracking=tracking
    ) as tracked:
        return run_again(
            record,
            store,
            tracked.run,
            registry=registry,
            source=data,
            data_dir=as_text(tfds_data_dir or os.environ.get(DATA_DIR_VARIABLE)),
            time_limit_seconds=time_limit or TIME_LIMIT_SECONDS,
        )


def export(
    folder: Path, *, python_version: str | None = None, **request: Unpack[RequestKeywords]
) -> PackSummary:
    """Write the cells that still have to run into a new folder, with their code and encoded data.

    Architectures of ranked cells are checked first. If `python_version` is given, the pack holds
    Keras and its dependencies for it.

    Raises:
        LengthwiseError: the request or its data is invalid, or the cells cannot run elsewhere.
    """
    matrix, store = read_request(request)
    prepared = prepare(matrix, store, runs_elsewhere=True)
    with Display(0, sys.stderr) as display:
        for event in check_ranked(prepared.plan.to_run, store, prepared.search_path):
            display(event)
    return pack(prepared, folder, name_call("export", request), python_version)


def import_records(
    packs: Sequence[Path], *, home: PathLike | None = None
) -> Iterator[tuple[list[Record], int | None]]:
    """Write the records of packs to a home; yield those of each, and the number of cells not run.

    A pack is its folder, an archive of its results, or the folder of such archives. An archive
    holds only finished cells: the number of the others is then None, for unknown.

    Raises:
        LengthwiseError: no pack is given, or a folder or an archive is not a pack.
    """
    store = make_store(home)
    store.prepare()
    for path in not_empty("packs", tuple(packs)):
        for part in sorted(path.glob("results-*.tar.gz")) or [path]:
            records, missing = unpack(part, store)
            yield records, missing if part.is_dir() else None
