"""`bench predict`: apply a trained model to texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from suite.actions.records import predict
from suite.cli.command import Command, home_option, json_option


@click.command("predict", cls=Command)
@click.argument("model", metavar="MODEL")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@home_option
def command(model: str, file: Path, as_json: bool, home: str | None) -> None:
    """Print the prediction of a trained model for each text of FILE, one a line.

    MODEL is a run whose weights `bench run --keep-weights` kept: its id, the name of its record's
    file, the folder of the weights, or the name of its entry, if no other kept model has that name.

    FILE has one text a line; an empty line gets an empty line. A .csv or .tsv file has a header and
    a column "text", or as the tables that the task trains on. The lines of a .jsonl file have such
    a field. A text of image_classification is the path of an image, and one of question_answering
    is a question, a tab and its context. The command prints the most likely class, the tags of the
    words, the bits per character of the text, the answer, or the generated text; --json prints all
    that the task tells.

    \b
    Examples:
      bench run --task sentiment --architectures vanilla --keep-weights
      bench predict vanilla reviews.txt
      bench predict 20260101T000000000000Z-1a2b3c reviews.csv
    """
    for prediction in predict(model, file, home=home):
        print(json.dumps(prediction, ensure_ascii=False) if as_json else _line(prediction))


def _line(prediction: Any) -> str:
    """Return a prediction in one line: of an object, its first field; "" for None."""
    if prediction is None:
        return ""
    if isinstance(prediction, dict):
        prediction = next(iter(prediction.values()))
    parts = prediction if isinstance(prediction, list) else [prediction]
    return " ".join(line for part in parts for line in str(part).splitlines())
