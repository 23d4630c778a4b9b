"""Predictions of a kept model in a process of its own: this process imports no framework.

The texts come from a user's file: one a line, or in a column of a table.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from suite.api import (
    TABLE_SUFFIXES,
    DataError,
    Options,
    RawText,
    read_rows,
    read_text,
    task_options,
)
from suite.api.errors import LengthwiseError, RequestError
from suite.api.plugins import TASKS, find_plugin
from suite.api.weights import KeptWeights
from suite.execution.executors.process import run_module, why_ended


def predict_file(kept: KeptWeights, path: Path, search_path: Sequence[str]) -> list[Any]:
    """Return the prediction of each text of a file, a JSON value; None for an empty text.

    Raises:
        LengthwiseError: the file cannot be read, the weights have changed, or the task cannot
            predict from the texts.
    """
    cell = kept.cell
    task = find_plugin(TASKS, str(cell.task), search_path)
    if not task.reads_raw_text:
        raise RequestError(
            "A model predicts from a file if its task reads raw input",
            received=f"a model of {cell.task}, whose data is generated",
            remedy="Choose a model of another task; the page on your own data lists these",
        )
    texts = read_texts(path, task, task_options(task, cell.options))
    real = [text for text in texts if text.strip()]
    if not real:
        return [None] * len(texts)
    # Each text keeps its number, which an error may state.
    predictions = predict(kept, [text if text.strip() else real[0] for text in texts], search_path)
    return [value if text.strip() else None for text, value in zip(texts, predictions, strict=True)]


def predict(kept: KeptWeights, texts: Sequence[str], search_path: Sequence[str]) -> list[Any]:
    """Return the prediction of each text, a JSON value.

    Raises:
        LengthwiseError: the weights have changed, or the task cannot predict from the texts.
    """
    with tempfile.TemporaryDirectory(prefix="predict-") as folder:
        asked, answered = Path(folder, "request.json"), Path(folder, "answer.json")
        request = {
            "folder": str(kept.folder.resolve()),
            "search_path": list(search_path),
            "texts": list(texts),
        }
        asked.write_text(json.dumps(request))
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": kept.cell.backend}
        process = run_module("suite.worker.predicting", asked, answered, environment=environment)
        if not answered.exists():
            raise LengthwiseError(
                "The process of the model ended without predictions", received=why_ended(process)
            )
        answer = json.loads(answered.read_text())
    if "error" in answer:
        raise LengthwiseError(answer["error"])
    predictions: list[Any] = answer["predictions"]
    return predictions


def read_texts(
    path: Path, task: RawText | None = None, options: Options | None = None
) -> list[str]:
    """Return the texts of a file in UTF-8: of the rows of a table, or of the lines of another file.

    The task with its options finds the text of a row (`RawText.raw_text`). A line of a JSONL file
    may also be a text in quotes. A line of a text file may be empty.

    Raises:
        DataError: the file cannot be read, or a row of it has no text.
    """
    task = task or RawText()
    if path.suffix.lower() not in TABLE_SUFFIXES:
        text = read_text(path, may_be_blank=True)
        return text.removesuffix("\n").split("\n") if text else []
    return [_text_of(row, address, task, options or {}) for row, address in read_rows(path)]


def _text_of(row: Any, address: str, task: RawText, options: Options) -> str:
    if isinstance(row, str):
        return row
    is_row = isinstance(row, Mapping)
    text = task.raw_text(row, options) if is_row else None
    if text is None:
        raise DataError(
            "A row of a table must have a text in a column such as "
            f"{task.text_columns()[0]!r}; other lines of a JSONL file are texts in quotes",
            received=f"{', '.join(row)} at {address}" if is_row and row else address,
            remedy="Rename the column, or give a text file with one text a line",
        )
    return text
