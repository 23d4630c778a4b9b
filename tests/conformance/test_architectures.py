"""Contract tests for every architecture of the registry."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from suite.api import (
    Form,
    Inputs,
    Recipe,
)
from suite.api.errors import Unsupported
from suite.worker.data.batches import Batch
from suite.worker.steps import (
    Model,
    PositionHead,
    fix_randomness,
    make_optimizer,
    make_prediction_step,
    make_training_step,
)
from tests.architectures import (
    ARCHITECTURES,
    CASES,
    DECODERS,
    ENCODERS,
    LENGTH,
    REAL,
    SIZE,
    assert_gradients_reach,
    encode,
    encoder_of,
    main_inputs,
    random_inputs,
    request_for,
)
from tests.gradients import BACKEND, create_weights, without_compiling


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request):
    """A backbone and its kind of inputs; no test changes its weights."""
    name, inputs = request.param
    keras.utils.set_random_seed(3)
    backbone = ARCHITECTURES[name].build(request_for(ARCHITECTURES[name], inputs))
    given = random_inputs(inputs, 2, LENGTH), np.ones((2, LENGTH), bool)
    create_weights(encoder_of(backbone), *given)
    return name, inputs, backbone


def test_every_declared_form_and_kind_of_inputs_is_tested():
    for name, architecture in ARCHITECTURES.items():
        tested = {Form.ENCODER} if name in ENCODERS else set()
        tested |= {form for decoder, form in DECODERS if decoder == name}
        assert tested == architecture.forms, name
        kinds = {inputs for known, inputs in CASES if known == name}
        if BACKEND == "tensorflow" and Form.ENCODER in architecture.forms:
            assert kinds == architecture.inputs, name


def test_shape(case):
    _, inputs, backbone = case
    mask = np.ones((2, LENGTH), bool)
    assert encode(backbone, random_inputs(inputs, 2, LENGTH), mask).shape == (2, LENGTH, SIZE.width)


def test_values_at_padded_positions_change_nothing(case):
    _, inputs, backbone = case
    mask = np.arange(LENGTH)[None, :] < np.array([[REAL], [LENGTH]])
    values = random_inputs(inputs, 2, LENGTH)
    others = values.copy()
    others[0, REAL:] = random_inputs(inputs, 1, LENGTH, seed=9)[0, REAL:]
    first, second = encode(backbone, values, mask), encode(backbone, others, mask)
    np.testing.assert_allclose(first[mask], second[mask], atol=1e-5)


def test_padding_changes_nothing(case):
    name, inputs, backbone = case
    architecture = ARCHITECTURES[name]
    if architecture.content_dependent_layout or architecture.length_dependent_layout:
        assert "padding" in (architecture.__doc__ or "").lower()
        return
    values = random_inputs(inputs, 1, LENGTH)
    mask = np.arange(LENGTH)[None, :] < REAL
    padded = encode(backbone, values, mask)[:, :REAL]
    alone = encode(backbone, values[:, :REAL], mask[:, :REAL])
    np.testing.assert_allclose(padded, alone, atol=1e-5)


def test_members_of_a_batch_do_not_mix(case):
    _, inputs, backbone = case
    values, mask = random_inputs(inputs, 3, LENGTH), np.ones((3, LENGTH), bool)
    together = encode(backbone, values, mask)
    alone = np.concatenate([encode(backbone, values[i : i + 1], mask[:1]) for i in range(3)])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_order_matters(case):
    _, inputs, backbone = case
    values, mask = random_inputs(inputs, 1, LENGTH), np.ones((1, LENGTH), bool)
    forward = encode(backbone, values, mask)
    backward = encode(backbone, values[:, ::-1], mask)[:, ::-1]
    assert np.abs(forward - backward).max() > 1e-3


def test_gradients_reach_every_weight(case):
    _, inputs, backbone = case
    values, mask = random_inputs(inputs, 2, LENGTH), np.ones((2, LENGTH), bool)
    aim = np.random.default_rng(5).normal(size=(2, LENGTH, SIZE.width)).astype("float32")

    def loss():
        hidden_states, _ = backbone.encode(values, padding_mask=mask, training=True)
        return ops.sum(hidden_states[:, backbone.extra_positions :] * ops.convert_to_tensor(aim))

    assert_gradients_reach(backbone, loss)


class Projected(keras.layers.Layer):
    """A task's embedding, for architectures that accept patches or embeddings."""

    def call(self, features, training=None):
        return features["values"]


def model_of(name: str, seed: int = 0) -> tuple[Model, Batch]:
    fix_randomness(seed)
    architecture, inputs = ARCHITECTURES[name], main_inputs(ARCHITECTURES[name])
    one_layer = dataclasses.replace(SIZE, num_layers=1)  # compiling takes time
    model = Model(
        None if inputs is Inputs.TOKEN_IDS else Projected(),
        architecture.build(request_for(architecture, inputs, dropout=0.1, model_size=one_layer)),
        PositionHead(3),
    )
    values = random_inputs(inputs, 2, LENGTH)
    key = "token_ids" if inputs is Inputs.TOKEN_IDS else "values"
    features = {key: values, "padding_mask": np.ones((2, LENGTH), bool)}
    length = 1 if model.backbone.extra_positions else LENGTH
    labels = np.random.default_rng(1).integers(3, size=(2, length)).astype("int32")
    return model, Batch(features, {"labels": labels}, 2 * LENGTH, 2)


def loss_of(outputs, targets, features):
    return ops.mean(
        ops.sparse_categorical_crossentropy(targets["labels"], outputs, from_logits=True)
    )


def learning_curve(name: str, xla: bool) -> list[float]:
    model, batch = model_of(name)
    # SGD, because compiling Adam would take half the time.
    step = make_training_step(model, loss_of, keras.optimizers.SGD(0.05), xla)
    return [float(step(batch)) for _ in range(6)]


@pytest.mark.parametrize("name", ENCODERS)
def test_training_lowers_the_loss_and_repeats_with_the_same_seed(name):
    with without_compiling():
        first, again = (learning_curve(name, xla=False) for _ in range(2))
    assert first == again
    assert first[-1] < first[0]


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow has steps without XLA")
@pytest.mark.parametrize("name", ENCODERS)
def test_training_with_xla_lowers_the_loss(name):
    curve = learning_curve(name, xla=True)
    assert curve[-1] < curve[0]


def skip_unless_attention_takes(name: str, half: str) -> None:
    """Skip a test of keras-hub in float16 on JAX, whose attention XLA has only on accelerators."""
    if (name, half, BACKEND) == ("hub", "float16", "jax"):
        pytest.skip("XLA has no float16 products with float32 sums on a processor")


@pytest.mark.parametrize("name", ENCODERS)
def test_training_in_float16_lowers_the_loss(name):
    """The loss scale halves until gradients fit, so the first steps may be skipped."""
    skip_unless_attention_takes(name, "float16")
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model, batch = model_of(name)
        recipe = Recipe(learning_rate=0.01, warmup_share=0.0)
        step = make_training_step(model, loss_of, make_optimizer(recipe, 100), xla=False)
        with without_compiling():
            curve = [float(step(batch)) for _ in range(8)]
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(curve).all()
    assert curve[-1] < curve[0]


EVERY_FORM = [
    (name, form)
    for name, architecture in ARCHITECTURES.items()
    for form in sorted(architecture.forms)
]


@pytest.mark.skipif(BACKEND != "jax", reason="only JAX lowers for an absent device")
@pytest.mark.parametrize(("name", "form"), EVERY_FORM)
def test_a_training_step_lowers_for_tpu(name, form):
    """Exporting reports operations that a TPU does not support, without a TPU."""
    import jax

    from suite.worker.backends.jax import make_update, states_of

    architecture, inputs = ARCHITECTURES[name], main_inputs(ARCHITECTURES[name])
    request = request_for(architecture, inputs, form=form, dropout=0.1)
    embedding = None if inputs is Inputs.TOKEN_IDS else Projected()
    model = Model(embedding, architecture.build(request), PositionHead(3), form)
    values = random_inputs(inputs, 2, LENGTH)
    features = {"padding_mask": np.ones((2, LENGTH), bool), "target_ids": values}
    features["token_ids" if inputs is Inputs.TOKEN_IDS else "values"] = values
    length = 1 if model.backbone.extra_positions else LENGTH
    batch = Batch(features, {"labels": np.zeros((2, length), "int32")}, 2 * LENGTH, 2)
    optimizer = keras.optimizers.AdamW(1e-3)
    states = [
        [jax.ShapeDtypeStruct(variable.shape, variable.dtype) for variable in group]
        for group in states_of(model, optimizer, batch)
    ]
    step = jax.jit(make_update(model, loss_of, optimizer))
    exported = jax.export.export(step, platforms=["tpu"])(
        *states, dict(batch.features), dict(batch.targets)
    )
    assert exported.platforms == ("tpu",)


@pytest.mark.parametrize("name", ENCODERS)
def test_weights_are_saved_and_loaded(name, tmp_path):
    model, batch = model_of(name, seed=1)
    other, _ = model_of(name, seed=2)
    predict, predict_other = (
        make_prediction_step(m, lambda outputs, *_: outputs, xla=False) for m in (model, other)
    )
    with without_compiling():
        expected = predict(batch)
        assert np.abs(predict_other(batch) - expected).max() > 1e-3
        model.save_weights(tmp_path / "model.weights.h5")
        other.load_weights(tmp_path / "model.weights.h5")
        np.testing.assert_allclose(predict_other(batch), expected, atol=1e-6)


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_unsupported_forms_and_inputs_are_rejected(name):
    architecture = ARCHITECTURES[name]
    assert architecture.paper and architecture.title and architecture.__doc__
    for form in set(Form) - architecture.forms:
        request = request_for(architecture, Inputs.TOKEN_IDS, form=form)
        with pytest.raises(Unsupported, match=f"has no {form} form; it has: "):
            architecture.build(request)
    for inputs in set(Inputs) - architecture.inputs:
        with pytest.raises(Unsupported, match=f"does not take {inputs}; it takes: "):
            architecture.build(request_for(architecture, inputs, form=min(architecture.forms)))


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_a_width_that_is_no_multiple_of_the_heads_is_rejected(name):
    architecture = ARCHITECTURES[name]
    uneven = dataclasses.replace(SIZE, num_heads=3)
    request = request_for(architecture, main_inputs(ARCHITECTURES[name]), model_size=uneven)
    request = dataclasses.replace(request, form=min(architecture.forms))
    with pytest.raises(Unsupported, match="multiple of its heads; received: width=16, num_heads=3"):
        architecture.build(request)


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", ENCODERS)
def test_half_precision_gives_nearly_the_same(name, half):
    """The median position is tested: in Reformer, rounding may change the bucket of a few."""
    skip_unless_attention_takes(name, half)
    architecture = ARCHITECTURES[name]
    inputs = main_inputs(architecture)
    mask = np.arange(LENGTH)[None, :] < np.array([[REAL], [LENGTH]])
    given = random_inputs(inputs, 2, LENGTH)
    states = {}
    for precision in ("float32", f"mixed_{half}"):
        keras.config.set_dtype_policy(precision)
        try:
            keras.utils.set_random_seed(3)  # the weights are float32 and equal in both
            backbone = architecture.build(request_for(architecture, inputs))
            create_weights(encoder_of(backbone), given, mask)
            states[precision] = encode(backbone, given, mask).astype("float32")[mask]
        finally:
            keras.config.set_dtype_policy("float32")
    exact, rounded = states["float32"], states[f"mixed_{half}"]
    assert str(backbone.compute_dtype) == half
    distances = np.linalg.norm(exact - rounded, axis=-1) / np.linalg.norm(exact, axis=-1)
    assert 0 < np.median(distances) < 0.05
