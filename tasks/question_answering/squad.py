"""Questions about contexts in the format of SQuAD: JSON files and TensorFlow Datasets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.api import DataError, SourceRequest, read_text
from tasks.common.sources import SPLIT_STEMS, hold_out
from tasks.common.user_folders import visible

DEFAULT_NAME = "squad/v1.1"
TRUTH = {"true": True, "1": True, "false": False, "0": False, "none": False, "": False}
"""The accepted texts of "is_impossible" and their truth; None is a missing field."""
NAMES = {str: "a text", int: "a number", list: "a list"}


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its context, and its gold answers.

    An answer is a text and the place of its first character in the context. A question without
    answers is unanswerable.
    """

    text: str
    context: str
    answers: tuple[tuple[str, int], ...]

    @property
    def raw(self) -> tuple[tuple[str, str], tuple[tuple[str, int], ...]]:
        """The input and the answers as tuples, for the fingerprint."""
        return (self.text, self.context), self.answers


Questions = dict[str, list[Question]]


def split_raw(text: str, place: str) -> Question:
    """Return the question of a text that is a question, a tab, and the context.

    Raises:
        DataError: the text has no tab, or nothing before or after it.
    """
    asked, _, context = text.partition("\t")
    if not asked.strip() or not context.strip():
        raise DataError("A text is a question, a tab, and the context", received=place)
    return Question(asked, context, ())


def find_squad_files(folder: Path) -> dict[str, Path]:
    """Return the JSON file of each split that has one, as `train-v2.0.json` and `dev-v2.0.json`.

    Raises:
        DataError: the folder does not exist, train or both other splits have no file, or a split
            has several.
    """
    if not folder.is_dir():
        raise DataError("A folder of SQuAD files must exist", received=f"files:{folder}")
    files: dict[str, list[Path]] = {split: [] for split in SPLIT_STEMS}
    for path in (path for path in visible(folder) if path.suffix.lower() == ".json"):
        stem = re.split(r"[-_.]", path.name.lower())[0]
        for split, stems in SPLIT_STEMS.items():
            if stem in stems:
                files[split].append(path)
    found = {split: paths[0] for split, paths in files.items() if paths}
    if any(len(paths) > 1 for paths in files.values()) or not {"train"} < set(found):
        received = ", ".join(path.name for paths in files.values() for path in paths)
        raise DataError(
            "A folder of SQuAD files holds one file train*.json, and one dev*.json or test*.json "
            "or both",
            received=f"{received or 'none of them'} in {folder}",
        )
    return found


def read_squad_folder(folder: Path) -> Questions:
    """Read the questions of each split; `complete_splits` adds a missing split.

    Raises:
        DataError: the folder or a file is malformed (see `find_squad_files` and `read_squad`).
    """
    return complete_splits(
        {split: read_squad(path) for split, path in find_squad_files(folder).items()}
    )


def read_squad(path: Path) -> list[Question]:
    """Read a JSON file in the format of SQuAD v1.1 or v2.0.

    Raises:
        DataError: the file is not JSON, a part is missing or of another type, an answerable
            question has no answer, or an answer is not where the file says.
    """
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(
            "A SQuAD file must be JSON", received=f"{error.msg} at {path}:{error.lineno}"
        ) from None
    except (ValueError, RecursionError) as error:  # a number is too long, or lists are too deep
        raise DataError("A SQuAD file must be JSON", received=f"{error} at {path}") from None
    questions = []
    for number, article in enumerate(_part(content, "data", list, str(path))):
        in_article = f"{path}: data[{number}]"
        for index, paragraph in enumerate(_part(article, "paragraphs", list, in_article)):
            place = f"{in_article}.paragraphs[{index}]"
            context = _part(paragraph, "context", str, place)
            for row, asked in enumerate(_part(paragraph, "qas", list, place)):
                questions.append(_read_question(asked, context, f"{place}.qas[{row}]"))
    if not questions:
        raise DataError("A SQuAD file must hold at least one question", received=path)
    return questions


def _read_question(asked: Any, context: str, place: str) -> Question:
    text = _part(asked, "question", str, place)
    if _is_impossible(asked, place):
        return Question(text, context, ())
    answers = []
    for index, answer in enumerate(_part(asked, "answers", list, place)):
        answer_place = f"{place}.answers[{index}]"
        answers.append(
            (
                _part(answer, "text", str, answer_place),
                _part(answer, "answer_start", int, answer_place),
            )
        )
    question = Question(text, context, tuple(answers))
    _check_answers(question, place)
    return question


def _is_impossible(asked: Mapping[str, Any], place: str) -> bool:
    """Return the field `is_impossible`, which may be a text, as CSV files leave it.

    Raises:
        DataError: the field is neither true nor false.
    """
    stated = asked.get("is_impossible")
    found = TRUTH.get(str(stated).strip().lower())
    if found is None:
        raise DataError(
            "The field 'is_impossible' must be true or false", received=f"{stated!r:.40} at {place}"
        )
    return found


def _check_answers(question: Question, place: str) -> None:
    if not question.answers:
        raise DataError(
            "A question must have an answer",
            received=f"an empty list at {place}",
            remedy='Mark a question without an answer with "is_impossible": true',
        )
    for text, start in question.answers:
        found = question.context[max(start, 0) : max(start, 0) + len(text)]
        if start < 0 or not text.strip() or found != text:
            raise DataError(
                "An answer must stand in its context at the character 'answer_start'",
                received=f"{found!r} at {start} instead of {text!r}, in {place}",
                remedy="Count characters from 0, not bytes",
            )


def _part(node: Any, name: str, kind: type, place: str) -> Any:
    value = node.get(name) if isinstance(node, Mapping) else None
    if not isinstance(value, kind):
        received = "none" if value is None else f"{value!r:.40}"
        raise DataError(
            f"Each part of a SQuAD file must have its fields: {NAMES[kind]} '{name}' is missing",
            received=f"{received} at {place}",
        )
    return value


def complete_splits(splits: Mapping[str, list[Question]]) -> Questions:
    """Return train, validation and test.

    Without a test split, validation becomes the test split, as SQuAD's own test split is not
    published. Without a validation split, a fixed tenth of train's contexts with their questions
    is held out for validation.

    Raises:
        DataError: train has too few contexts to hold some out.
    """
    train, test = splits["train"], splits.get("test") or splits["validation"]
    if "test" in splits and "validation" in splits:
        return {"train": train, "validation": splits["validation"], "test": test}
    contexts = list(dict.fromkeys(question.context for question in train))
    held_out = {contexts[index] for index in hold_out(len(contexts))[1]}
    return {
        "train": [question for question in train if question.context not in held_out],
        "validation": [question for question in train if question.context in held_out],
        "test": test,
    }


def read_data_set(request: SourceRequest) -> tuple[Questions, dict[str, Any]]:
    """Read a prepared data set with the features of TFDS's `squad`, and the facts about it.

    Raises:
        DataError: the data set has other features or splits, or is malformed.
    """
    from tasks.common.tfds import describe_prepared, open_prepared, read_prepared

    name = request.argument or DEFAULT_NAME
    builder = open_prepared(name, request)
    features, splits = set(builder.info.features), set(builder.info.splits)
    _check_parts(name, "features", ("answers", "context", "question"), features)
    _check_parts(name, "splits", ("train", "validation"), splits)
    questions: dict[str, list[Question]] = {}
    for split in [split for split in SPLIT_STEMS if split in splits]:
        questions[split] = []
        for number, example in enumerate(read_prepared(builder, split)):
            answers = example["answers"]
            question = Question(
                example["question"].decode(),
                example["context"].decode(),
                tuple(
                    (text.decode(), int(start))
                    for text, start in zip(answers["text"], answers["answer_start"], strict=True)
                ),
            )
            if not example.get("is_impossible", False):
                _check_answers(question, f"{name}, {split}, example {number}")
            questions[split].append(question)
    return complete_splits(questions), describe_prepared(name, request)


def _check_parts(name: str, kind: str, needed: Sequence[str], found: set[str]) -> None:
    if not set(needed) <= found:
        raise DataError(
            f"A data set of questions has the {kind} {', '.join(needed)}",
            received=f"{', '.join(sorted(found))} in {name}",
            remedy="Choose another, such as tfds:squad/v2.0",
        )
