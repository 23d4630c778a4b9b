"""Sentences with two marked entities, and the files that hold them with their labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from suite.api import TABLE_SUFFIXES, DataError, read_text
from tasks.common.labelled_tables import read_table
from tasks.common.user_folders import find_split_paths
from tasks.relation_extraction.labels import OTHER, classes_of, is_label, is_negative

MARKERS = ("<e1>", "</e1>", "<e2>", "</e2>")
_MARKER = re.compile("(</?e[12]>)")
_ORDERS = (MARKERS, MARKERS[2:] + MARKERS[:2])

Labelled = tuple[str, str]
"""A sentence with its markers, and its label."""

TEXT_COLUMNS = ("text", "sentence")
LABEL_COLUMNS = ("label", "relation")
OFFICIAL_SUFFIX = ".txt"
_NUMBERED = re.compile(r'\d+\t"(.*)"')


def split_at_markers(text: str) -> list[str]:
    """Return the text before, between and after the four markers, and the markers: nine parts."""
    return _MARKER.split(text)


def problem_of(text: str) -> str | None:
    """Return what is wrong with the markers of a sentence; None if nothing is."""
    parts = split_at_markers(text)
    markers = tuple(parts[1::2])
    if markers not in _ORDERS:
        return f"markers {' '.join(markers) or 'none'}"
    empty = [markers[place - 1] for place in (1, 3) if not parts[2 * place].strip()]
    return f"no text after {empty[0]}" if empty else None


def find_splits(folder: Path) -> dict[str, Path]:
    """Return the file of each split; validation is optional.

    Raises:
        DataError: the folder does not exist, train or test is missing, or a split has two files.
    """
    return find_split_paths(
        folder,
        "labelled sentences",
        lambda path: path.suffix.lower() in (*TABLE_SUFFIXES, OFFICIAL_SUFFIX),
        "{split}.tsv, .csv or .jsonl, or a file in the format of SemEval-2010 Task 8 such as "
        "TRAIN_FILE.TXT, for train and test",
    )


def read_splits(
    folder: Path, text_column: str = "", label_column: str = ""
) -> dict[str, list[Labelled]]:
    """Read the sentences and labels of each split.

    Raises:
        DataError: the folder or a file is malformed, a sentence has not the four markers, a label
            has no valid direction, or train has fewer than two labels or no relation, or another
            split has a relation that train lacks.
    """
    splits = {}
    known: list[str] = []
    for split, path in find_splits(folder).items():
        is_official = path.suffix.lower() == OFFICIAL_SUFFIX
        rows = []
        for text, label, location in (
            _read_official(path)
            if is_official
            else read_table(
                path,
                (text_column,) if text_column else TEXT_COLUMNS,
                (label_column,) if label_column else LABEL_COLUMNS,
            )
        ):
            _check(text, label, location)
            if split != "train" and label not in known:
                raise DataError(
                    "Every relation must occur in the training split",
                    received=f"{label!r} at {location}; train has: {', '.join(known[:20])}",
                )
            rows.append((text, label))
        if not rows:
            raise DataError("A split must hold at least one sentence", received=path)
        if split == "train":
            known = classes_of(label for _, label in rows)
            if len(known) < 2 or all(map(is_negative, known)):
                raise DataError(
                    "Training sentences must have at least two labels, one of them a relation",
                    received=f"only {', '.join(known)} in {path}",
                )
        splits[split] = rows
    return splits


def check_markers(text: str, location: str) -> None:
    """Check that a sentence marks two entities.

    Raises:
        DataError: it does not; the message states the location.
    """
    if problem := problem_of(text):
        raise DataError(
            "A sentence must mark two entities that do not overlap, as <e1>…</e1> and <e2>…</e2>",
            received=f"{problem} at {location}",
            remedy="Mark both entities, each exactly once",
        )


def _check(text: str, label: str, location: str) -> None:
    check_markers(text, location)
    if not is_label(label):
        raise DataError(
            "A label must be a relation with its direction, as Cause-Effect(e1,e2), a relation "
            f"without direction, or {OTHER}",
            received=f"{label!r} at {location}",
            remedy="End the label with (e1,e2) or (e2,e1), or remove the parentheses",
        )


def _read_official(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield sentence, label and location from a file of SemEval-2010 Task 8.

    An example is a number, a tab and a quoted sentence; then a line with the label; then perhaps a
    comment. Blank lines separate examples.

    Raises:
        DataError: the file does not have this format.
    """
    sentence, begin, follows = "", 0, "sentence"
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        line = line.strip()
        if found := _NUMBERED.fullmatch(line):
            _check_complete(follows, path, begin)
            sentence, begin, follows = found[1], number, "label"
        elif not line:
            _check_complete(follows, path, begin)
            follows = "sentence"
        elif follows == "label":
            yield sentence, line, f"{path}:{begin}"
            follows = "comment"
        elif follows != "comment" or not line.startswith("Comment"):
            raise DataError(
                "An example of SemEval-2010 Task 8 is a number, a tab and a quoted sentence, "
                "then a line with the label, a comment and a blank line",
                received=f"{line[:60]!r} at {path}:{number}",
            )
    _check_complete(follows, path, begin)


def _check_complete(follows: str, path: Path, begin: int) -> None:
    if follows == "label":
        raise DataError(
            "A line with the label must follow each sentence",
            received=f"a sentence without a label at {path}:{begin}",
            remedy="Use the file with the answers, such as TEST_FILE_FULL.TXT",
        )
