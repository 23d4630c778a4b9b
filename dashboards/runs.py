"""Records → the scripts that the run pages load, some records in each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from zlib import crc32

from dashboards.copying import __file__ as copying_program
from suite.records.published import StoredRecord

RUNS_A_BUNDLE = 16
"""About as many records share a file: one each would take longest of all to write."""


def bundle_runs(entries: Sequence[StoredRecord]) -> dict[str, list[StoredRecord]]:
    """Cut the runs, in order of their ids, into bundles, each named by what is in it.

    A run's id says whether it ends its bundle, so that one run more or less changes one bundle.
    """
    cut: list[list[StoredRecord]] = [[]]
    by_id = {entry.record.run_id: entry for entry in entries}
    for run_id, entry in sorted(by_id.items()):
        cut[-1].append(entry)
        if crc32(run_id.encode()) % RUNS_A_BUNDLE == 0:
            cut.append([])
    bundles = {}
    for of_bundle in filter(None, cut):
        run_ids = "\n".join(entry.record.run_id for entry in of_bundle)
        bundles[sha256(run_ids.encode()).hexdigest()[:16]] = of_bundle
    return bundles


@contextmanager
def runs_written(bundles: Mapping[str, Sequence[StoredRecord]], folder: Path) -> Iterator[None]:
    """Write the records into `folder` while the body runs; in the end all are there.

    But for those whose files have been removed meanwhile: their pages say so.
    """
    folder.mkdir(exist_ok=True)
    wanted = {f"{name}.js": of_bundle for name, of_bundle in bundles.items()}
    there = {path.name for path in folder.iterdir()}
    for name in there - set(wanted):
        (folder / name).unlink(missing_ok=True)
    missing = [name for name in wanted if name not in there]
    with TemporaryFile("w+") as asked:
        for name in missing:
            paths = [str(entry.path) for entry in wanted[name]]
            print(json.dumps([str(folder / name), paths]), file=asked)
        asked.seek(0)
        copying = subprocess.Popen([sys.executable, "-I", "-S", copying_program], stdin=asked)
    try:
        yield
    finally:
        failed = copying.wait()
    if failed:
        raise OSError(f"The records could not be copied to {folder}")
