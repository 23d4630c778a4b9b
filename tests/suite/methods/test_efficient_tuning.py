"""LoRA, adapters and prompts: a frozen model, and few trained weights."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from keras.ops import convert_to_numpy as convert

from suite.api import Form
from suite.api.plugins import METHODS, find_plugin
from suite.methods._efficient_tuning import NORM_WEIGHTS, layers_of
from suite.worker.conformance.decoding import (
    decoding_in_steps_equals_the_full_pass,
    no_look_ahead,
)
from suite.worker.conformance.gradients import without_compiling
from suite.worker.conformance.kit import checks_of
from suite.worker.conformance.passes import (
    EQUAL,
    difference,
    gradients_reach_every_weight,
    padding_does_not_leak,
    shape_is_batch_length_width,
)
from suite.worker.conformance.subjects import Subject, find_request, main_inputs
from suite.worker.model import Model, PositionHead
from tests.architectures import ARCHITECTURES, assert_passes, slow_unless

OPTIONS: dict[str, dict[str, Any]] = {
    "lora": {"rank": 2, "embeddings": True},
    "adapter": {"size": 2},
    "prompt": {"length": 3},
}
REFUSED = {"lora": (), "adapter": ("hub",), "prompt": ("hub", "linformer", "transformer_xl")}
"""The architectures that a method refuses."""
FORMS = (Form.ENCODER, Form.DECODER)
GRADIENTS = (
    "lora-longformer-encoder",
    "lora-reformer-encoder",
    "lora-transformer_xl-encoder",
    "lora-vanilla-decoder",
    "adapter-reformer-encoder",
    "adapter-vanilla-encoder",
    "prompt-vanilla-encoder",
)
"""The quick cases: layers that read kernels, or that have gradients of their own."""
RULES = ("prompt-longformer-encoder", "prompt-vanilla-decoder")
"""The quick cases of causality and padding: an adapter mixes no positions."""
THAT_A_METHOD_CAN_BREAK = (
    decoding_in_steps_equals_the_full_pass,
    no_look_ahead,
    padding_does_not_leak,
    shape_is_batch_length_width,
)


def cases(quick, methods=tuple(OPTIONS)):
    """Return each method with each architecture and form; others than the quick ones are slow."""
    return [
        pytest.param(
            method,
            name,
            form,
            id=f"{method}-{name}-{form}",
            marks=() if f"{method}-{name}-{form}" in quick else pytest.mark.slow,
        )
        for method in methods
        for name, architecture in ARCHITECTURES.items()
        for form in FORMS
        if form in architecture.forms and name not in REFUSED[method]
    ]


def tuned(method, name, form, **options):
    """Return a subject whose backbone a method changed, its model, and its output before."""
    architecture = ARCHITECTURES[name]
    inputs = main_inputs(architecture)
    subject = Subject(architecture, find_request(architecture, form, inputs))
    model = Model(None, subject.backbone, PositionHead(3), form)
    before = output(subject)
    plugin = find_plugin(METHODS, method)
    context: Any = SimpleNamespace(
        options={**plugin.options, **OPTIONS[method], **options}, build=subject.request
    )
    plugin.model(model, context)
    return subject, model, before


def output(subject):
    """Return the hidden states, and forget the pass: JAX compiles it with the weights it has."""
    decodes = subject.form is Form.DECODER
    found = (
        subject.decode(subject.values())
        if decodes
        else subject.encode(subject.values(), subject.mask)
    )
    subject.passes.clear()
    return found


def shake(subject):
    """Set the added weights, some of which start at 0, so that all have gradients."""
    generator = np.random.default_rng(0)
    for weight in subject.backbone.trainable_weights:
        if weight.name not in NORM_WEIGHTS:
            weight.assign(generator.normal(scale=0.1, size=weight.shape))


@pytest.fixture(autouse=True)
def eager():
    with without_compiling():
        yield


@pytest.mark.parametrize(("method", "name", "form"), cases(GRADIENTS))
def test_gradients_reach_the_added_weights_and_the_rest_is_frozen(method, name, form):
    subject, model, before = tuned(method, name, form)
    start = difference(output(subject), before)
    assert start <= {"lora": EQUAL, "adapter": 0.1, "prompt": math.inf}[method]
    names = {weight.name for weight in subject.backbone.trainable_weights}
    expected = {
        "lora": {"lora_kernel_a", "lora_kernel_b", "lora_embeddings_a", "lora_embeddings_b"},
        "adapter": {"kernel", "bias", *NORM_WEIGHTS},
        "prompt": {"vectors"},
    }[method]
    assert names <= expected
    shake(subject)
    assert difference(output(subject), before) > 1e-3
    assert_passes(gradients_reach_every_weight, subject)
    counts, facts = model.parameter_counts(), find_plugin(METHODS, method).facts(model, None)
    assert counts["total"] == sum(math.prod(weight.shape) for weight in model.weights)
    trained = sum(math.prod(weight.shape) for weight in subject.backbone.trainable_weights)
    assert facts["num_trained_weights"] == trained  # the head has no weights yet
    assert 0 < facts["trained_weights_share"] < 0.5


@pytest.mark.parametrize(("method", "name", "form"), cases(RULES, ("adapter", "prompt")))
def test_causality_padding_and_decoding_stay_right(method, name, form):
    subject, _, _ = tuned(method, name, form)
    for check in checks_of(ARCHITECTURES[name], form):
        if check in THAT_A_METHOD_CAN_BREAK:
            assert_passes(check, subject)


@pytest.mark.parametrize("name", ["vanilla", slow_unless(False, "transformer_xl")])
def test_merged_lora_equals_unmerged(tmp_path, name):
    """Keras saves the sum of a kernel and its update: a plain model loads the merged kernels."""
    subject, model, before = tuned("lora", name, Form.ENCODER, alpha=3.0)
    shake(subject)
    unmerged = output(subject)
    assert difference(unmerged, before) > 1e-2
    layer = next(part for part in layers_of(subject.backbone) if hasattr(part, "lora_kernel_a"))
    kernel, a, b = (
        convert(part) for part in (layer._kernel, layer.lora_kernel_a, layer.lora_kernel_b)
    )
    expected = kernel + 3.0 / 2 * a @ b
    np.testing.assert_allclose(convert(layer.kernel), expected, atol=1e-6)
    features = {"token_ids": subject.values(), "padding_mask": subject.mask}
    path = tmp_path / "model.weights.h5"
    plain, plain_model, _ = tuned("lora", name, Form.ENCODER, alpha=3.0)
    for built in (model, plain_model):
        built(features)  # creates the weights of the head
    model.save_weights(path)
    plain_model.load_weights(path)
    assert difference(output(plain), unmerged) <= EQUAL
    merged = next(part for part in layers_of(plain.backbone) if hasattr(part, "lora_kernel_a"))
    assert not convert(merged.lora_kernel_b).any()
    np.testing.assert_allclose(convert(merged._kernel), expected, atol=1e-6)
