"""A model that carries state continues the previous batch, unless a batch is fresh."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from suite.api import Form, Recipe
from suite.worker.data.batches import Batch
from suite.worker.model import Model, mean_cross_entropy
from suite.worker.steps import make_optimizer, make_prediction_step, make_training_step
from tests.builders.models import make_model

LENGTH, BATCH = 6, 3
CARRYING = ("transformer_xl", "lstm")


def make_carrying(name: str, carries: bool = True) -> Model:
    options = {"segment": LENGTH, "memory": 64} if name == "transformer_xl" else {}
    settings = {"num_layers": 2, "carries_state": carries, **options}
    return make_model(name, Form.DECODER, LENGTH, 11, **settings)


def make_batch(token_ids: np.ndarray, fresh: bool) -> Batch:
    mask = np.ones(token_ids.shape, bool)
    features = {"token_ids": token_ids.astype("int32"), "padding_mask": mask}
    return Batch(features, {"labels": token_ids.astype("int32")}, mask.size, len(mask), fresh)


def parts(fresh: bool) -> list[Batch]:
    stream = np.random.default_rng(0).integers(11, size=(BATCH, 3 * LENGTH))
    pieces = np.split(stream, 3, axis=1)
    return [make_batch(piece, fresh or index == 0) for index, piece in enumerate(pieces)]


def outputs_of(model: Model, batches: list[Batch]) -> list[np.ndarray]:
    predict = make_prediction_step(model, lambda outputs, *_: outputs, xla=False)
    return [predict(batch) for batch in batches]


@pytest.mark.parametrize("name", CARRYING)
def test_the_parts_of_a_stream_have_the_outputs_of_one_pass(name):
    model = make_carrying(name)
    found = np.concatenate(outputs_of(model, parts(fresh=False)), axis=1)
    whole = np.concatenate([batch.features["token_ids"] for batch in parts(True)], axis=1)
    hidden_states, _ = model.backbone.decode(whole)
    expected = keras.ops.convert_to_numpy(model.head(hidden_states))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("name", CARRYING)
def test_a_fresh_batch_does_not_depend_on_the_previous_batch(name):
    model = make_carrying(name)
    alone, continued = outputs_of(model, parts(fresh=True)), outputs_of(model, parts(fresh=False))
    np.testing.assert_allclose(alone[0], continued[0], atol=1e-6)
    assert np.abs(alone[1] - continued[1]).max() > 1e-3
    np.testing.assert_allclose(outputs_of(model, parts(fresh=True))[2], alone[2], atol=1e-6)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    ("name", "carries"), [("transformer_xl", False), ("lstm", False), ("vanilla", True)]
)
def test_without_carried_state_batches_are_independent(name, carries):
    model = make_carrying(name, carries)
    assert not model.carries_state
    for fresh, continued in zip(
        outputs_of(model, parts(True)), outputs_of(model, parts(False)), strict=True
    ):
        np.testing.assert_allclose(fresh, continued, atol=1e-6)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("name", CARRYING)
def test_training_continues_from_the_state_of_the_previous_batch(name):
    losses = {}
    for fresh in (True, False):
        model = make_carrying(name)
        step = make_training_step(
            model,
            mean_cross_entropy,
            make_optimizer(Recipe(), 100),
            xla=False,
        )
        losses[fresh] = [float(step(batch)) for batch in parts(fresh)]
    assert losses[True][0] == pytest.approx(losses[False][0], rel=1e-5)
    assert losses[True][1] != pytest.approx(losses[False][1], rel=1e-5)
