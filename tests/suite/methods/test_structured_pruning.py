"""Structured pruning: the remaining parts compute the same, with smaller matrices."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from keras import ops

from suite.api import Form, task_options
from suite.api.plugins import TASKS, find_plugin
from suite.methods.structured_pruning import METHOD, num_removed
from suite.worker.data import encoded
from suite.worker.kept_models import first_batch, load_model
from suite.worker.train import cell
from tests.builders.models import WIDE, hidden_states, model_and_features
from tests.builders.trainings import job_of, plan, run


def context(**options):
    return SimpleNamespace(options={**METHOD.options, **options})


def test_the_number_of_removed_parts_depends_on_the_share_alone():
    assert [num_removed(4, share) for share in (0.0, 0.1, 0.25, 0.5, 0.99)] == [0, 0, 1, 2, 3]
    assert num_removed(1, 0.9) == 0


def silence(layer, heads, units):
    """Set the weights into and out of heads and units to zero, so that they add nothing."""
    attention, size = (
        layer.attention,
        layer.attention.key.units // layer.attention.num_key_value_heads,
    )
    shared = attention.num_heads // attention.num_key_value_heads
    for head in heads:
        own = slice(head * size, (head + 1) * size)
        queries = slice(head * size * shared, (head + 1) * size * shared)
        zero(attention.query, (slice(None), queries))
        zero(attention.key, (slice(None), own))
        zero(attention.value, (slice(None), own))
        zero(attention.output_projection, (queries,))
    network = layer.gated or layer
    for unit in units:
        for part in range(network.columns_per_unit):
            column = unit + part * network.num_removable_units
            zero(network.up_projection, (slice(None), slice(column, column + 1)))
        zero(network.down_projection, (slice(unit, unit + 1),))


def zero(dense, place):
    kernel = ops.convert_to_numpy(dense.kernel).copy()
    kernel[place] = 0
    dense.kernel.assign(kernel)


@pytest.mark.parametrize(
    ("name", "form"),
    [("vanilla", Form.ENCODER), ("llama", Form.DECODER)],
)
def test_heads_and_units_that_add_nothing_are_removed(name, form):
    """The hidden states stay the same, and so does decoding step by step."""
    model, features = model_and_features(name, form)
    model(features, training=False)
    (layer,) = (model.backbone.decoder or model.backbone.encoder).layers
    silence(layer, heads=[0, 2], units=[1, 3, 4])
    expected, count = hidden_states(model, features), model.parameter_counts()["mixing"]
    network = layer.gated or layer
    units = network.num_removable_units
    METHOD.compress(model, context(heads=0.5, feedforward=3 / units))
    np.testing.assert_allclose(hidden_states(model, features), expected, atol=2e-5)
    assert layer.attention.num_heads == 2 and network.num_removable_units == units - 3
    assert model.parameter_counts()["mixing"] < count
    assert METHOD.facts(model, context()) == {
        "head_count": 2,
        "feedforward_unit_count": units - 3,
    }
    rebuilt = type(layer).from_config(layer.get_config())
    rebuilt.build((2, features["token_ids"].shape[1], WIDE.width))
    assert shapes_of(rebuilt) == shapes_of(layer)
    if form is Form.DECODER:
        ids, state = features["token_ids"], model.backbone.init_state(2, 4)
        first, state = model.backbone.decode(ids[:, :3], state=state, training=False)
        next_, _ = model.backbone.decode(ids[:, 3:4], state=state, position=3, training=False)
        found = ops.convert_to_numpy(ops.concatenate([first, next_], axis=1))
        np.testing.assert_allclose(found, expected[:, :4], atol=2e-5)


def shapes_of(layer):
    return sorted((weight.name, *weight.shape) for weight in layer.weights)


@pytest.mark.usefixtures("eager", "few_scored_examples")
def test_a_compressed_model_is_loaded_from_its_weights(tmp_path, monkeypatch):
    """The loaded model lost other heads and units, as its weights were random then."""
    compressed, save = [], cell.save_model
    monkeypatch.setattr(
        cell, "save_model", lambda model, *given: compressed.append(model) or save(model, *given)
    )
    methods = ("structured_pruning:heads=0.5", "int8")
    parent, child = plan("language_modeling", "vanilla", *methods, steps=4)
    trained = run(job_of(parent, tmp_path))
    job = replace(job_of(child, tmp_path), keeps_weights=True)
    outcome = run(job)
    assert outcome["parameter_count"] < trained["parameter_count"]
    assert outcome["details"]["methods"]["structured_pruning"]["head_count"] == 2

    task = find_plugin(TASKS, job.cell.task)
    data = encoded.load(job, task, task_options(task, job.cell.options))
    loaded = load_model(job.weights, (), data)
    features = dict(first_batch(task, data, 4).features)
    assert loaded.parameter_counts() == outcome["parameter_counts"]
    outputs = [model(features, training=False) for model in (loaded, compressed[-1])]
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, outputs))
