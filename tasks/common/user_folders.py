"""A user's folder: its visible entries, the paths of its splits, and the entries that a task
ignores.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from suite.api import DataError, Options, SourceRequest
from tasks.common.labelled_tables import LIKE_MISSING

SYSTEM_NAMES = frozenset(
    {
        *("$recycle.bin", "@eadir", "__macosx", "__pycache__", "desktop.ini"),
        *("lost+found", "system volume information", "thumbs.db"),
    }
)
"""The names, in lower case, of entries that systems add or hide."""
BACKUP = re.compile(r".*~|#.*#")
"""The names of copies that editors leave."""
TEXT_SUFFIXES = ("", ".txt", ".text")
"""The endings of text files."""
MAX_NAMES = 3
"""The most names that a remark shows."""

LeftOut = dict[str, list[Path]]
"""The entries of a folder that a task does not read, by kind: hidden, folders and files."""


class FolderReader:
    """A task that can read a folder of the user's: the source `files`."""

    folders_are_classes = False
    """Whether a folder SPLIT/CLASS holds the examples of a class."""

    def list_files(self, folder: Path, options: Options) -> list[Path]:
        """Return the files that the task reads.

        Raises:
            DataError: the folder does not hold what the task reads.
        """
        raise NotImplementedError

    def list_classes(self, request: SourceRequest, options: Options) -> Sequence[str]:
        """Return the classes whose names must not look like missing values."""
        return ()

    def remarks(self, request: SourceRequest, options: Options) -> list[str]:
        """Return remarks on a user's folder; none for other sources.

        They name the ignored entries, the folders that are classes only in train, and the classes
        that look like missing values.
        """
        if not self._reads_folder(request):
            return []
        folder = folder_of(request)
        files = self.list_files(folder, options)
        remarks = []
        if left_out := find_left_out(folder, files):
            remarks.append(f"{folder}: left out {_describe(left_out)}")
        if self.folders_are_classes and (alone := _find_classes_of_train(folder, files)):
            remarks.append(
                f"{folder}: only train has the {'class' if len(alone) == 1 else 'classes'} "
                f"{_shorten(alone)}; remove a folder that is no class"
            )
        classes = self.list_classes(request, options)
        if suspects := [name for name in classes if name.lower() in LIKE_MISSING]:
            noun = "the class" if len(suspects) == 1 else "the classes"
            remarks.append(
                f"{folder}: {noun} {_shorten(suspects)} may mean a missing label; remove such rows"
            )
        # A name may be no UTF-8.
        return [remark.encode("utf-8", "replace").decode() for remark in remarks]

    def count_left_out(self, request: SourceRequest, options: Options) -> dict[str, dict[str, int]]:
        """Return the fact `left_out`, the number of ignored entries by kind, if there are any.

        Names stay on the user's machine.
        """
        if not self._reads_folder(request):
            return {}
        folder = folder_of(request)
        left_out = find_left_out(folder, self.list_files(folder, options))
        counts = {kind: len(paths) for kind, paths in left_out.items()}
        return {"left_out": counts} if counts else {}

    @staticmethod
    def _reads_folder(request: SourceRequest) -> bool:
        return request.kind == "files" and folder_of(request).is_dir()


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
        names = f"train{folder.suffix} and test{folder.suffix}"
        raise DataError(
            f"A folder of {content} must exist",
            received=f"files:{folder}",
            remedy=f"Split this file into {names} of a folder" if folder.is_file() else "",
        )
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
    """Return the entries of a folder that a task ignores, if it reads the files `read`.

    A folder without such a file counts once, with any content.
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
        noun = {"hidden": "hidden", "folders": "folder", "files": "file"}[kind]
        plural = "s" if noun != "hidden" and len(paths) > 1 else ""
        parts.append(f"{len(paths)} {noun}{plural} ({_shorten([path.name for path in paths])})")
    return ", ".join(parts)


def _shorten(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMES]) + (", …" if len(names) > MAX_NAMES else "")


def _find_classes_of_train(folder: Path, files: Iterable[Path]) -> list[str]:
    """Return the classes that are folders of train but of no other split."""
    from tasks.common.sources import SPLIT_STEMS

    classes: dict[bool, set[str]] = {}
    for split, *below in (path.relative_to(folder).parts for path in files):
        is_train = Path(split).stem.lower() in SPLIT_STEMS["train"]
        classes.setdefault(is_train, set()).update(below[:-1])
    return sorted(classes.get(True, set()) - classes[False]) if classes.get(False) else []


def _is_hidden(path: Path) -> bool:
    name = path.name.lower()
    return name.startswith(".") or name in SYSTEM_NAMES or bool(BACKUP.fullmatch(name))
