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


def write_run(path: Path, record: bytes) -> None:
    """Write what makes a record known to the page that loads it.

    Renamed when it is whole, since scripts that are there are left as they are; not flushed: the
    records stay, and a site can be drawn again.
    """
    part = path.with_name(f".{os.getpid()}.part")  # others may draw the same site
    part.write_bytes(b"lengthwiseRun(" + record + b");\n")
    os.replace(part, path)


def copy(pairs: Iterable[tuple[str, str]]) -> None:
    """Write the script of each record file, but of those that are gone."""
    for record, script in pairs:
        with suppress(FileNotFoundError):
            write_run(Path(script), Path(record).read_bytes())


if __name__ == "__main__":
    try:
        copy(map(json.loads, sys.stdin))
    except OSError as error:
        sys.exit(str(error))
