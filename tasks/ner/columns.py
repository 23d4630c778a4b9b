"""Column files in the format of CoNLL-2003: one word per line, with its tag in the last column."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from suite.api import DataError
from tasks.common.sources import SPLIT_STEMS, read_text
from tasks.ner.tag_schemes import InvalidTag, recognize_scheme, to_iob2

DOCUMENT_MARK = "-DOCSTART-"


@dataclass(frozen=True, slots=True)
class ColumnFile:
    """The sentences of one file: words, original tags, and the first line of each sentence.

    `columns` has a row for each word of the file: the columns between the word and its tag.
    """

    path: Path
    words: list[list[str]]
    tags: list[list[str]]
    first_lines: list[int]
    columns: list[list[str]]
    marks_documents: bool


def find_column_files(folder: Path) -> dict[str, Path]:
    """Return the file of each split; the file's ending is ignored.

    Raises:
        DataError: the folder does not exist, or a split does not have exactly one file.
    """
    if not folder.is_dir():
        raise DataError("A folder of column files must exist", received=f"files:{folder}")
    files = {}
    for split, stems in SPLIT_STEMS.items():
        paths = sorted(
            path for path in folder.iterdir() if path.is_file() and path.stem.lower() in stems
        )
        if len(paths) != 1:
            received = ", ".join(path.name for path in paths) or "none of them"
            raise DataError(
                f"A folder of column files holds one file named {' or '.join(stems)} "
                f"(with any ending) for the {split} split",
                received=f"{received} in {folder}",
            )
        files[split] = paths[0]
    return files


def read_column_file(path: Path) -> ColumnFile:
    """Read a column file; blank lines and -DOCSTART- separate sentences.

    Raises:
        DataError: the file is not UTF-8, has no sentence, or has a row with fewer than two columns
            or with another number of columns than the first row.
    """
    file = ColumnFile(path, [], [], [], [], marks_documents=_marks_documents(path))
    num_columns: int | None = None
    words: list[str] = []
    tags: list[str] = []

    def end_sentence() -> None:
        if words:
            file.words.append(words[:])
            file.tags.append(tags[:])
            file.first_lines.append(number - len(words))
            words.clear()
            tags.clear()

    number = 0
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        row = line.replace("\t", " ").strip(" \r").split(" ")
        row = [column for column in row if column]
        if not row or row[0] == DOCUMENT_MARK:
            end_sentence()
            continue
        num_columns = num_columns or len(row)
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
        words.append(row[0])
        tags.append(row[-1])
        file.columns.append(row[1:-1])
    number += 1
    end_sentence()
    if not file.words:
        raise DataError("A column file must hold at least one sentence", received=path)
    return file


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
    return ColumnFolder(
        sentences,
        {split: file.columns for split, file in files.items()},
        {"tag_scheme": scheme, "documents_marked": documents_marked},
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
            received=f"{error} at {file.path}:{file.first_lines[index] + error.word}",
        ) from None


def _marks_documents(path: Path) -> bool:
    return DOCUMENT_MARK.encode() in path.read_bytes()
