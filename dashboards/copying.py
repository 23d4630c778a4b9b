"""Record files → the scripts that the run pages load. Standard library only.

Run as a program, beside the process that draws: in one process the two would wait for each other
at every file, and 100,000 of them take as long as all the rest of a site.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def write_bundle(path: Path, records: Iterable[bytes]) -> None:
    """Write what makes a bundle of records known to the page that loads it.

    Renamed when it is whole, since scripts that are there are left as they are; not flushed: the
    records stay, and a site can be drawn again.
    """
    part = path.with_name(f".{os.getpid()}.part")  # others may draw the same site
    part.write_bytes(b"lengthwiseRuns([\n" + b",\n".join(records) + b"\n]);\n")
    os.replace(part, path)


def copy(bundles: Iterable[tuple[str, list[str]]]) -> None:
    """Write the script of each bundle of record files, without those that are gone meanwhile."""
    for script, records in bundles:
        there = []
        for record in records:
            with suppress(FileNotFoundError):
                there.append(Path(record).read_bytes())
        write_bundle(Path(script), there)


if __name__ == "__main__":
    try:
        copy(map(json.loads, sys.stdin))
    except OSError as error:
        sys.exit(str(error))
