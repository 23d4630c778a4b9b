"""Column files in the format of CoNLL-2003: one word per line, with its tag in the last column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from suite.api import DataError, read_text
from tasks.common.sources import SPLIT_STEMS
from tasks.common.user_folders import visible
from tasks.ner.tag_schemes import TAG, InvalidTag, recognize_scheme, to_iob2

DOCUMENT_MARK = "-DOCSTART-"
COMMENT = "#"
_INDEX = re.compile(r"\d+([-.]\d+)?")
"""A number of a word; in CoNLL-U also those of several words, or of an empty one."""


@dataclass(frozen=True, slots=True)
class ColumnFile:
    """The sentences of one file: words, original tags, and the line of each word.

    `columns` has a row for each word of the file: the columns between the word and its tag.
    """

    path: Path
    words: list[list[str]]
    tags: list[list[str]]
    lines: list[list[int]]
    columns: list[list[str]]
    marks_documents: bool
    num_comments: int


def find_column_files(folder: Path) -> dict[str, Path]:
    """Return the file of each split, such as `train.txt`, or `eng.train` of CoNLL-2003.

    Raises:
        DataError: the folder does not exist, or a split does not have exactly one file.
    """
    if not folder.is_dir():
        raise DataError("A folder of column files must exist", received=f"files:{folder}")
    files = {}
    for split, stems in SPLIT_STEMS.items():
        paths = [path for path in visible(folder) if path.is_file() and _split_of(path) == split]
        if len(paths) != 1:
            received = ", ".join(path.name for path in paths) or "none of them"
            raise DataError(
                f"A folder of column files holds one file named {' or '.join(stems)} "
                f"(with any ending) for the {split} split",
                received=f"{received} in {folder}",
            )
        files[split] = paths[0]
    return files


def _split_of(path: Path) -> str | None:
    """Return the split that a name says: before its first ending, or as one of its endings."""
    for part in (path.stem, path.suffix[1:], Path(path.stem).suffix[1:]):
        for split, stems in SPLIT_STEMS.items():
            if part.lower() in stems:
                return split
    return None


def read_column_file(path: Path) -> ColumnFile:
    """Read a column file; blank lines and -DOCSTART- separate sentences.

    A line that begins with `#` is a comment, unless it is a row of the file: the word `#` with its
    columns and a tag.

    Raises:
        DataError: the file is not UTF-8, has no sentence, has a row with fewer than two columns or
            with another number of columns than the first row, or numbers in place of words.
    """
    rows = [
        [column for column in line.replace("\t", " ").split(" ") if column]
        for line in read_text(path).split("\n")
    ]
    num_columns = next((len(row) for row in rows if _is_plain(row)), 2)
    words: list[list[str]] = [[]]
    tags: list[list[str]] = [[]]
    lines: list[list[int]] = [[]]
    columns: list[list[str]] = []
    num_comments = 0
    for number, row in enumerate(rows, start=1):
        if not row or row[0] == DOCUMENT_MARK:
            if words[-1]:
                for sentences in (words, tags, lines):
                    sentences.append([])
            continue
        if _is_comment(row, num_columns):
            num_comments += 1
            continue
        if len(row) != num_columns or num_columns < 2:
            required = (
                f"{num_columns} columns, like the first row"
                if num_columns > 1
                else "at least 2 columns"
            )
            raise DataError(
                f"Each row of a column file must have {required}",
                received=f"{len(row)} columns at {path}:{number}",
            )
        words[-1].append(row[0])
        tags[-1].append(row[-1])
        lines[-1].append(number)
        columns.append(row[1:-1])
    if not words[-1]:
        for sentences in (words, tags, lines):
            sentences.pop()
    if not words:
        raise DataError("A column file must hold at least one sentence", received=path)
    if all(_INDEX.fullmatch(word) for sentence in words for word in sentence):
        raise DataError(
            "The first column must hold words",
            received=f"numbers alone, likely an index column, from {path}:{lines[0][0]} on",
            remedy="Remove the first column",
        )
    marked = any(row[0] == DOCUMENT_MARK for row in rows if row)
    return ColumnFile(path, words, tags, lines, columns, marked, num_comments)


def _is_plain(row: Sequence[str]) -> bool:
    """Return whether a row is neither blank nor a document's mark, and begins without `#`."""
    return bool(row) and row[0] != DOCUMENT_MARK and not row[0].startswith(COMMENT)


def _is_comment(row: Sequence[str], num_columns: int) -> bool:
    """Return whether a row is a comment, as `# sent_id = 1` or `#begin document (a); part 000`.

    A word that begins with `#`, such as a hashtag, is no comment if it has too few or too many
    columns.
    """
    if not row[0].startswith(COMMENT) or (len(row) == num_columns and TAG.fullmatch(row[-1])):
        return False
    return not row[0].strip(COMMENT) or (len(row) > 1 and not TAG.fullmatch(row[-1]))


@dataclass(frozen=True, slots=True)
class ColumnFolder:
    """The three splits of a folder: sentences with tags in IOB2, and facts about the tags.

    `columns` has for each split one row per word: the columns between the word and its tag.
    """

    sentences: dict[str, list[tuple[list[str], list[str]]]]
    columns: dict[str, list[list[str]]]
    facts: dict[str, object]


def read_column_folder(folder: Path) -> ColumnFolder:
    """Read the three splits of a folder.

    Raises:
        DataError: the folder or a file is malformed (see `find_column_files` and
            `read_column_file`), or the tags follow no known scheme.
    """
    files = {split: read_column_file(path) for split, path in find_column_files(folder).items()}
    scheme = _scheme_of(list(files.values()))
    sentences = {
        split: [
            (words, to_iob2(tags, scheme))
            for words, tags in zip(file.words, file.tags, strict=True)
        ]
        for split, file in files.items()
    }
    documents_marked = any(file.marks_documents for file in files.values())
    comments = {split: file.num_comments for split, file in files.items()}
    return ColumnFolder(
        sentences,
        {split: file.columns for split, file in files.items()},
        {
            "tag_scheme": scheme,
            "documents_marked": documents_marked,
            **({"comment_lines": comments} if any(comments.values()) else {}),
        },
    )


def check_columns(folder: ColumnFolder, path: Path) -> None:
    """Check that all files have the same number of columns between word and tag, at least one.

    Raises:
        DataError: the numbers differ, or a file has no such column.
    """
    counts = {split: len(rows[0]) for split, rows in folder.columns.items()}
    if len(set(counts.values())) > 1 or not min(counts.values()):
        received = ", ".join(f"{count} in {split}" for split, count in counts.items())
        raise DataError(
            "The option 'columns' needs the same columns between word and tag in all files, "
            "at least one",
            received=f"{received}, of files:{path}",
        )


def _scheme_of(files: list[ColumnFile]) -> str:
    sentences = [(file, index) for file in files for index in range(len(file.words))]
    try:
        return recognize_scheme(file.tags[index] for file, index in sentences)
    except InvalidTag as error:
        file, index = sentences[error.sentence]
        raise DataError(
            "The last column must hold entity tags in IOB1, IOB2 or BIOES",
            received=f"{error} at {file.path}:{file.lines[index][error.word]}",
        ) from None
