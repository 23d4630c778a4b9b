"""Each factor of a block can vary: in all forms, in stepwise decoding, at equal parameters."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest

from baselines.layers.block import CHOICES, Block
from suite.api import Form, Inputs
from suite.worker.conformance.decoding import (
    CHECKS,
    decoding_in_steps_equals_the_full_pass,
    the_state_has_its_declared_size,
)
from suite.worker.conformance.gradients import BACKEND
from suite.worker.conformance.models import judge_parity
from suite.worker.conformance.passes import (
    adding_padding_changes_nothing,
    gradients_reach_every_weight,
    padding_does_not_leak,
)
from suite.worker.conformance.subjects import LENGTH, SIZE, Subject, request_for
from tests.architectures import ARCHITECTURES, assert_passes, slow_unless

VANILLA = ARCHITECTURES["vanilla"]
VALUES = [
    *({name: value} for name, values in CHOICES.items() for value in values),
    {"key_value_heads": 1},
    {"window": 3},
    {"short_convolution": 4},
    {"scaled_embeddings": False},
    {"embedding_norm": True},
    {
        "positions": "rotary",
        "norm": "rms",
        "norm_placement": "before",
        "feedforward": "gated",
        "key_value_heads": 1,
        "window": 5,
        "short_convolution": 3,
    },
]
VARIED = [value for value in VALUES if not value.items() <= VANILLA.options.items()]
AT_EACH_POSITION = (
    {"norm_placement": "before", "activation": "gelu", "scaled_embeddings": False},
    {"norm": "rms", "activation": "gelu_tanh", "embedding_norm": True},
)
"""Factors that mix no positions, in two models; the last of `VALUES` has the gated network."""
OF_NO_POSITIONS = {name for value in AT_EACH_POSITION for name in value} | {"feedforward"}
MIXED = [value for value in VARIED if not value.keys() <= OF_NO_POSITIONS] + [*AT_EACH_POSITION]

OF_FACTORS = (
    padding_does_not_leak,
    adding_padding_changes_nothing,
    gradients_reach_every_weight,
    *CHECKS[Form.ENCODER_DECODER],
)
QUICK = (
    padding_does_not_leak,
    gradients_reach_every_weight,
    decoding_in_steps_equals_the_full_pass,
    the_state_has_its_declared_size,
)
"""The checks that a factor can break; the order is tested below."""


def request_with(architecture=VANILLA, form=Form.ENCODER, size=SIZE, **options):
    options = {**architecture.options, **options}
    kind = Inputs.TOKEN_IDS
    return request_for(architecture, kind, form=form, model_size=size, options=options)


def name_of(options):
    return " ".join(f"{name}={value}" for name, value in options.items())


# The last of `VALUES` has these factors together.
TOGETHER = ("key_value_heads", "short_convolution", "window")


@pytest.fixture(
    scope="module",
    params=[slow_unless(next(iter(value)) not in TOGETHER, value) for value in MIXED],
    ids=name_of,
)
def varied(request):
    """Options, and a small encoder-decoder with them; no test changes its weights."""
    return request.param, Subject(VANILLA, request_with(form=Form.ENCODER_DECODER, **request.param))


@pytest.mark.parametrize(
    "check",
    [slow_unless(check in QUICK, check) for check in OF_FACTORS],
    ids=lambda check: check.__name__,
)
def test_a_factor_passes_the_checks_of_an_architecture(varied, check):
    assert_passes(check, varied[1])


def test_the_order_matters_unless_there_are_no_positions(varied):
    """A reversed sequence would not do: in an encoder, ALiBi is the same on both sides."""
    options, subject = varied
    values, mask = subject.values(1), np.ones((1, LENGTH), bool)
    states = subject.encode(values, mask)
    rolled = np.roll(subject.encode(np.roll(values, 1, axis=1), mask), -1, axis=1)
    assert (np.abs(rolled - states).max() > 1e-3) == (options.get("positions") != "none")


@pytest.mark.skipif(BACKEND != "tensorflow", reason="counts are the same on every backend")
@pytest.mark.parametrize("options", VARIED, ids=name_of)
def test_parameters_are_those_of_the_defaults_within_a_tenth(options):
    found = judge_parity(count(**options) / count(), None)
    assert found.low <= found.figure <= found.high


@cache
def count(**options) -> int:
    """Return the parameters of `vanilla` without its embeddings."""
    size = dataclasses.replace(SIZE, width=64, feedforward_width=256, num_heads=4)
    backbone = VANILLA.build(request_with(form=Form.ENCODER_DECODER, size=size, **options))
    backbone.build((1, LENGTH))
    embedded = sum(part.count_params() for part in backbone.embedding_layers)
    return backbone.count_params() - embedded


def test_a_window_hides_what_is_outside():
    subject = Subject(VANILLA, request_with(size=dataclasses.replace(SIZE, num_layers=1), window=3))
    source, mask = subject.values(1), np.ones((1, LENGTH), bool)
    other = source.copy()
    other[0, 9] = (other[0, 9] + 1) % 2
    moved = np.abs(subject.encode(source, mask) - subject.encode(other, mask))[0].max(axis=-1)
    assert (moved > 1e-6).nonzero()[0].tolist() == [7, 8, 9, 10, 11]


def test_a_short_convolution_adds_its_operations_and_inputs():
    plain, convolved = Block(key_value_heads=1), Block(key_value_heads=1, short_convolution=4)
    channels = SIZE.num_layers * (SIZE.width + 2 * SIZE.width // SIZE.num_heads)
    asked = request_with(form=Form.ENCODER_DECODER)
    added = convolved.mixing_operations(asked) - plain.mixing_operations(asked)
    assert added == 2 * 2 * 4 * channels * LENGTH
    kept = convolved.state_bytes(asked, LENGTH, 4) - plain.state_bytes(asked, LENGTH, 4)
    assert kept == 3 * channels * 4


def test_a_window_needs_fewer_operations():
    asked = request_with()
    every = 4.0 * SIZE.width * SIZE.num_layers
    assert Block().mixing_operations(asked) == every * LENGTH**2
    pairs = 5 * LENGTH - 2 * 3  # two positions at each end miss three neighbours together
    assert Block(window=3).mixing_operations(asked) == every * pairs
