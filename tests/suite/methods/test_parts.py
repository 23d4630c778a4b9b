"""The parts that architectures declare as missing: cells that need one are refused when planned."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from suite.api import Form, Inputs, Part, Unsupported
from suite.api.plugins import METHODS, find_plugin
from suite.methods._efficient_tuning import layers_of
from suite.worker.conformance.gradients import without_compiling
from suite.worker.conformance.subjects import find_request, main_inputs, random_inputs
from suite.worker.model import Model, PositionHead
from tests.architectures import ARCHITECTURES

POSITIONS = ("none", "sinusoidal", "learned", "rotary", "alibi", "relative", "t5")
CASES = [
    pytest.param(name, form, {}, marks=pytest.mark.slow if is_repeated else ())
    for name, architecture in ARCHITECTURES.items()
    for form in sorted(architecture.forms)
    for is_repeated in [
        form is not Form.ENCODER_DECODER and Form.ENCODER_DECODER in architecture.forms
    ]
]
"""Each architecture and form; an encoder-decoder has the layers of both."""
WITH_OPTIONS = [
    *(("vanilla", Form.ENCODER, {"positions": positions}) for positions in POSITIONS),
    ("llama", Form.DECODER, {"latent_rank": 8}),
    ("hybrid", Form.DECODER, {"attention_query_key_norm": "width"}),
    ("hybrid", Form.DECODER, {"pattern": "linear_attention,attention"}),
    ("hybrid", Form.ENCODER_DECODER, {"pattern": "convolution,lstm"}),
    ("hybrid", Form.ENCODER_DECODER, {"pattern": "rg_lru,mlstm"}),
]


def lacking(name, form, options):
    """Return the request of an architecture, and the parts that methods do not find."""
    architecture = ARCHITECTURES[name]
    inputs = main_inputs(architecture) if form is Form.ENCODER else Inputs.TOKEN_IDS
    request = find_request(architecture, form, inputs)
    request = replace(request, options={**request.options, **options})
    length = request.sequence_length
    values = random_inputs(inputs, 2, length, width=request.model_size.width)
    mask = np.ones((2, length), bool)
    name_of_inputs = "token_ids" if inputs is Inputs.TOKEN_IDS else "patches"
    features = {name_of_inputs: values, "target_ids": values, "padding_mask": mask}

    backbone = architecture.build(request)
    found = set()
    if inputs is Inputs.TOKEN_IDS and refuses(backbone.tie_embeddings):  # before it is built
        found.add(Part.TABLE)
    model = Model(None, backbone, PositionHead(3), form)
    model(features, training=False)
    pruning = find_plugin(METHODS, "structured_pruning")
    for part, heads, units in ((Part.HEADS, 0.5, 0.0), (Part.UNITS, 0.0, 0.5)):
        asked = SimpleNamespace(options={"heads": heads, "feedforward": units})
        if refuses(pruning.model, model, asked):
            found.add(part)
    if not any(hasattr(layer, "add_adapters") for layer in layers_of(backbone)):
        found.add(Part.ADAPTERS)
    if getattr(backbone, "embed", None) is None:
        found.add(Part.EMBEDDED)
    if not hasattr(backbone, "add_prefix") or refuses(backbone.add_prefix, 3):
        found.add(Part.PREFIX)
    return request, found


def refuses(change, *arguments):
    """Return whether a change of a model is unsupported."""
    try:
        change(*arguments)
    except Unsupported:
        return True
    return False


@pytest.mark.parametrize(("name", "form", "options"), CASES + WITH_OPTIONS)
def test_an_architecture_declares_the_parts_that_it_lacks(name, form, options):
    with without_compiling():
        request, found = lacking(name, form, options)
    declared = ARCHITECTURES[name].missing_parts(request)
    assert set(declared) == found and len(set(declared)) == len(declared)
