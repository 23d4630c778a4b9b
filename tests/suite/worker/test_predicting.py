"""A kept model predicts from raw texts as from encoded ones; weights that cannot be kept."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import suite
from suite.api import Cell, DataError, HomeError, RequestError, SourceRequest, task_options
from suite.api.plugins import TASKS, find_plugin
from suite.api.weights import MAX_WEIGHTS_BYTES
from suite.records.weights import keep_weights, superseded_weights, weights_folder
from suite.worker.conformance.gradients import without_compiling
from suite.worker.data import encoded
from suite.worker.kept_models import save_model
from suite.worker.predicting import TrainedModel, answer, load
from tests.builders.records import make_record
from tests.builders.task_data import LITTLE_DATA
from tests.builders.trainings import job_of, plan, run, score_few

TASK = find_plugin(TASKS, "sentiment")
NUM_SCORED = 48


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the folder of a trained model, the outcome of its training, and its data."""
    folder = tmp_path_factory.mktemp("trained")
    (planned,) = plan("sentiment", "vanilla", steps=4, score_test=True)
    job = replace(job_of(planned, folder), keeps_weights=True)
    with pytest.MonkeyPatch.context() as patch, without_compiling():
        score_few(patch, NUM_SCORED)
        outcome = run(job)
    return job.weights, outcome, encoded.load(job, TASK, task_options(TASK, job.cell.options))


@pytest.fixture(scope="module")
def model(trained):
    return load(trained[0])


def test_the_predictions_give_the_score_of_the_record(trained, model):
    data = trained[2]
    labels = [data.spec["classes"][label] for label in data.test.targets["labels"][:NUM_SCORED]]
    found = model.predict(data.spec["shown"][:NUM_SCORED])
    right = np.mean([one["label"] == label for one, label in zip(found, labels, strict=True)])
    assert right == trained[1]["metrics"]["test"]["accuracy"]
    assert all(sum(one["probabilities"].values()) == pytest.approx(1) for one in found)
    assert model.predict([]) == []
    with pytest.raises(RequestError, match="a list of texts"):
        model.predict("one text")


def test_a_process_answers_with_predictions_or_with_one_line(trained, model):
    request = {"folder": str(trained[0]), "search_path": [], "texts": ["a fine film"]}
    assert answer(request) == {"predictions": model.predict(["a fine film"])}
    assert "--keep-weights" in answer({**request, "folder": "/nowhere"})["error"]


def test_a_lone_surrogate_is_a_question_mark_as_in_training(model):
    assert model.predict(["fine \ud83d film", "\udc00"]) == model.predict(["fine ? film", "?"])


def copied(trained, tmp_path, **changes):
    """Return a copy of the folder of the weights, with changes of its description."""
    folder = tmp_path / "copy"
    folder.mkdir()
    about = json.loads((trained[0] / "about.json").read_text())
    for name, value in changes.items():
        about["cell"][name] = value
    (folder / "about.json").write_text(json.dumps(about))
    (folder / "model.weights.h5").write_bytes((trained[0] / "model.weights.h5").read_bytes())
    return folder


def test_weights_that_changed_are_refused(trained, tmp_path):
    folder = copied(trained, tmp_path)
    with open(folder / "model.weights.h5", "ab") as file:
        file.write(b"x")
    with pytest.raises(HomeError, match="must have the checksum"):
        load(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task_version": 99}, "version 99 of the task sentiment"),
        ({"architecture_version": 99}, "version 99 of the architecture vanilla"),
        ({"backend": "torch"}, "Set KERAS_BACKEND=torch"),
        ({"task": "listops", "task_version": find_plugin(TASKS, "listops").version}, "raw text"),
    ],
)
def test_a_model_that_this_process_cannot_build_is_refused(trained, tmp_path, changes, said):
    with pytest.raises(RequestError, match=said):
        load(copied(trained, tmp_path, **changes))


def test_a_record_gives_its_model_unless_a_later_run_has_replaced_the_weights(
    trained, store, tmp_path
):
    about = json.loads((trained[0] / "about.json").read_text())
    cell = Cell.from_dict(about["cell"])
    weights = {"sha256": about["sha256"], "bytes": about["num_bytes"]}
    record = make_record(cell=cell, details={"weights": weights})
    other = make_record(cell=cell, minutes=-9, details={"weights": {"sha256": "0", "bytes": 1}})
    for one in (record, other):
        store.write(one)
    with pytest.raises(HomeError, match="--keep-weights"):
        suite.load_model(record, home=store.home)
    keep_weights(store, cell.id, copied(trained, tmp_path))
    assert superseded_weights(store) == []
    found = suite.load_model(record.run_id, home=store.home)
    assert isinstance(found, TrainedModel) and found.predict(["a fine film"])
    with pytest.raises(HomeError, match="last run of a cell"):
        suite.load_model(other, home=store.home)
    with pytest.raises(RequestError, match="must be in the home"):
        suite.load_model("20260102T030405000000Z-000000", home=store.home)
    store.path_of(record).unlink()
    assert superseded_weights(store) == [weights_folder(store, cell.id)]


def test_raw_texts_are_encoded_as_the_data_of_a_task_is(monkeypatch):
    for name, sizes in LITTLE_DATA.items():
        monkeypatch.setattr(name, sizes)
    ner = find_plugin(TASKS, "ner")
    data = ner.load(SourceRequest("synthetic"), 64, {})
    spec = json.loads(json.dumps(dict(data.spec)))
    first = data.test.features["padding_mask"][0].sum()
    words = " ".join(data.spec["shown"][:first])
    found = ner.encode_raw([words, "Only two"], 64, spec)
    for name in ("word_ids", "shape_ids", "affix_ids", "character_ids", "padding_mask"):
        np.testing.assert_array_equal(found.features[name][0], data.test.features[name][0], name)
    tags = ner.readable([words, "Only two"], found, np.zeros((2, 64), int), spec)
    assert [len(row) for row in tags] == [first, 2] and set(tags[1]) == {"O"}
    with pytest.raises(DataError, match="at least one word"):
        ner.encode_raw([" "], 64, spec)

    language = find_plugin(TASKS, "language_modeling")
    data = language.load(SourceRequest("synthetic"), 64, {})
    spec = json.loads(json.dumps(dict(data.spec)))
    ids = np.append(data.test.features["token_ids"][0], data.test.targets["next_ids"][0, -1])
    text = language.text(ids.tolist(), spec)
    found = language.encode_raw([text, text[:10], text * 2], 64, spec)
    np.testing.assert_array_equal(
        found.features["token_ids"][0], data.test.features["token_ids"][0]
    )
    nats = np.full((found.num_examples, 64), np.log(2.0))
    scores = language.readable([text, text[:10], text * 2], found, nats, spec)
    assert [round(one["bits_per_character"], 9) for one in scores] == [1.0, 1.0, 1.0]
    with pytest.raises(DataError, match="two tokens"):
        language.encode_raw(["a"], 64, spec)


def test_a_full_disk_loses_the_weights_and_not_the_record(tmp_path):
    def save_weights(path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    job = SimpleNamespace(weights=tmp_path / "weights")
    model = SimpleNamespace(weights=[np.zeros((2, 3))], save_weights=save_weights)
    assert save_model(model, job, {}) == {
        "weights_problem": "the weights could not be written: No space left on device"
    }
    assert not job.weights.exists()


def test_weights_above_the_limit_are_not_written(tmp_path):
    job = SimpleNamespace(weights=tmp_path / "weights")
    model = SimpleNamespace(weights=[SimpleNamespace(shape=(MAX_WEIGHTS_BYTES // 4 + 1,))])
    assert "bytes are more than" in save_model(model, job, {})["weights_problem"]
    assert not job.weights.exists()
