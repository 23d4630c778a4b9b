"""The folder for a static host: what `bench publish --to` wrote there before is replaced."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from suite.api.errors import RequestError
from suite.api.files import atomic_write_bytes

LIST = ".lengthwise-site"
"""The file with the names of the files and folders that the command wrote to the folder."""
NO_NAME = re.compile(rf"\.{{0,2}}|.*[/\0].*|{re.escape(LIST)}", re.DOTALL)
"""Lines of the list that name nothing that the command wrote."""
MODE = 0o755


@contextmanager
def replaced_contents(folder: Path) -> Iterator[Path]:
    """Yield an empty folder whose contents take the place of those written to `folder` before.

    The former contents stay until the block has ended well and the new ones are in place. Files of
    others are never touched.

    Raises:
        RequestError: `folder` is a file, or has files of others and nothing that this wrote.
    """
    former = _written_before(folder)
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # Renaming needs one file system: `folder` may be a mounted volume.
        with tempfile.TemporaryDirectory(prefix=".lengthwise-", dir=folder) as made:
            new = Path(made, "site")
            new.mkdir(MODE)
            yield new
            names = {path.name for path in new.iterdir()}
            if foreign := [name for name in names - former if os.path.lexists(folder / name)]:
                raise _of_others(folder, min(foreign))
            _write_list(folder, former | names)  # a killed call owns both
            _exchange(folder, new, Path(made, "former"), former | names)
            _write_list(folder, names)
    except BaseException:
        if is_new:
            with suppress(OSError):  # another process may write there
                folder.rmdir()
        raise


def _written_before(folder: Path) -> set[str]:
    if not folder.exists():
        return set()
    if not folder.is_dir():
        raise RequestError(
            "--to names a folder", received=f"{folder}, a file", remedy="Choose another name"
        )
    if (folder / LIST).is_file():
        lines = (folder / LIST).read_text(encoding="utf-8", errors="replace").splitlines()
        return {name for name in lines if not NO_NAME.fullmatch(name)}
    if there := [path.name for path in folder.iterdir() if not path.name.startswith(".")]:
        raise _of_others(folder, min(there))
    return set()


def _of_others(folder: Path, name: str) -> RequestError:
    return RequestError(
        "--to takes a new or empty folder, or one that this command wrote",
        received=f"{folder}, where this command did not write {name}",
        remedy="Choose another folder",
    )


def _write_list(folder: Path, names: Collection[str]) -> None:
    content = "".join(f"{name}\n" for name in sorted(names))
    atomic_write_bytes(folder / LIST, content.encode())


def _exchange(folder: Path, new: Path, former: Path, names: Collection[str]) -> None:
    """Move what `folder` has of some names to `former`, and what `new` has to `folder`, or none."""
    former.mkdir()
    moved: list[tuple[Path, Path]] = []
    try:
        for name in sorted(names):
            for source, target in ((folder, former), (new, folder)):
                if os.path.lexists(source / name):
                    (source / name).rename(target / name)
                    moved.append((source / name, target / name))
    except BaseException:
        for source, target in reversed(moved):
            target.rename(source)
        raise
