"""Texts and their summaries: a user's tables and TensorFlow Datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suite.api import TABLE_SUFFIXES, DataError, SourceRequest
from tasks.common.labelled_tables import read_table
from tasks.common.sources import SPLIT_STEMS, replace_surrogates, with_validation
from tasks.common.text_to_text import Pairs
from tasks.common.user_folders import find_split_paths

DEFAULT_NAME = "cnn_dailymail"
TEXT_COLUMNS = ("text", "document", "article", "report", "dialogue", "content", "source")
SUMMARY_COLUMNS = ("summary", "highlights", "abstract", "target")


def find_files(folder: Path) -> dict[str, Path]:
    """Return the table of each split; validation is optional.

    Raises:
        DataError: the folder does not exist, train or test is missing, or a split has two tables.
    """
    return find_split_paths(
        folder,
        "summarized texts",
        lambda path: path.suffix.lower() in TABLE_SUFFIXES,
        "{split}.jsonl, .tsv or .csv",
    )


def read_folder(
    folder: Path, text_column: str = "", summary_column: str = ""
) -> tuple[Pairs, dict[str, Any]]:
    """Read the texts and summaries of each split, and the facts about them.

    Without a validation split, a fixed tenth of train is held out for it.

    Raises:
        DataError: the folder is malformed (see `find_files`), a table is malformed, lacks a
            column, or has a row without a text or a summary.
    """
    text_columns = (text_column,) if text_column else TEXT_COLUMNS
    summary_columns = (summary_column,) if summary_column else SUMMARY_COLUMNS
    pairs: Pairs = {}
    for split, path in find_files(folder).items():
        rows = read_table(path, text_columns, summary_columns, "summary")
        pairs[split] = [(text.strip(), summary) for text, summary, _ in rows]
        if not pairs[split]:
            raise DataError("A split must hold at least one text", received=path)
    pairs, facts = replace_surrogates(pairs)
    pairs, about_validation = with_validation(pairs)
    return pairs, {**facts, **about_validation}


def read_data_set(
    request: SourceRequest, text_column: str = "", summary_column: str = ""
) -> tuple[Pairs, dict[str, Any]]:
    """Read a prepared data set of texts with their summaries, and the facts about it.

    The columns default to the pair that the data set's own description names for supervised
    learning.

    Raises:
        DataError: the data set has no such columns, or no split train or test.
    """
    from tasks.common.tfds import describe_prepared, open_prepared, read_prepared

    name = request.argument or DEFAULT_NAME
    builder = open_prepared(name, request)
    named = builder.info.supervised_keys or ("", "")
    text_column, summary_column = text_column or named[0], summary_column or named[1]
    features, splits = set(builder.info.features), set(builder.info.splits)
    if not {text_column, summary_column} <= features:
        raise DataError(
            "A data set of summarized texts must have a column for the text and one for the "
            "summary",
            received=f"{', '.join(sorted(features))} in {name}",
            remedy="Name them with --option text_column=NAME --option summary_column=NAME",
        )
    if not {"train", "test"} <= splits:
        raise DataError(
            "A data set of summarized texts must have the splits train and test",
            received=f"{', '.join(sorted(splits))} in {name}",
        )
    pairs = {
        split: [
            (example[text_column].decode(), example[summary_column].decode())
            for example in read_prepared(builder, split)
        ]
        for split in SPLIT_STEMS
        if split in splits
    }
    pairs, about_validation = with_validation(pairs)
    return pairs, {**describe_prepared(name, request), **about_validation}
