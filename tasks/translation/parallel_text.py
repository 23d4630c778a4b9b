"""A user's parallel texts: two files for each split, with one sentence per line."""

from __future__ import annotations

from pathlib import Path

from suite.api import DataError, read_text
from tasks.common.sources import SPLIT_STEMS
from tasks.common.user_folders import visible


def find_pairs(
    folder: Path, source_language: str = "", target_language: str = ""
) -> dict[str, tuple[Path, Path]]:
    """Return the source file and the target file of each split.

    A file's ending is its language. The languages default to train's two endings in alphabetical
    order, and one of them to the ending beside the other.

    Raises:
        DataError: the folder does not exist, a split lacks a file or has two of a language, or
            train's languages are ambiguous.
    """
    if not folder.is_dir():
        raise DataError("A folder of parallel texts must exist", received=f"files:{folder}")
    languages = (source_language, target_language)
    pairs = {}
    for split, stems in SPLIT_STEMS.items():
        files: dict[str, list[Path]] = {}
        for path in visible(folder):
            if path.is_file() and path.stem.lower() in stems and path.suffix:
                files.setdefault(path.suffix[1:], []).append(path)
        if split == "train" and not all(languages):
            others = sorted(set(files) - set(languages))
            if len(files) != 2 or len(others) != languages.count(""):
                received = ", ".join(path.name for paths in files.values() for path in paths)
                raise DataError(
                    "A folder of parallel texts holds two files train.LANGUAGE",
                    received=f"{received or 'none of them'} in {folder}",
                    remedy="Name the languages: --option source_language=en "
                    "--option target_language=de",
                )
            languages = (source_language or others[0], target_language or others[-1])
        for language in languages:
            if len(paths := files.get(language, [])) != 1:
                names = ", ".join(path.name for path in paths)
                raise DataError(
                    f"Each split has one file for each language ({stems[0]}.{languages[0]}, …)",
                    received=f"{names or f'no {split} file ending in .{language}'} in {folder}",
                )
        pairs[split] = (files[languages[0]][0], files[languages[1]][0])
    return pairs


def read_pairs(
    folder: Path, source_language: str = "", target_language: str = ""
) -> tuple[dict[str, list[tuple[str, str]]], list[str]]:
    """Read the sentence pairs of each split; return them with the source and target language.

    Raises:
        DataError: the folder is malformed (see `find_pairs`), the two files of a split have
            different numbers of lines, or a line is empty on one side only.
    """
    splits = {}
    languages: list[str] = []
    for split, paths in find_pairs(folder, source_language, target_language).items():
        sides = [read_text(path).rstrip("\n").split("\n") for path in paths]
        if len(sides[0]) != len(sides[1]):
            raise DataError(
                "Parallel files must have the same number of lines",
                received=f"{len(sides[0])} lines in {paths[0]}, {len(sides[1])} in {paths[1]}",
            )
        pairs = []
        for number, (source, target) in enumerate(zip(*sides, strict=True), start=1):
            if bool(source.strip()) != bool(target.strip()):
                empty = paths[0] if not source.strip() else paths[1]
                raise DataError(
                    "A line must be empty on both sides or on neither", received=f"{empty}:{number}"
                )
            if source.strip():
                pairs.append((source.strip(), target.strip()))
        splits[split] = pairs
        languages = [path.suffix[1:] for path in paths]
    return splits, languages
