"""A user's parallel texts: for each split two files of as many lines, one for each language."""

from __future__ import annotations

from pathlib import Path

from suite.api.errors import DataError
from tasks.common.sources import SPLIT_STEMS, read_text


def find_pairs(folder: Path, source: str = "", target: str = "") -> dict[str, tuple[Path, Path]]:
    """Return the two files of each split, told apart by their endings.

    Where none is named, the languages are train's two endings in the order of the alphabet.

    Raises:
        DataError: there is no such folder; a split lacks a file, or its languages are unclear.
    """
    if not folder.is_dir():
        raise DataError("A folder of parallel texts must exist", received=f"files:{folder}")
    languages = (source, target)
    found = {}
    for split, stems in SPLIT_STEMS.items():
        files = {
            path.suffix[1:]: path
            for path in sorted(folder.iterdir())
            if path.is_file() and path.stem.lower() in stems and path.suffix
        }
        if split == "train" and not all(languages):
            if len(files) != 2:
                there = ", ".join(path.name for path in files.values()) or "none of them"
                raise DataError(
                    "A folder of parallel texts holds two files train.LANGUAGE",
                    received=f"{there} in {folder}",
                    remedy="Name them: --option source_language=en --option target_language=de",
                )
            first, second = sorted(files)
            languages = (first, second)
        missing = [language for language in languages if language not in files]
        if missing:
            raise DataError(
                f"Each split has a file for each language ({stems[0]}.{languages[0]}, …)",
                received=f"no {split} file ending in .{missing[0]} in {folder}",
            )
        found[split] = (files[languages[0]], files[languages[1]])
    return found


def read_pairs(
    folder: Path, source: str = "", target: str = ""
) -> tuple[dict[str, list[tuple[str, str]]], list[str]]:
    """Read all splits, and which language is translated into which.

    Raises:
        DataError: as `find_pairs`; the two files of a split have not as many lines; a line is empty
            on one side only.
    """
    found = {}
    languages: list[str] = []
    for split, paths in find_pairs(folder, source, target).items():
        sides = [read_text(path).replace("\r\n", "\n").rstrip("\n").split("\n") for path in paths]
        if len(sides[0]) != len(sides[1]):
            raise DataError(
                "Parallel files must have as many lines, one for each line of the other",
                received=f"{len(sides[0])} lines in {paths[0]}, {len(sides[1])} in {paths[1]}",
            )
        pairs = []
        for number, (one, other) in enumerate(zip(*sides, strict=True), start=1):
            if bool(one.strip()) != bool(other.strip()):
                empty = paths[0] if not one.strip() else paths[1]
                raise DataError(
                    "A line must be empty on both sides or on none", received=f"{empty}:{number}"
                )
            if one.strip():
                pairs.append((one.strip(), other.strip()))
        found[split] = pairs
        languages = [path.suffix[1:] for path in paths]
    return found, languages
