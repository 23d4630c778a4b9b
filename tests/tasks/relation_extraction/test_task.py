"""The task on files: SemEval-2010 Task 8 where it is here, and the options of the open track."""

from __future__ import annotations

import numpy as np
import pytest

from suite.api import IDENTITY, DataError, Inputs, SourceRequest
from tasks.common.tokenization import UNKNOWN
from tasks.relation_extraction.task import TASK
from tests.builders.marked_sentences import ROWS, write_table


@pytest.fixture
def files(tmp_path):
    for name in ("train.tsv", "test.tsv"):
        write_table(tmp_path / name, ROWS * 10)
    return SourceRequest("files", str(tmp_path))


def test_a_tenth_of_train_is_held_out_and_markers_have_ids_of_their_own(files):
    data = TASK.load(files, 32, {"vocabulary": 120})
    assert data.facts["examples"] == {"train": 36, "validation": 4, "test": 40}
    assert data.facts["validation"] == "a fixed tenth of train, drawn by class"
    assert data.facts["texts_cut"] == {"train": 0, "validation": 0, "test": 0}
    ids, first = data.test.features["token_ids"], data.spec["first_marker_id"]
    assert data.spec["vocabulary_size"] == first + 4
    assert ((ids >= first).sum(axis=1) == 4).all()
    assert data.spec["classes"] == [
        "Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)",
        "Content-Container(e1,e2)", "Content-Container(e2,e1)", "Other",
    ]  # fmt: skip
    shown = TASK.show(data.test, TASK.predict_trivial(data.train, data.test, data.spec), data.spec)
    assert shown[0].input == ROWS[0][0] and shown[0].expected == ROWS[0][1]


def test_raw_sentences_are_encoded_as_those_of_the_split(files):
    data = TASK.load(files, 32, {"vocabulary": 120, "entity_states": True})
    texts = data.spec["shown"][:7]
    raw = TASK.encode_raw(texts, 32, data.spec)
    assert raw.features.keys() == data.test.features.keys()
    for name, values in raw.features.items():
        assert (values == data.test.features[name][:7]).all()
    scores = np.eye(5)[[2, 0, 0, 0, 0, 0, 4]]
    found = TASK.readable(texts, raw, scores, data.spec)
    assert [one["label"] for one in found[::6]] == ["Content-Container(e1,e2)", "Other"]
    assert TASK.encode_raw([TASK.raw_example], 32, data.spec).num_examples == 1
    with pytest.raises(DataError, match=r"markers none at text 2\. Mark both entities"):
        TASK.encode_raw([texts[0], "no entity"], 32, data.spec)


def test_hidden_tokens_spare_the_markers():
    ids = np.full((200, 8), 9, np.int32)
    ids[:, 3] = 50
    spec = {"first_marker_id": 50, "unknown_id": UNKNOWN}
    hidden = np.zeros(ids.shape, bool)
    hidden[:, 2:4] = True
    changed = TASK.hide_tokens({"token_ids": ids}, {IDENTITY: hidden}, spec)["token_ids"]
    assert (changed[:, 3] == 50).all() and (changed[:, 2] == UNKNOWN).all()
    assert (np.delete(changed, 2, axis=1) == np.delete(ids, 2, axis=1)).all()


def test_a_convolution_needs_embeddings_and_entity_states_a_further_feature(files):
    assert TASK.inputs_for({}) is Inputs.TOKEN_IDS
    assert TASK.inputs_for({"neighbour_convolution": True}) is Inputs.EMBEDDINGS
    features = TASK.load(files, 32, {"entity_states": True}).train.features
    starts = np.take_along_axis(features["token_ids"], features["entity_starts"], axis=1)
    assert (starts[:, 1] - starts[:, 0] == 2).all()


def test_the_head_reads_the_states_at_the_entities():
    spec = {"entity_states": True, "classes": ["a", "b"]}
    head = TASK.build_head(spec)
    states = np.random.default_rng(0).normal(size=(2, 6, 4)).astype("float32")
    features = {
        "padding_mask": np.ones((2, 6), bool),
        "entity_starts": np.array([[1, 3], [4, 2]], np.int32),
    }
    moved = states.copy()
    moved[:, [0, 5]] = states[:, [5, 0]]
    before = np.asarray(head(states, features))
    assert np.asarray(head(moved, features)) == pytest.approx(before, abs=1e-5)
    moved[:, [2, 3]] = states[:, [3, 2]]
    assert np.abs(np.asarray(head(moved, features)) - before).max() > 1e-3


def test_semeval_2010_task_8_is_read(semeval_2010_task_8):
    source = SourceRequest("files", str(semeval_2010_task_8))
    assert len(TASK.inspect(source, {})) == 64
    data = TASK.load(source, 64, {})
    assert data.facts["examples"] == {"train": 7_200, "validation": 800, "test": 2_717}
    assert data.facts["shared_with_train"] == {"validation": 0, "test": 0}
    assert len(data.spec["classes"]) == 19
    supports = TASK.score(
        data.test, TASK.predict_trivial(data.train, data.test, data.spec), data.spec
    ).reports["by_relation"]
    # The paper's counts of test examples (Hendrickx et al. 2010, table 2).
    assert supports["Cause-Effect"]["support"] == 328 and len(supports) == 9
    assert sum(one["support"] for one in supports.values()) == 2_717 - 454
