"""Atomic writes of files, and digests of their content. Standard library only."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

CHECKOUT = Path(__file__).resolve().parent.parent.parent
"""The folder that holds this project's packages: a checkout, or the site-packages of a wheel."""
IN_CHECKOUT = (CHECKOUT / "constraints.txt").is_file()
"""Whether the packages lie in a checkout. Neither a wheel nor a pack has its other files."""
RESULTS = (CHECKOUT if IN_CHECKOUT else Path.cwd()) / "results"
"""The folder of all results: in the checkout; for installed packages, in the current folder."""
PUBLIC = 0o666
"""The mode of a new file before the process's umask is applied."""
PRIVATE = 0o600
"""The mode of a file that only its owner may read or write."""


@contextmanager
def atomic_write(path: Path, mode: int | None = None) -> Iterator[IO[bytes]]:
    """Yield a temporary file beside `path` that replaces `path` when the block ends.

    A reader of `path` sees either the former content or all of the new content. If the block
    raises, the former content stays.

    The file gets `mode`. By default, it keeps the mode of the file that it replaces, and a new file
    gets the mode that the process's umask allows.

    Raises:
        OSError: the disk is full, or the folder is not writable.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, PUBLIC if mode is None else mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is None:
                with suppress(FileNotFoundError):
                    os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def atomic_write_bytes(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file as `atomic_write` does."""
    with atomic_write(path, mode) as file:
        file.write(content)


def digest_paths(paths: Iterable[Path]) -> str:
    """Return a digest of the names and the content of files."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(os.fsencode(f"{path.name} {path.stat().st_size}\n"))
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
