"""Records → the scripts that the run pages load, several records in each."""

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
from suite.records.migrations import SCHEMA_VERSION
from suite.records.migrations import __file__ as migrations
from suite.records.published import StoredRecord

RUNS_A_BUNDLE = 16
"""The mean number of records in a script. Writing one script per record is far slower."""


def bundle_runs(entries: Sequence[StoredRecord]) -> dict[str, list[StoredRecord]]:
    """Return the runs in bundles, in order of their ids, each bundle under its name.

    The hash of a run's id decides whether a bundle ends there, so that one run more or less changes
    one bundle only. The name of a bundle is a hash of the schema version, of the script's format
    and of the ids in it.
    """
    bundles: list[list[StoredRecord]] = [[]]
    by_id = {entry.record.run_id: entry for entry in entries}
    for run_id, entry in sorted(by_id.items()):
        bundles[-1].append(entry)
        if crc32(run_id.encode()) % RUNS_A_BUNDLE == 0:
            bundles.append([])
    named = {}
    for bundle in filter(None, bundles):
        run_ids = [entry.record.run_id for entry in bundle]
        content = "\n".join([f"schema {SCHEMA_VERSION}, compressed", *run_ids])
        named[sha256(content.encode()).hexdigest()[:16]] = bundle
    return named


@contextmanager
def runs_written(bundles: Mapping[str, Sequence[StoredRecord]], folder: Path) -> Iterator[None]:
    """Write the records into `folder` while the body runs. All are written when the block ends.

    A record whose file has been removed meanwhile is left out, and its page says so.

    Raises:
        OSError: the records could not be copied.
    """
    folder.mkdir(exist_ok=True)
    wanted = {f"{name}.js": bundle for name, bundle in bundles.items()}
    existing = {path.name for path in folder.iterdir()}
    for name in existing - set(wanted):
        (folder / name).unlink(missing_ok=True)
    missing = [name for name in wanted if name not in existing]
    with TemporaryFile("w+") as request:
        for name in missing:
            paths = [entry.address for entry in wanted[name]]
            print(json.dumps([str(folder / name), paths]), file=request)
        request.seek(0)
        command = [sys.executable, "-I", "-S", str(copying_program), str(migrations)]
        copying = subprocess.Popen(command, stdin=request)
    try:
        yield
    finally:
        failed = copying.wait()
    if failed:
        raise OSError(f"The records could not be copied. Received: the folder {folder}")
