"""Contract tests for every architecture of the registry: the kit, and what it leaves out."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from suite.api import Form, Inputs, Recipe
from suite.api.errors import Unsupported
from suite.worker.conformance import decoding
from suite.worker.conformance.gradients import BACKEND, without_compiling
from suite.worker.conformance.models import (
    OF_MODELS,
    Projected,
    learning_curve,
    model_of,
)
from suite.worker.conformance.subjects import (
    LENGTH,
    SIZE,
    Case,
    main_inputs,
    random_inputs,
    request_for,
)
from suite.worker.data.batches import Batch
from suite.worker.model import Model, PositionHead, mean_cross_entropy
from suite.worker.steps import default_policy, make_optimizer, make_training_step
from tests.architectures import (
    ARCHITECTURES,
    ENCODERS,
    MIXED_AS_ANOTHER,
    assert_passes,
    checks_of_passes,
    is_quick,
    slow_unless,
    subject_of,
)

CHECKS = checks_of_passes()
MODELS = [
    (name, form)
    for name, architecture in ARCHITECTURES.items()
    for form in sorted(architecture.forms)
]


def is_quick_model(name: str, form: Form) -> bool:
    """Return whether the model is that of a decoder alone, or stands for all encoders."""
    return ARCHITECTURES[name].forms == {Form.DECODER} or (name, form) == ("vanilla", Form.ENCODER)


@pytest.mark.parametrize("name", [slow_unless(is_quick(*CHECKS[name]), name) for name in CHECKS])
def test_a_check_of_a_case_passes(name):
    named, check = CHECKS[name]
    assert_passes(check, subject_of(named))


@pytest.mark.parametrize(("share", "fails"), [(1e-6, False), (2e-5, True)])
def test_decoding_may_differ_by_rounding_of_the_architecture_alone(monkeypatch, share, fails):
    """A Transformer of two layers rounds by less than the share of a compiler, which is 1e-4."""
    subject = subject_of(("vanilla", Case(Form.DECODER, Inputs.TOKEN_IDS)))
    states = subject.decode(subject.values()) * (1 + share)
    monkeypatch.setattr(decoding, "decode_in_steps", lambda *_: states)
    found = decoding.decoding_in_steps_equals_the_full_pass(subject)
    assert found.figure < 1e-4 and (found.figure > found.high) == fails


@pytest.mark.parametrize("check", OF_MODELS)
@pytest.mark.parametrize(
    ("name", "form"), [slow_unless(is_quick_model(*model), *model) for model in MODELS]
)
def test_a_check_of_a_model_passes(name, form, check):
    assert_passes(check, ARCHITECTURES[name], form)


# test_keras_training.py trains layers of all architectures by XLA.
@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow has steps without XLA")
def test_training_with_xla_lowers_the_loss():
    curve = learning_curve(ARCHITECTURES["vanilla"], Form.ENCODER, 4, xla=True)
    assert curve[-1] < curve[0]


def skip_unless_attention_takes(name: str, half: str) -> None:
    """Skip a test of keras-hub in float16 on JAX, whose attention XLA has only on accelerators."""
    if (name, half, BACKEND) == ("hub", "float16", "jax"):
        pytest.skip("XLA has no float16 products with float32 sums on a processor")


@pytest.mark.parametrize(
    "name", [slow_unless(name in ("mamba2", "vanilla"), name) for name in ENCODERS]
)
def test_training_in_float16_lowers_the_loss(name):
    """The loss scale halves until gradients fit, so the first steps may be skipped."""
    skip_unless_attention_takes(name, "float16")
    with default_policy("mixed_float16"), without_compiling():
        model, batch = model_of(ARCHITECTURES[name])
        recipe = Recipe(learning_rate=0.01, warmup_share=0.0)
        step = make_training_step(model, mean_cross_entropy, make_optimizer(recipe, 100), xla=False)
        curve = [float(step(batch)) for _ in range(8)]
    assert np.isfinite(curve).all()
    assert curve[-1] < curve[0]


FORMS_TO_LOWER = [
    slow_unless(
        name not in MIXED_AS_ANOTHER and form in ({Form.ENCODER_DECODER} & forms or forms),
        name,
        form,
    )
    for name, forms in ((name, part.forms) for name, part in ARCHITECTURES.items())
    for form in sorted(forms)
]
"""The quick form is the encoder-decoder, where there is one: it has the layers of both others."""


@pytest.mark.skipif(BACKEND != "jax", reason="only JAX lowers for an absent device")
@pytest.mark.parametrize(("name", "form"), FORMS_TO_LOWER)
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
    step = jax.jit(make_update(model, mean_cross_entropy, optimizer))
    exported = jax.export.export(step, platforms=["tpu"])(
        *states, dict(batch.features), dict(batch.targets)
    )
    assert exported.platforms == ("tpu",)


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
