"""A kept model of each task that reads raw input predicts what its record was scored with."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from suite.api import DataError, task_options
from suite.api.plugins import TASKS, find_plugin
from suite.worker.conformance.gradients import without_compiling
from suite.worker.data import encoded
from suite.worker.predicting import load
from tasks.common.sources import hold_out
from tasks.image_classification.digits import read_digits
from tasks.question_answering.scoring import compare_answers
from tests.architectures import slow_unless
from tests.builders.task_data import LITTLE_DATA
from tests.builders.trainings import job_of, plan, run, score_few

NUM_SCORED = 12
FEW_TEXTS = {"train": 400, "validation": 60, "test": 60}


def shown_texts(data, folder):
    return list(data.spec["shown"])


def questions(data, folder):
    contexts = (data.spec["contexts"][index] for index in data.test.targets["context"])
    pairs = zip(data.spec["shown"], contexts, strict=False)
    return [f"{question}\t{context}" for question, context in pairs]


def image_files(data, folder):
    """Write the first digits of the test split as their publishers have them: 28 × 28 pixels."""
    from PIL import Image

    pixels, _ = read_digits()
    _, test = hold_out(len(pixels))
    paths = [folder / f"{number}.png" for number in range(NUM_SCORED)]
    for path, row in zip(paths, test, strict=False):
        Image.fromarray(pixels[row, ..., 0]).save(path)
    return list(map(str, paths))


def score_of_answers(data, found):
    golds = data.spec["gold_answers"]
    rows = data.test.targets["question"].tolist()
    scores = [
        compare_answers(text, tuple(golds[row]), data.spec["unanswerable"])
        for text, row in zip(found, rows, strict=False)
    ]
    return {"f1": np.mean([f1 for _, f1 in scores])}


def score_of_translations(data, found):
    from sacrebleu.metrics import CHRF

    return {"chrf": CHRF().corpus_score(found, [references(data)]).score}


def references(data):
    return data.spec["references"][2][:NUM_SCORED]


def score_of_classes(data, found):
    labels = [data.spec["classes"][label] for label in data.test.targets["labels"][:NUM_SCORED]]
    return {"accuracy": np.mean([a["label"] == b for a, b in zip(found, labels, strict=True)])}


CASES = {
    "image_classification": (16, image_files, score_of_classes, "not an image"),
    "question_answering": (64, questions, score_of_answers, "no tab"),
    "relation_extraction": (32, shown_texts, score_of_classes, "no entities"),
    "translation": (32, shown_texts, score_of_translations, " "),
}


@pytest.mark.parametrize("name", [slow_unless(name == "translation", name) for name in CASES])
def test_a_kept_model_predicts_from_raw_input_what_its_record_was_scored_with(
    name, monkeypatch, tmp_path
):
    length, raw_inputs, score, bad = CASES[name]
    for constant, sizes in LITTLE_DATA.items():
        monkeypatch.setattr(constant, sizes)
    monkeypatch.setattr("tasks.relation_extraction.synthetic_sentences.EXAMPLES", FEW_TEXTS)
    task = find_plugin(TASKS, name)
    few = {option: "400" for option in ("train_examples",) if option in task.options}
    options = {**few, **({"packed": "false"} if "packed" in task.options else {})}
    settings = {"steps": 2, "lengths": (length,), "score_test": True, "options": options}
    (planned,) = plan(name, "vanilla", **settings)
    job = replace(job_of(planned, tmp_path), keeps_weights=True)
    score_few(monkeypatch, NUM_SCORED)
    # Generation takes many small steps, which are slow without a graph.
    with nullcontext() if task.generation else without_compiling():
        outcome = run(job)
        data = encoded.load(job, task, task_options(task, job.cell.options))
        texts = raw_inputs(data, tmp_path)[:NUM_SCORED]
        model = load(job.weights)
        for feature, values in model.encode(texts).features.items():
            if feature not in ("target_ids", "target_mask"):  # the user has no target
                expected = data.test.features[feature][:NUM_SCORED]
                np.testing.assert_array_equal(values, expected, feature)
        found = model.predict(texts)
        for metric, value in score(data, found).items():
            assert value == pytest.approx(outcome["metrics"]["test"][metric]), metric
        json.dumps(found)  # what `bench predict --json` prints
        with pytest.raises(DataError, match=r"Received: .*"):
            model.predict([bad])
