"""Packs: cells that run on a machine without network or TensorFlow, and their records."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from suite.actions.caller import name_call, report_unreadable
from suite.actions.request import PathLike, RequestKeywords, make_store, not_empty, read_request
from suite.execution.conformance_checks import check_ranked
from suite.execution.preparation import prepare
from suite.progress import Display
from suite.publish.bundle import PackSummary, pack, unpack
from suite.records.schema import Record

if TYPE_CHECKING:
    from typing_extensions import Unpack


def export(
    folder: Path, *, python_version: str | None = None, **request: Unpack[RequestKeywords]
) -> PackSummary:
    """Write the cells that are left to run to a new folder, with the code and the encoded data.

    Architectures of ranked cells are checked first. If `python_version` is given, the pack holds
    Keras and its dependencies for it.

    Raises:
        LengthwiseError: the request or its data is invalid, or the cells cannot run elsewhere.
    """
    matrix, store = read_request(request)
    prepared = prepare(matrix, store, runs_elsewhere=True, report_unreadable=report_unreadable)
    with Display(0, sys.stderr) as display:
        for event in check_ranked(prepared.plan.to_run, store, prepared.search_path):
            display(event)
    return pack(prepared, folder, name_call("export", request), python_version)


def import_records(
    packs: Sequence[Path], *, home: PathLike | None = None
) -> Iterator[tuple[list[Record], int | None]]:
    """Write the records of packs to a home; yield those of each, and how many cells have not run.

    A pack is its folder, an archive of its results, or the folder of such archives. An archive
    holds the finished cells alone: the number of the others is unknown, None.

    Raises:
        LengthwiseError: no pack is given, or a folder or an archive is not a pack.
    """
    store = make_store(home)
    store.prepare()
    for path in not_empty("packs", tuple(packs)):
        for part in sorted(path.glob("results-*.tar.gz")) or [path]:
            records, missing = unpack(part, store)
            yield records, missing if part.is_dir() else None
