"""The scores of a trained model at evaluation lengths, and the reasons where it has none."""

from __future__ import annotations

import dataclasses

import pytest

from suite.api.evaluation_lengths import BY_EVALUATION_LENGTH
from suite.api.plugins import TASKS, find_plugin
from suite.worker.train import evaluation_lengths
from tests.builders import trainings
from tests.builders.trainings import make_job

pytestmark = pytest.mark.usefixtures("few_scored_examples", "eager")
REPORT = BY_EVALUATION_LENGTH


def run(tmp_path, task, architecture, lengths, kept=None, **settings):
    job = make_job(tmp_path, task, architecture, 4, **settings)
    job = dataclasses.replace(job, cell=dataclasses.replace(job.cell, evaluation_lengths=lengths))
    return trainings.run(job, kept=kept)


class OnlyValidation(dict):
    """Splits of which the test split must not be read."""

    def __getitem__(self, split):
        assert split != "test", "the test split was read"
        return super().__getitem__(split)


def test_validation_is_scored_at_each_length_and_a_sealed_test_split_is_not_read(
    tmp_path, monkeypatch
):
    task, sizes = find_plugin(TASKS, "duplication"), []
    load, predict_examples = task.load_evaluation, evaluation_lengths.predict_examples

    def noted(predict, examples, batch_size, **given):
        sizes.append((examples.num_examples, batch_size))
        return predict_examples(predict, examples, batch_size, **given)

    monkeypatch.setattr(evaluation_lengths, "predict_examples", noted)
    monkeypatch.setattr(
        type(task), "load_evaluation", lambda _, *given: OnlyValidation(load(*given))
    )
    outcome = run(tmp_path, "duplication", "vanilla", (32, 64, 256))
    found = outcome["reports"]["validation"][REPORT]
    assert list(found) == ["32", "64", "256"]
    assert found["32"]["accuracy"] == outcome["metrics"]["validation"]["accuracy"]
    assert found["32"]["examples"] == 8 and found["256"]["examples"] == 64
    assert all(0 <= of_length["accuracy"] <= 1 for of_length in found.values())
    assert sizes == [(8, 4), (64, 2), (64, 1)]  # about 128 positions, and at least one example
    assert "test" not in outcome["reports"]
    # The keys and values of one layer of width 128 at 32 positions, in float32.
    assert outcome["details"]["declared_state_bytes"] == 2 * 128 * 32 * 4


def test_a_fixed_model_is_not_applicable_beyond_its_training_length(tmp_path):
    outcome = run(tmp_path, "duplication", "gpt", (32, 64), score_test=True)
    for split in ("validation", "test"):
        found = outcome["reports"][split][REPORT]
        assert found["32"]["accuracy"] == outcome["metrics"][split]["accuracy"]
        assert found["64"] == (
            "not applicable: GPT-2 has learned positions, which end at its training length"
        )


@pytest.mark.usefixtures("few_examples_at_lengths")
def test_a_language_model_reports_bits_by_position_beyond_its_training_length(tmp_path):
    """The training carries the state from batch to batch; the longer batches have other shapes."""
    settings = {"carry_state": "true", "segment": "32"}
    lengths = (512, 65_536)
    outcome = run(tmp_path, "language_modeling", "transformer_xl", lengths, **settings)
    reports = outcome["reports"]["validation"]
    assert reports[REPORT]["512"]["bits_per_character"] > 0
    assert reports[REPORT]["65536"].startswith("not applicable: the text of validation has ")
    by_position = reports["bits_per_character_by_position_at_512"]
    assert list(by_position)[-1] == "256-511" and min(by_position.values()) > 0
    assert "bits_per_character_by_position_at_65536" not in reports


def test_a_length_for_which_an_allocation_fails_ends_the_scoring(tmp_path, monkeypatch):
    task, kept = find_plugin(TASKS, "duplication"), []
    load = type(task).load_evaluation

    def allocate(self, source, length, *given):
        if length >= 256:
            raise MemoryError("Unable to allocate 9 GiB")
        return load(self, source, length, *given)

    monkeypatch.setattr(type(task), "load_evaluation", allocate)
    outcome = run(tmp_path, "duplication", "identity", (64, 256, 512), kept)
    found = outcome["reports"]["validation"][REPORT]
    assert found["64"]["examples"] == 64
    failed = "out_of_memory: an allocation failed: Unable to allocate 9 GiB at length 256"
    assert found["256"] == found["512"] == failed
    assert "unfinished_after_training" not in outcome
    left = [unfinished["unfinished_after_training"] for unfinished in kept]
    assert left == [(64, 256, 512), (256, 512)]
    assert all(unfinished["metrics"] == outcome["metrics"] for unfinished in kept)


def test_words_of_an_evaluation_length_are_not_those_of_the_training():
    task = find_plugin(TASKS, "duplication")
    data = task.load(None, 64, {})
    longer = task.load_evaluation(None, 64, {}, data.spec)["validation"]
    train = {row.tobytes() for row in data.train.features["token_ids"]}
    assert not train & {row.tobytes() for row in longer.features["token_ids"]}
