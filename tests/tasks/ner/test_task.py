"""Tests of the named entity recognition task: sources, features and score."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from suite.api import IDENTITY, SPELLING, DataError, Examples, SourceRequest
from tasks.ner.task import TASK
from tasks.ner.word_embedding import WordEmbedding
from tasks.ner.word_features import MAX_CHARACTERS, UNKNOWN, assign_column_ids, build_word_tables
from tests.builders.task_data import load_little


@pytest.mark.parametrize("length", [100, 1_024])
def test_every_test_word_is_scored_once_at_every_length(length):
    data = load_little(TASK, length)
    score = TASK.score(data.test, data.test.targets["tags"], data.spec)
    assert score.reports["scored_words"] == data.facts["words"]["test"] == 96 * 1_024
    assert score.metrics["entity_f1"] == 1.0
    assert score.metrics["token_accuracy_without_o"] == 1.0


def test_a_random_type_of_cued_names_scores_chance():
    data = load_little(TASK, 128)
    guess = data.test.targets["tags"].copy()
    cued = data.test.targets["cue_distance"] > 0
    guess[cued] = np.random.default_rng(0).integers(1, 5, size=cued.sum())
    score = TASK.score(data.test, guess, data.spec)
    for interval, figures in score.reports["by_cue_distance"].items():
        chance = data.facts["chance_f1_of_cued_names"]
        margin = 4 * np.sqrt(chance * (1 - chance) / figures["support"])
        assert abs(figures["f1"] - chance) < margin, interval


def test_a_wrong_prediction_elsewhere_does_not_change_the_score_by_cue_distance():
    tags = np.array([[1, 0, 0, 0]])
    examples = Examples(
        {"padding_mask": np.ones((1, 4), bool)},
        {
            "tags": tags,
            "sentence_starts": np.array([[True, False, False, False]]),
            "cue_distance": np.array([[40, 0, 0, 0]]),
        },
    )
    score = TASK.score(examples, np.array([[1, 0, 2, 0]]), {"tags": ["O", "B-A", "B-B"]})
    assert score.reports["by_cue_distance"]["32-63"]["f1"] == 1.0
    assert score.metrics["entity_precision"] == 0.5


def test_word_ids_come_from_the_training_split():
    words = ["Paris", "rare", "unseen", "paris", "1984"]
    tables = build_word_tables(words, np.array([0, 3, 1, 4, 4]))
    assert tables.words[0] == tables.words[3] != UNKNOWN  # case is ignored
    assert tables.words[1] == tables.words[2] == UNKNOWN  # one occurrence, and none
    assert tables.shapes[0] != tables.shapes[3]
    assert (tables.affixes[0] == tables.affixes[3]).all()
    assert tables.characters.shape == (5, MAX_CHARACTERS)


def test_shapes_are_character_patterns():
    words = ["Paris", "Rome", "U.S.", "4-6", "iPod", "!"]
    tables = build_word_tables(words, np.arange(6).repeat(2))
    assert tables.shapes[0] == tables.shapes[1]
    assert len(set(tables.shapes[1:].tolist())) == 5


@pytest.mark.parametrize("word", ["", "x" * 100_000, "👩‍👩‍👧", "e\u0301", "\x00", "שלום", "\u202e"])
def test_any_word_has_features(word):
    tables = build_word_tables([word, "a"], np.array([0, 0, 1, 1]))
    for name in ("words", "shapes", "affixes", "characters"):
        assert getattr(tables, name).max() < tables.sizes[name]


def test_the_error_for_a_missing_data_set_names_both_remedies(tmp_path):
    with pytest.raises(DataError) as caught:
        TASK.inspect(SourceRequest("tfds", data_dir=str(tmp_path)), {})
    assert "TFDS_DATA_DIR" in str(caught.value) and "--download" in str(caught.value)
    assert TASK.inspect(SourceRequest("tfds", data_dir=str(tmp_path), download=True), {}) is None


def test_the_digest_depends_on_the_content_and_not_on_the_folder(tmp_path):
    digests = []
    for name, word in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / name).mkdir()
        for split in ("train", "dev", "test"):
            (tmp_path / name / f"{split}.txt").write_text(f"{word} B-PER\n")
        digests.append(TASK.inspect(SourceRequest("files", str(tmp_path / name)), {}))
    assert digests[0] == digests[1] != digests[2]


def test_conll_has_the_same_sentences_from_both_sources(tfds_data_dir, conll_columns):
    prepared = TASK.load(SourceRequest("tfds", data_dir=str(tfds_data_dir)), 128, {})
    columns = TASK.load(SourceRequest("files", str(conll_columns)), 128, {})
    assert prepared.facts["words"] == columns.facts["words"]
    assert columns.facts["examples"] == {"train": 14_041, "validation": 3_250, "test": 3_453}
    assert prepared.facts["examples"] == columns.facts["examples"]
    assert prepared.spec["tags"] == columns.spec["tags"]
    assert prepared.spec["sizes"] == columns.spec["sizes"]
    assert prepared.facts["fingerprint"] != columns.facts["fingerprint"]  # the order differs
    assert "unrelated" in prepared.facts["neighbours"]
    assert columns.facts["tag_scheme"] == "IOB2"
    assert columns.facts["sentences_cut"]["test"] == 0
    assert columns.facts["redistributable"] is False
    assert columns.facts["shared_with_train"] == {"validation": 129, "test": 78}


def test_a_hidden_spelling_leaves_only_the_shape():
    ids = {"word_ids": (8, 200), "affix_ids": (8, 200, 6), "character_ids": (8, 200, 16)}
    features = {name: np.full(shape, 7, np.int32) for name, shape in ids.items()}
    features |= {"shape_ids": np.full((8, 200), 7, np.int32)}
    drawn = np.random.default_rng(0).random((2, 8, 200))
    hidden = {IDENTITY: drawn[0] < 0.3, SPELLING: drawn[1] < 0.4}
    found = TASK.hide_tokens(features, hidden, {})
    both = hidden[IDENTITY] | hidden[SPELLING]
    assert ((found["word_ids"] == UNKNOWN) == both).all()
    for name in ("affix_ids", "character_ids"):
        assert ((found[name] == UNKNOWN) == hidden[SPELLING][:, :, None]).all()
    assert (found["shape_ids"] == 7).all()
    assert {values.dtype for values in found.values()} == {np.dtype("int32")}


@pytest.mark.parametrize("tag_chain", [False, True])
def test_the_head_learns_the_gold_tags_and_ignores_padding(tag_chain):
    spec = {"tags": ["B-A", "I-A", "O"], "tag_chain": tag_chain}
    head = TASK.build_head(spec)
    tags = np.random.default_rng(0).integers(0, 3, (2, 7)).astype("int32")
    states = 30 * np.eye(3, dtype="float32")[tags]
    features = {"padding_mask": np.arange(7) < np.array([[7], [4]])}
    head(states, features)
    for weights in head.trainable_weights:
        weights.assign(np.eye(3) if weights.shape == (3, 3) else np.zeros(weights.shape))
    outputs = head(states, features)
    targets = {"tags": tags}
    predicted = ops.convert_to_numpy(TASK.predict(outputs, targets, features))
    real = features["padding_mask"]
    assert (predicted == tags)[real].all()
    assert float(TASK.loss(outputs, targets, features)) < 1.5
    wrong = {"tags": np.where(real, (tags + 1) % 3, tags).astype("int32")}
    assert float(TASK.loss(outputs, wrong, features)) > 20
    padded = {"tags": np.where(real, tags, (tags + 1) % 3).astype("int32")}
    losses = [float(TASK.loss(outputs, one, features)) for one in (targets, padded)]
    assert losses[0] == losses[1]


def test_columns_are_numbered_by_the_training_split_and_enter_the_fingerprint(tmp_path):
    train = "EU NNP B-ORG\nsays VBZ O\nUN NNP B-ORG\ngoes VBZ O\nX NNP O\n"
    for split, text in (("train", train), ("valid", train), ("test", "A NNP O\nb NEW O\n")):
        (tmp_path / f"{split}.txt").write_text(text)
    request = SourceRequest("files", str(tmp_path))
    plain, with_columns = (TASK.load(request, 8, {"columns": wanted}) for wanted in (False, True))
    assert "column_ids" not in plain.train.features and "columns" not in plain.spec["sizes"]
    ids = with_columns.train.features["column_ids"]
    assert ids.shape == (1, 8, 1)
    assert ids[0, 0, 0] == ids[0, 2, 0] != ids[0, 1, 0]
    assert ids.min() == 0 and ids[0, :5].min() > UNKNOWN
    assert with_columns.test.features["column_ids"][0, :2, 0].tolist() == [ids[0, 0, 0], UNKNOWN]
    assert with_columns.spec["sizes"]["columns"] == 4
    assert plain.facts["fingerprint"] != with_columns.facts["fingerprint"]


def test_the_same_text_in_two_columns_has_two_ids():
    rows = np.array([["a", "a"], ["a", "b"], ["a", "b"], ["a", "a"]])
    numbered, count = assign_column_ids({"train": rows})
    assert count == 3 + 2
    assert numbered["train"][0, 0] != numbered["train"][0, 1]


def test_columns_reach_the_embedding_and_are_never_hidden():
    sizes = {"words": 9, "shapes": 9, "affixes": 9, "characters": 9, "columns": 5}
    embedding = WordEmbedding(sizes, 8)
    data = {name: np.ones((1, 6), np.int32) for name in ("word_ids", "shape_ids")}
    data |= {"affix_ids": np.ones((1, 6, 6), np.int32), "column_ids": np.ones((1, 6, 2), np.int32)}
    data["character_ids"] = np.ones((1, 6, MAX_CHARACTERS), np.int32)
    data |= {"sentence_starts": np.zeros((1, 6), bool), "padding_mask": np.ones((1, 6), bool)}
    before = ops.convert_to_numpy(embedding(data))
    data["column_ids"] = np.full((1, 6, 2), 3, np.int32)
    assert np.abs(ops.convert_to_numpy(embedding(data)) - before).max() > 1e-3
    every = np.ones((1, 6), bool)
    found = TASK.hide_tokens(data, {IDENTITY: every, SPELLING: every}, {})
    assert (found["word_ids"] == UNKNOWN).all() and (found["affix_ids"] == UNKNOWN).all()
    assert (found["column_ids"] == 3).all()
