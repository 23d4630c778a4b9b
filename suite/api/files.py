"""Atomic writes of files, and digests of their content. Standard library only."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
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
LOCK_FILE = "lock"
"""The file that a process holds in a folder that it writes."""
UNSAFE = re.compile(r"[^\w .+-]")
"""A character that a folder's name need not hold: "/" among others."""
NAME_LENGTH = 60
PUBLIC = 0o666
"""The mode of a new file before the process's umask is applied."""
PRIVATE = 0o600
"""The mode of a file that only its owner may read or write."""


@contextmanager
def atomic_write(path: Path, mode: int | None = None) -> Iterator[IO[bytes]]:
    """Yield a temporary file beside `path` that replaces `path` when the block ends.

    A reader sees either the former content or all of the new content; the former stays if the block
    raises. The file gets `mode`, by default that of the file that it replaces, or else the mode
    that the process's umask allows.

    Raises:
        OSError: the disk is full, or the folder is not writable.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, PUBLIC if mode is None else mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _lock(descriptor)
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


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a new file at `path` that says that its folder is in use; delete it at the end."""
    with open(path, "wb") as file:
        _lock(file.fileno())
        yield
    path.unlink()


def is_held(path: Path) -> bool:
    """Whether a process writes the file at `path` by `atomic_write`, or holds it by `held`."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock a file until it is closed; return False if another process has locked it."""
    with suppress(OSError):  # a file system may have no locks
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def flush_to_disk(path: Path) -> None:
    """Wait until the disk has a file, or the entries of a folder."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def folder_name(text: str) -> str:
    """Return the name of a folder for a text, which is the text itself if that names a folder."""
    name = UNSAFE.sub("_", text)[:NAME_LENGTH]
    if name == text and text.strip("."):
        return text
    return f"{name.lstrip('.')}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:8]}"


def digest_paths(paths: Iterable[Path]) -> str:
    """Return a digest of the names and the content of files."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(os.fsencode(f"{path.name} {path.stat().st_size}\n"))
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
