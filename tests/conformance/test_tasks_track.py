"""Tests of the standard track: only the backbone mixes positions."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from suite.api import OPEN_RECIPE_OPTIONS, SourceRequest, Track, track_of
from suite.matrix.registry import load_registry
from tests.builders.task_data import build_head, load_little

TASKS = load_registry(()).tasks.plugins
WIDTH = 16
FEATURES = {
    "token_ids",
    "patches",
    "target_ids",
    "word_ids",
    "shape_ids",
    "affix_ids",
    "character_ids",
    "sentence_starts",
    "padding_mask",
    "global_mask",
    "target_mask",
}
"""The features of the standard track: tokens, words with characters, or patches; and masks."""
OPEN_VALUES = {
    "neighbour_convolution": True,
    "tag_chain": True,
    "columns": True,
    "pairs": 50,
    "trace": True,
    "entity_states": True,
}
OTHER_VALUES = {
    "units": "bytes",
    "vocabulary": 150,
    "people": 3,
    "distance": 64,
    "key_sentences": 2,
    "summary_column": "summary",
    "image_size": 64,
    "curve_points": 6,
    "train_examples": 200,
    "text_column": "text",
    "label_column": "label",
    "source_language": "en",
    "target_language": "de",
    "pairs": 2,
    "fillers": "random",
    "gap_power": 1.0,
    "mixed_sizes": False,
    "mixed_pairs": True,
    "memorized": 8,
    "problem": "s3",
    "asked": "last",
    "occurrences": 1,
    "questions": 1,
    "stretch": 64,
    "positive_class": "pos",
    "negative_label": "Other",
    "bleu_tokenizer": "char",
}
"""Another value of each option that leaves a cell on the standard track."""
LEFT_OUT = {"preset"} | {("image_classification", "positive_class")}
"""`preset` is open for its vocabulary, which other texts gave: tests/baselines/test_hub.py. The
digits have more than two classes."""
EVERY_OPTION = [
    (name, option)
    for name, task in TASKS.items()
    for option in task.options
    if not LEFT_OUT & {option, (name, option)}
]


def violations(task, options, source=None):
    """Return how a task with these options leaves the standard track."""
    keras.utils.set_random_seed(0)
    few = {"train_examples": 200} if "train_examples" in task.options else {}
    if source is not None:
        data = task.load(source, 16, options)
    else:
        data = load_little(task, options={**few, **options})
    found = [f"feature {name}" for name in sorted(data.train.features.keys() - FEATURES)]
    features = {name: np.asarray(values[:3]) for name, values in data.train.features.items()}
    embedding = task.build_embedding(data.spec, WIDTH)
    if embedding is not None and mixes_positions(embedding, features):
        found.append("embedding")
    if not is_linear_head(build_head(task, data, width=WIDTH), features):
        found.append("head")
    return found


def mixes_positions(embedding, features):
    """Return whether a change of one position's features changes another's embedding."""
    before = ops.convert_to_numpy(embedding(features))
    place = int(features["padding_mask"][0].sum()) // 2
    changed = {name: values.copy() for name, values in features.items()}
    for name, values in changed.items():
        if not name.endswith("mask"):
            # The values of another position are valid, whatever the feature.
            others = values.reshape(-1, *values.shape[2:])
            differ = (others != values[0, place]).reshape(len(others), -1).any(axis=1)
            values[0, place] = others[differ.argmax()]
    moved = np.abs(ops.convert_to_numpy(embedding(changed)) - before).max(axis=-1) > 1e-6
    assert moved[0, place], "the change must reach its own position"
    return moved.sum() > 1


def is_linear_head(head, features):
    """Return whether a head is a linear layer at each position, or on the mean or class state."""
    mask = features.get("target_mask", features["padding_mask"])
    batch, length = mask.shape
    features = {**features, "padding_mask": np.ones_like(mask)}
    generator = np.random.default_rng(0)
    states = generator.normal(size=(2, batch, length, WIDTH)).astype("float32")

    def outputs(hidden_states):
        return ops.convert_to_numpy(head(hidden_states, features))

    one, other = outputs(states[0]), outputs(states[1])
    if not np.allclose(outputs(states.mean(axis=0)), (one + other) / 2, atol=1e-4):
        return False
    if one.ndim == 2:
        order = generator.permutation(length)
        return np.allclose(outputs(states[0][:, order]), one, atol=1e-4)
    place = length // 2
    mixed = states[0].copy()
    mixed[:, place] = states[1][:, place]
    changed = np.abs(outputs(mixed) - one).max(axis=(0, *range(2, one.ndim))) > 1e-6
    return one.ndim == 3 and changed.nonzero()[0].tolist() == [place]


@pytest.mark.parametrize("name", TASKS)
def test_the_defaults_are_the_standard_track(name):
    task = TASKS[name]
    assert track_of(task, {}) is Track.STANDARD
    assert violations(task, {}) == []


@pytest.mark.parametrize(("name", "option"), EVERY_OPTION)
def test_an_option_is_declared_open_if_and_only_if_it_breaks_a_rule(name, option, tmp_path):
    task = TASKS[name]
    is_open = option in task.open_options
    others = {**OTHER_VALUES, "packed": not task.options.get("packed")}
    values = OPEN_VALUES if is_open else others
    options = {option: values[option]}
    assert values[option] != task.options[option]
    assert track_of(task, options) is (Track.OPEN if is_open else Track.STANDARD)
    source = column_files(tmp_path) if option == "columns" else None
    assert bool(violations(task, options, source)) == is_open


def column_files(folder):
    """Return a source of words with parts of speech."""
    row = "EU NNP B-ORG\nsays VBZ O\nyes UH O\n\n"
    for split in ("train", "valid", "test"):
        (folder / f"{split}.txt").write_text(row * 30)
    return SourceRequest("files", str(folder))


@pytest.mark.parametrize("name", TASKS)
def test_an_open_option_of_the_recipe_is_the_open_track(name):
    recipe = TASKS[name].recipe
    assert {"carry_state"} == OPEN_RECIPE_OPTIONS
    for option in OPEN_RECIPE_OPTIONS:
        assert getattr(recipe, option) == 0
        assert track_of(TASKS[name], {option: 0.5}) is Track.OPEN
        assert track_of(TASKS[name], {option: 0.0}) is Track.STANDARD
    assert track_of(TASKS[name], {"dropout": 0.5, "learning_rate": 0.1}) is Track.STANDARD


def test_benchmarks_of_the_standard_track_set_no_open_option():
    for benchmark in load_registry(()).benchmarks.plugins.values():
        if benchmark.track is Track.STANDARD:
            for name, settings in benchmark.each_settings:
                assert track_of(TASKS[name], settings.options) is Track.STANDARD, benchmark.name
