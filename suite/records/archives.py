"""Archives: gzip files that hold one record per line, sorted by run id.

A record of an archive is addressed as `FILE.jsonl.gz#RUN_ID`.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Mapping
from pathlib import Path

from suite.api.files import atomic_write_bytes
from suite.records.schema import RecordError

SUFFIX = ".jsonl.gz"
MAX_ARCHIVE_BYTES = 64 * 2**20
"""The limit of an archive's uncompressed size. A malicious archive could fill the memory."""


def read_archive(path: Path) -> list[bytes]:
    """Return the records of an archive as JSON, one per line.

    Raises:
        RecordError: the file is not a gzip file, or too large when it is uncompressed.
    """
    try:
        with gzip.open(path) as file:
            content = file.read(MAX_ARCHIVE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise RecordError("An archive is a gzip file", received=f"{path.name}: {error}") from None
    if len(content) > MAX_ARCHIVE_BYTES:
        raise RecordError(
            f"An archive has at most {MAX_ARCHIVE_BYTES >> 20} MiB uncompressed", received=path.name
        )
    return content.splitlines()


def read_by_run(path: Path) -> dict[str, bytes]:
    """Return the records of an archive by run id; empty if the file does not exist.

    Raises:
        RecordError: the file is not an archive.
    """
    if not path.exists():
        return {}
    found = {}
    for line in read_archive(path):
        try:
            found[str(json.loads(line)["run_id"])] = line
        except (ValueError, KeyError, TypeError):
            raise RecordError("Each line of an archive is a record", received=path.name) from None
    return found


def write_archive(path: Path, records: Mapping[str, bytes]) -> None:
    """Write an archive of records by run id. Equal records give equal bytes."""
    content = io.BytesIO()
    # The header gets neither the name of the file nor the time.
    with gzip.GzipFile("", "wb", compresslevel=9, fileobj=content, mtime=0) as file:
        file.writelines(records[run_id] + b"\n" for run_id in sorted(records))
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(path, content.getvalue())
