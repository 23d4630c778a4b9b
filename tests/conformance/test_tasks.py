"""Tests of the task contract, for every task in the registry."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from suite.api import Examples, Inputs, SourceRequest, task_options
from suite.matrix.registry import load_registry
from suite.worker.data.batches import evaluation_batches, training_stream
from suite.worker.train.evaluation import MAX_PARTS, scores_without_part
from tests.builders.task_data import WIDTH, build_head, load_little

TASKS = load_registry().tasks.plugins


@pytest.fixture(scope="module", params=list(TASKS))
def loaded(request):
    task = TASKS[request.param]
    return task, load_little(task)


def test_descriptions_and_terms_are_stated(loaded):
    task, _ = loaded
    assert task.title and task.summary and task.position and task.default_lengths
    assert task.default_source in task.sources
    for source in task.sources.values():
        assert source.summary and source.licence and source.citation


PUBLISHED = ("listops", "pathfinder", "retrieval", "long range arena", "mqar")
"""Names of published generated tasks."""


@pytest.mark.parametrize("name", TASKS)
def test_a_published_name_is_borne_with_its_sizes(name):
    """A generated task of other sizes says so in its title; a task of ours has its own name."""
    task = TASKS[name]
    title = task.title.lower()
    for published in PUBLISHED:
        if published in title and f"after {published}" not in title:
            assert f"up to {max(task.default_lengths):,} symbols" in title
        assert published not in name or published in title


def test_all_arrays_of_a_split_have_the_same_number_of_examples(loaded):
    task, data = loaded
    for examples in (data.train, data.validation, data.test):
        count, length = examples.features["padding_mask"].shape
        assert length == task.default_lengths[0] and count == examples.num_examples > 0
        assert examples.features["padding_mask"].dtype == bool
        assert examples.features["padding_mask"].any(axis=1).all()
        for arrays in (examples.features, examples.targets):
            assert all(len(values) == count for values in arrays.values())


def test_an_evaluation_length_has_the_features_and_the_vocabulary_of_the_training(loaded):
    task, data = loaded
    if not task.evaluation_lengths_supported:
        pytest.skip("the task declares no evaluation lengths")
    length, source = 2 * task.default_lengths[0], SourceRequest(task.default_source)
    options, size = task_options(task, {}), data.spec.get("vocabulary_size")
    found = task.load_evaluation(source, length, options, data.spec)
    assert set(found) == {"validation", "test"}
    for split, examples in found.items():
        trained = getattr(data, split)
        assert examples.features["padding_mask"].shape[1] == length
        for one, other in (
            (examples.features, trained.features),
            (examples.targets, trained.targets),
        ):
            assert {name: values.dtype for name, values in one.items()} == {
                name: values.dtype for name, values in other.items()
            }
        if size is not None and "token_ids" in examples.features:
            assert examples.features["token_ids"].max() < size


def test_loading_is_reproducible(loaded):
    task, data = loaded
    again = load_little(task)
    assert again.facts["fingerprint"] == data.facts["fingerprint"]
    for name, values in data.test.features.items():
        assert (again.test.features[name] == values).all()


def test_raw_examples_differ_between_lengths_only_if_the_source_says_so(loaded):
    task, data = loaded
    longer = load_little(task, task.default_lengths[1])
    is_other = longer.facts["fingerprint"] != data.facts["fingerprint"]
    assert is_other == task.sources[task.default_source].drawn_for_length


def test_the_number_of_global_positions_is_declared(loaded):
    """An architecture with global attention creates its global projections by this number."""
    task, data = loaded
    features = data.train.features
    most = 0
    if "global_mask" in features:
        most = int((features["global_mask"] & features["padding_mask"]).sum(axis=1).max())
    assert task.max_global_tokens == most


def test_facts_include_fingerprint_terms_and_overlap(loaded):
    _, data = loaded
    assert data.facts["examples"]["test"] > 0
    for name in ("fingerprint", "licence", "citation", "redistributable"):
        assert name in data.facts
    assert set(data.facts["shared_with_train"]) == {"validation", "test"}


def test_embedding_head_loss_and_score_fit_together(loaded):
    task, data = loaded
    keras.utils.set_random_seed(0)
    embedding = task.build_embedding(data.spec, WIDTH)
    if embedding is None:
        # The architecture embeds token ids or projects patches.
        assert "patches" in data.train.features or data.spec["vocabulary_size"] > 1
        embedding, has_unit_variance = Projection(data.spec.get("vocabulary_size")), False
    else:
        # The architecture projects patches, whatever their variance.
        has_unit_variance = task.inputs is not Inputs.PATCHES
        if not has_unit_variance:
            embedding = keras.Sequential([embedding, keras.layers.Dense(WIDTH)])
    head = build_head(task, data, getattr(embedding, "project", None))
    batch = next(training_stream(data.train, 2, seed=0))
    embedded = embedding(batch.features, training=True)
    assert tuple(embedded.shape) == (*batch.features["padding_mask"].shape, WIDTH)
    if has_unit_variance:
        assert 0.3 < float(np.std(ops.convert_to_numpy(embedded))) < 3
    outputs = head(embedded, batch.features)
    loss = float(ops.convert_to_numpy(task.loss(outputs, batch.targets, batch.features)))
    assert np.isfinite(loss) and loss > 0
    few = first_examples(data.validation, 96)
    predictions = np.concatenate(
        [
            ops.convert_to_numpy(
                task.predict(
                    head(embedding(part.features), part.features), part.targets, part.features
                )
            )[: part.num_examples]
            for part in evaluation_batches(few, 64)
        ]
    )
    score = task.score(few, predictions, data.spec)
    value = score.metrics[task.primary_metric.name]
    assert value is not None and value >= 0
    assert value <= 1 or not task.primary_metric.higher_is_better
    parts = scores_without_part(task, few, predictions, data.spec)
    assert set(parts) == set(score.metrics)
    assert 2 <= len(parts[task.primary_metric.name]) <= MAX_PARTS
    for shown in task.show(few, predictions, data.spec):
        assert isinstance(shown.input, str) and isinstance(shown.right, bool)


def first_examples(examples: Examples, count: int) -> Examples:
    """Return the first examples; scoring all of them repeats the same work."""
    parts = (examples.features, examples.targets)
    return Examples(*({name: values[:count] for name, values in part.items()} for part in parts))


class Projection(keras.layers.Layer):
    """Replaces an architecture: embeds token ids or projects patches."""

    def __init__(self, vocabulary_size):
        super().__init__()
        if vocabulary_size:
            self.project = keras.layers.Embedding(vocabulary_size, WIDTH)
        else:
            self.project = keras.layers.Dense(WIDTH)

    def call(self, features, training=None):
        return self.project(features.get("patches", features.get("token_ids")))


def test_the_loss_ignores_padding(loaded):
    task, data = loaded
    batch = next(training_stream(data.train, 2, seed=0))
    length = batch.features["padding_mask"].shape[1]
    mask = np.arange(length)[None, :] < np.array([[length // 2], [length]])
    features = {**batch.features, "padding_mask": mask}
    if "target_mask" in features:
        features["target_mask"] = mask
    head = build_head(task, data)
    hidden = np.random.default_rng(0).normal(size=(*mask.shape, WIDTH)).astype("float32")
    other = np.where(mask[:, :, None], hidden, 7.0).astype("float32")
    losses = [
        float(task.loss(head(states, features), batch.targets, features))
        for states in (hidden, other)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
