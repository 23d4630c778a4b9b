"""The score of a perfect model: the encoded gold as output, through the task's own scoring."""

from __future__ import annotations

import json

import numpy as np

from suite.api import Form, SourceRequest
from tasks.question_answering.task import TASK as QUESTION_ANSWERING
from tasks.summarization.task import TASK as SUMMARIZATION
from tasks.translation.task import TASK as TRANSLATION

SPLITS = ("train", "valid", "test")


def gold(task, examples):
    """Return the predictions of a perfect model, as `score` takes them."""
    if task.form is Form.ENCODER_DECODER:
        return examples.targets["next_ids"]
    start, end = examples.targets["start"], examples.targets["end"]
    return np.stack([start, end, start == 0], axis=1)


def ceiling(task, folder, length, **options):
    """Return the score of the gold of the test split, and the data."""
    data = task.load(SourceRequest("files", str(folder)), length, options)
    return task.score(data.test, gold(task, data.test), data.spec), data


def write_translations(folder, targets, language="fr", train=None):
    """Write the targets of each split, with as many sources; a target is one line."""
    for split in SPLITS:
        lines = train if split == "train" and train else targets
        (folder / f"{split}.en").write_text("\n".join(f"text {n}" for n in range(len(lines))))
        (folder / f"{split}.{language}").write_text("\n".join(lines), encoding="utf-8", newline="")
    return folder


def write_summaries(folder, targets):
    """Write texts whose summaries are the targets."""
    rows = [json.dumps({"text": f"text {n}", "summary": text}) for n, text in enumerate(targets)]
    for split in ("train", "validation", "test"):
        (folder / f"{split}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return folder


def write_questions(folder, contexts):
    """Write one question for each context, a text in which «» enclose the answer."""
    paragraphs = []
    for number, marked in enumerate(contexts):
        before, rest = marked.split("«")
        answer, after = rest.split("»")
        answers = [{"text": answer, "answer_start": len(before)}]
        asked = {"id": str(number), "question": "Where is it?", "answers": answers}
        paragraphs.append({"context": before + answer + after, "qas": [asked]})
    content = json.dumps({"data": [{"paragraphs": paragraphs}]})
    for name in ("train", "dev", "test"):
        (folder / f"{name}.json").write_text(content, encoding="utf-8")
    return folder


def translation_ceiling(folder, targets, language="fr", *, train=None, length=512, **options):
    """Return the score of the targets as their own translations, and the data."""
    write_translations(folder, targets, language, train)
    return ceiling(TRANSLATION, folder, length, target_language=language, **options)


def summarization_ceiling(folder, targets, **options):
    """Return the score of the targets as their own summaries, and the data."""
    return ceiling(SUMMARIZATION, write_summaries(folder, targets), 512, **options)


def answer_ceiling(folder, contexts):
    """Return the score of the marked answers of contexts, and the data."""
    return ceiling(QUESTION_ANSWERING, write_questions(folder, contexts), 256)
