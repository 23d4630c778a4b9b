"""Predictions of a kept model in a process of its own: this process imports no framework."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from suite.api.errors import LengthwiseError
from suite.api.weights import KeptWeights

PROGRAM = "suite.worker.predicting"
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}


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
        process = subprocess.run(
            [sys.executable, "-m", PROGRAM, str(asked), str(answered)],
            env={**QUIET, **os.environ, "KERAS_BACKEND": kept.cell.backend},
            capture_output=True,
            text=True,
            errors="replace",
        )
        if not answered.exists():
            raise LengthwiseError(
                "The process of the model ended without predictions",
                received=(process.stderr.strip().splitlines() or ["no message"])[-1],
            )
        answer = json.loads(answered.read_text())
    if "error" in answer:
        raise LengthwiseError(answer["error"])
    predictions: list[Any] = answer["predictions"]
    return predictions


def read_texts(path: Path) -> list[str]:
    """Return the texts of a file: one a line, or the field `text` of the lines of a JSONL file.

    Raises:
        LengthwiseError: the file cannot be read, or a line of it has no text.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.reason
        raise LengthwiseError(
            "The texts are in a file in UTF-8", received=f"{path}: {reason}"
        ) from None
    if lines[-1] == "":
        lines.pop()
    if path.suffix.lower() != ".jsonl":
        return [line.removesuffix("\r") for line in lines]
    return [
        _text_of(line, f"{path}:{number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def _text_of(line: str, place: str) -> str:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    text = row.get("text") if isinstance(row, dict) else row
    if not isinstance(text, str):
        raise LengthwiseError(
            'Each line of a JSONL file is a text in quotes, or an object with "text"',
            received=place,
        )
    return text
