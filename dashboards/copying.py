"""Record files → the scripts that the run pages load. Standard library only.

This module runs as a program in a process of its own, beside the process that draws the site.
In one process, reading and drawing would block each other at every file, and copying 100,000
records would take as long as all other work for the site.

Its argument is the path of `suite/records/migrations.py`, which is a parameter because this program
starts without the packages of the project, to start fast.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import runpy
import sys
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA_VERSION = re.compile(rb'\s*\{\s*"schema_version"\s*:\s*(\d+)\s*[,}]')
"""The first field of a record file. A record without this field there is parsed."""
NO_NUMBER = re.compile(rb"NaN|Infinity")
"""What Python writes for numbers that a browser refuses, and with them the whole script."""
INDENTATION = re.compile(rb"\n *")
"""The line breaks of a record file. The texts in JSON have none."""


def write_bundle(path: Path, records: Iterable[bytes]) -> None:
    """Write the script that gives a bundle of records to the page that loads the script.

    The records are compressed together, because they have the same fields: to a sixth of their
    size, or to a fourth where most of them are samples.

    The script is renamed when it is complete, because existing scripts are never written again. It
    is not flushed to disk: the records remain, so the site can be drawn again.
    """
    part = path.with_name(f".{os.getpid()}.part")  # another process may draw the same site
    dense = b",".join(INDENTATION.sub(b"", record) for record in records)
    packed = b64encode(zlib.compress(b"[" + dense + b"]"))
    part.write_bytes(b'lengthwiseRuns("' + packed + b'");\n')
    os.replace(part, path)


def migrated(
    content: bytes, current: int, migrate: Callable[[dict[str, Any]], dict[str, Any]]
) -> bytes:
    """Return the content of a record file in the current schema.

    A record of the current schema is returned as it is, without parsing. A number that JSON of a
    browser has not becomes null.
    """
    first = SCHEMA_VERSION.match(content)
    if first and int(first[1]) == current and not NO_NUMBER.search(content):
        return content
    known = json.loads(content, parse_constant=lambda name: None)
    return json.dumps(migrate(known), separators=(",", ":")).encode()


@cache
def _archive(path: str) -> dict[str, bytes]:
    """Return the records of an archive by run id."""
    with gzip.open(path) as file:
        return {json.loads(line)["run_id"]: line for line in file.read().splitlines()}


def read(address: str) -> bytes:
    """Return the record at an address: a file, or `FILE.jsonl.gz#RUN_ID`.

    Raises:
        FileNotFoundError: there is no such record.
    """
    path, mark, run_id = address.rpartition(".jsonl.gz#")
    if not mark:
        return Path(address).read_bytes()
    try:
        return _archive(f"{path}.jsonl.gz")[run_id]
    except KeyError:
        raise FileNotFoundError(address) from None


def copy(bundles: Iterable[tuple[str, list[str]]], migrations: str) -> None:
    """Write the script of each bundle of records. Records that have been removed are left out.

    Args:
        bundles: the path of each script, with the addresses of its records.
        migrations: the path of the module with `SCHEMA_VERSION` and `migrate`.
    """
    module = runpy.run_path(migrations)
    current, migrate = module["SCHEMA_VERSION"], module["migrate"]
    for script, addresses in bundles:
        records = []
        for address in addresses:
            with suppress(FileNotFoundError):
                records.append(migrated(read(address), current, migrate))
        write_bundle(Path(script), records)


if __name__ == "__main__":
    try:
        copy(map(json.loads, sys.stdin), sys.argv[1])
    except OSError as error:
        sys.exit(str(error))
