"""Each factor of a block varies alone: in all forms, in stepwise decoding, at equal parameters."""

from __future__ import annotations

import dataclasses
from functools import cache

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers.block import CHOICES, Block
from suite.api import Form, Inputs, Unsupported
from tests.architectures import (
    ARCHITECTURES,
    LENGTH,
    REAL,
    SIZE,
    assert_gradients_reach,
    random_inputs,
    request_for,
)
from tests.conformance.test_parity import parity_problem
from tests.gradients import BACKEND, create_weights, run

VANILLA, GPT = ARCHITECTURES["vanilla"], ARCHITECTURES["gpt"]
VALUES = [
    *({name: value} for name, values in CHOICES.items() for value in values),
    {"key_value_heads": 1},
    {"window": 3},
    {
        "positions": "rotary",
        "norm": "rms",
        "norm_placement": "before",
        "feedforward": "gated",
        "key_value_heads": 1,
        "window": 5,
    },
]
VARIED = [value for value in VALUES if not value.items() <= VANILLA.options.items()]
POSITIONS = [value for value in CHOICES["positions"] if value != GPT.options["positions"]]


def ids_of(options):
    return " ".join(f"{name}={value}" for name, value in options.items())


@pytest.fixture(scope="module", params=VARIED, ids=ids_of)
def translator(request):
    """The options of a small encoder-decoder, and its weights; no test changes them."""
    keras.utils.set_random_seed(3)
    options = {**VANILLA.options, **request.param}
    asked = request_for(
        VANILLA, Inputs.TOKEN_IDS, form=Form.ENCODER_DECODER, options=options, model_size=SIZE
    )
    backbone = VANILLA.build(asked)
    create_weights(both(backbone), *inputs_of())
    return request.param, backbone


def inputs_of():
    source, target = (random_inputs(Inputs.TOKEN_IDS, 2, LENGTH, seed) for seed in (0, 1))
    return source, target, np.arange(LENGTH)[None, :] < np.array([[REAL], [LENGTH]])


def both(backbone):
    """Return a function to the states of the encoder, then of the decoder, in one array."""

    def compute(source, target, mask):
        encoded, _ = backbone.encode(source, padding_mask=mask)
        decoded, _ = backbone.decode(target, encoder_output=encoded, encoder_mask=mask)
        return ops.concatenate([encoded, decoded], axis=1)

    return compute


def test_padding_later_tokens_and_other_examples_change_nothing(translator):
    options, backbone = translator
    source, target, mask = inputs_of()
    compute, later = both(backbone), 11
    states = run(compute, source, target, mask)
    changed = [np.where(mask, source, 0), target.copy()]
    changed[1][:, later:] = 0
    other = run(compute, *changed, mask)
    same = np.concatenate([mask, np.arange(LENGTH)[None, :].repeat(2, 0) < later], axis=1)
    np.testing.assert_allclose(other[same], states[same], atol=1e-5)
    assert np.abs(other - states)[:, LENGTH + later :].max() > 1e-3
    # A reversed sequence would not do: without a causal mask, ALiBi is the same on both sides.
    rolled = run(compute, np.roll(source, 1, axis=1), target, np.ones_like(mask))[1, :LENGTH]
    order_matters = np.abs(np.roll(rolled, -1, axis=0) - states[1, :LENGTH]).max() > 1e-3
    assert order_matters == (options.get("positions") != "none")


def test_decoding_step_by_step_equals_decoding_at_once(translator):
    _, backbone = translator
    source, target, mask = inputs_of()
    whole = run(both(backbone), source, target, mask)[:, LENGTH:]
    encoded = backbone.project_encoder_output(backbone.encode(source, padding_mask=mask)[0])
    state = backbone.init_state(2, LENGTH)
    for start, stop in ((0, 1), (1, 2), (2, 7), (7, LENGTH)):
        states, state = backbone.decode(
            target[:, start:stop],
            encoder_output=encoded,
            encoder_mask=mask,
            state=state,
            position=start,
        )
        np.testing.assert_allclose(ops.convert_to_numpy(states), whole[:, start:stop], atol=1e-5)


def test_gradients_reach_every_weight(translator):
    _, backbone = translator
    inputs = inputs_of()
    aim = np.random.default_rng(5).normal(size=(2, 2 * LENGTH, SIZE.width)).astype("float32")
    assert_gradients_reach(
        backbone, lambda: ops.sum(both(backbone)(*inputs) * ops.convert_to_tensor(aim))
    )


@pytest.mark.skipif(BACKEND != "tensorflow", reason="counts are the same on every backend")
def test_parameters_are_those_of_the_defaults_within_a_tenth(translator):
    options, _ = translator
    assert parity_problem(count(**options) / count(), None) is None


@cache
def count(**options) -> int:
    """Return the parameters of `vanilla` without its embeddings."""
    backbone = VANILLA.build(
        request_for(
            VANILLA,
            Inputs.TOKEN_IDS,
            form=Form.ENCODER_DECODER,
            options={**VANILLA.options, **options},
            model_size=dataclasses.replace(SIZE, width=64, feedforward_width=256, num_heads=4),
        )
    )
    backbone.build((1, LENGTH))
    embedded = sum(part.count_params() for part in backbone.embedding_layers)
    return backbone.count_params() - embedded


@pytest.mark.parametrize("positions", POSITIONS)
def test_gpt_decodes_step_by_step_with_any_positions(positions):
    keras.utils.set_random_seed(3)
    options = {**GPT.options, "positions": positions}
    backbone = GPT.build(request_for(GPT, Inputs.TOKEN_IDS, form=Form.DECODER, options=options))
    target = random_inputs(Inputs.TOKEN_IDS, 2, LENGTH)
    decode = lambda target: backbone.decode(target)[0]  # noqa: E731
    create_weights(decode, target)
    whole, state = run(decode, target), backbone.init_state(2, LENGTH)
    for start, stop in ((0, 1), (1, 12), (12, LENGTH)):
        states, state = backbone.decode(target[:, start:stop], state=state, position=start)
        np.testing.assert_allclose(ops.convert_to_numpy(states), whole[:, start:stop], atol=1e-5)


def test_a_window_hides_what_is_outside():
    keras.utils.set_random_seed(3)
    one_layer = dataclasses.replace(SIZE, num_layers=1)
    options = {**VANILLA.options, "window": 3}
    asked = request_for(VANILLA, Inputs.TOKEN_IDS, options=options, model_size=one_layer)
    backbone = VANILLA.build(asked)
    source = random_inputs(Inputs.TOKEN_IDS, 1, LENGTH)
    other = source.copy()
    other[0, 9] += 1
    states, changed = (ops.convert_to_numpy(backbone.encode(part)[0]) for part in (source, other))
    moved = np.abs(states - changed)[0].max(axis=-1) > 1e-6
    assert moved.nonzero()[0].tolist() == [7, 8, 9, 10, 11]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positions": "rotatory"}, "has positions none, sinusoidal, .* positions=rotatory"),
        ({"norm_placement": "first"}, "has norm_placement after, before; received: .*=first"),
        ({"key_value_heads": 0}, "divide the heads; received: num_heads=2, key_value_heads=0"),
        ({"key_value_heads": "2"}, "divide the heads"),
        ({"window": 0}, "window of at least 1 position; received: window=0"),
        ({"window": 2.5}, "received: window=2.5"),
    ],
)
def test_an_invalid_factor_is_rejected_before_anything_is_built(options, message):
    asked = request_for(VANILLA, Inputs.TOKEN_IDS, options={**VANILLA.options, **options})
    with pytest.raises(Unsupported, match=message):
        VANILLA.build(asked)


@pytest.mark.parametrize(("positions", "heads"), [("sinusoidal", 5), ("rotary", 2)])
def test_odd_sizes_are_rejected(positions, heads):
    odd = dataclasses.replace(SIZE, width=5 if heads == 5 else 6, num_heads=heads)
    asked = request_for(
        VANILLA,
        Inputs.TOKEN_IDS,
        options={**VANILLA.options, "positions": positions},
        model_size=odd,
    )
    with pytest.raises(Unsupported, match=rf"even .*width={odd.width}, num_heads={heads}"):
        VANILLA.build(asked)


def test_a_window_needs_fewer_operations():
    asked = request_for(VANILLA, Inputs.TOKEN_IDS, options=dict(VANILLA.options))
    every = 4.0 * SIZE.width * SIZE.num_layers
    assert Block().mixing_operations(asked) == every * LENGTH**2
    pairs = 5 * LENGTH - 2 * 3  # two positions at each end miss three neighbours together
    assert Block(window=3).mixing_operations(asked) == every * pairs
