"""The folder for a static host: what `bench publish --to` wrote there before is replaced."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suite.api.errors import RequestError

LIST = ".lengthwise-site"
"""The file with the names of the files and folders that the command wrote to the folder."""
MODE = 0o755


@contextmanager
def replaced_contents(folder: Path) -> Iterator[Path]:
    """Yield an empty folder whose contents take the place of those written to `folder` before.

    The former contents stay until the block has ended well. Files of others are never touched.

    Raises:
        RequestError: `folder` is a file, or has files of others and nothing that this wrote.
    """
    former = _written_before(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".lengthwise-", dir=folder.parent) as made:
        new = Path(made, "site")
        new.mkdir(MODE)
        yield new
        names = sorted(path.name for path in new.iterdir())
        folder.mkdir(exist_ok=True)
        if foreign := [name for name in names if (folder / name).exists() and name not in former]:
            raise _of_others(folder, foreign[0])
        for name in former:
            _remove(folder / name)
        (folder / LIST).write_text("".join(f"{name}\n" for name in names))
        for name in names:
            (new / name).rename(folder / name)


def _written_before(folder: Path) -> list[str]:
    """Return the names that an earlier call wrote to a folder."""
    if not folder.exists():
        return []
    if not folder.is_dir():
        raise RequestError(
            "--to names a folder", received=f"{folder}, a file", remedy="Choose another name"
        )
    if (folder / LIST).is_file():
        lines = (folder / LIST).read_text().splitlines()
        return [name for name in lines if Path(name).name == name]
    if there := [path.name for path in folder.iterdir() if not path.name.startswith(".")]:
        raise _of_others(folder, min(there))
    return []


def _of_others(folder: Path, name: str) -> RequestError:
    return RequestError(
        "--to takes a new or empty folder, or one that this command wrote",
        received=f"{folder}, where this command did not write {name}",
        remedy="Choose another folder",
    )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
