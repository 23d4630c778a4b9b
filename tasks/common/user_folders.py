"""A user's folder: its visible entries, the paths of its splits, and what a task leaves out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from suite.api import DataError, Options, SourceRequest

SYSTEM_NAMES = frozenset({"__macosx", "desktop.ini", "thumbs.db"})
"""The names, in lower case, that systems hide without a dot."""
MAX_NAMES = 3
"""The most names that a remark shows."""

LeftOut = dict[str, list[Path]]
"""The entries of a folder that a task does not read, by kind: hidden, folders and files."""


class FolderReader:
    """A task that can read a folder of the user's: the source `files`."""

    def list_files(self, folder: Path, options: Options) -> list[Path]:
        """Return the files that the task reads.

        Raises:
            DataError: the folder does not hold what the task reads.
        """
        raise NotImplementedError

    def remarks(self, request: SourceRequest, options: Options) -> list[str]:
        """Return what is left out of a user's folder, in a sentence; nothing for other sources."""
        left_out = self._find_left_out(request, options)
        if not left_out:
            return []
        remark = f"{folder_of(request)}: left out {_describe(left_out)}"
        return [remark.encode("utf-8", "replace").decode()]  # a name may be no UTF-8

    def count_left_out(self, request: SourceRequest, options: Options) -> dict[str, dict[str, int]]:
        """Return the fact `left_out`: the number of entries by kind; nothing if none is left out.

        Names stay on the user's machine.
        """
        left_out = self._find_left_out(request, options)
        counts = {kind: len(paths) for kind, paths in left_out.items()}
        return {"left_out": counts} if counts else {}

    def _find_left_out(self, request: SourceRequest, options: Options) -> LeftOut:
        if request.kind != "files":
            return {}
        folder = folder_of(request)
        return find_left_out(folder, self.list_files(folder, options))


def folder_of(request: SourceRequest) -> Path:
    """Return the path of the user's data."""
    return Path(request.argument).expanduser()


def visible(folder: Path) -> list[Path]:
    """Return the entries of a folder that are not hidden, sorted."""
    return sorted(path for path in folder.iterdir() if not _is_hidden(path))


def find_split_paths(
    folder: Path, content: str, accepts: Callable[[Path], bool], described: str
) -> dict[str, Path]:
    """Return the path of each split in a folder of `content`; validation is optional.

    `accepts` says whether a path may be a split. `described` says which paths may, for errors.

    Raises:
        DataError: the folder does not exist, train or test is missing, or a split has two paths.
    """
    from tasks.common.sources import SPLIT_STEMS  # NumPy takes time to import

    if not folder.is_dir():
        raise DataError(f"A folder of {content} must exist", received=f"files:{folder}")
    splits = {}
    for split, stems in SPLIT_STEMS.items():
        paths = [path for path in visible(folder) if path.stem.lower() in stems and accepts(path)]
        if len(paths) > 1 or (not paths and split != "validation"):
            received = ", ".join(path.name for path in paths) or "none of them"
            raise DataError(
                f"A folder of {content} holds {described.format(split=stems[0])}",
                received=f"{received} in {folder}",
            )
        if paths:
            splits[split] = paths[0]
    return splits


def find_left_out(folder: Path, read: Iterable[Path]) -> LeftOut:
    """Return what is left out of a folder whose files `read` are read.

    A folder without such a file counts once, whatever it holds.
    """
    files = set(read)
    entered = {parent for path in files for parent in path.parents}
    left_out: LeftOut = {}
    pending = [folder]
    while pending:
        for path in sorted(pending.pop().iterdir()):
            if _is_hidden(path):
                left_out.setdefault("hidden", []).append(path)
            elif path in entered:
                pending.append(path)
            elif path not in files:
                kind = "folders" if path.is_dir() else "files"
                left_out.setdefault(kind, []).append(path)
    return left_out


def _describe(left_out: Mapping[str, list[Path]]) -> str:
    """Return the number of entries of each kind, with the first names."""
    parts = []
    for kind, paths in left_out.items():
        names = ", ".join(path.name for path in paths[:MAX_NAMES])
        names += ", …" if len(paths) > MAX_NAMES else ""
        noun = {"hidden": "hidden", "folders": "folder", "files": "file"}[kind]
        plural = "s" if noun != "hidden" and len(paths) > 1 else ""
        parts.append(f"{len(paths)} {noun}{plural} ({names})")
    return ", ".join(parts)


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower() in SYSTEM_NAMES
