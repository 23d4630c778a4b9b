"""Samples of decoders: unequal prompts, the rules that choose a token, and seeds."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from suite.api import Form, Inputs
from suite.worker.conformance.subjects import VOCABULARY, find_request
from suite.worker.model import Model, PositionHead
from suite.worker.train.samples import Sampler, Sampling, choose
from tests.architectures import ARCHITECTURES, slow_unless
from tests.builders.models import sharpened

DECODERS = [name for name, part in ARCHITECTURES.items() if Form.DECODER in part.forms]
OF_EACH_STATE = ("gpt", "longformer", "mamba2")
"""Decoders with keys, a ring of keys, and a recurrent state."""
PROMPTS = [[5, 3, 8], [7], [2, 30, 11, 4, 9]]
RULES = [Sampling(top_p=0.0), Sampling(0.9, seed=1), Sampling(top_p=0.8, seed=2)]
COUNT = 4


def make(name: str) -> Model:
    keras.utils.set_random_seed(5)
    request = find_request(ARCHITECTURES[name], Form.DECODER, Inputs.TOKEN_IDS)
    head = PositionHead(VOCABULARY)
    return sharpened(Model(None, ARCHITECTURES[name].build(request), head, Form.DECODER))


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    "name",
    [
        # JAX compiles each shape of each architecture.
        slow_unless(name in OF_EACH_STATE and keras.backend.backend() != "jax", name)
        for name in DECODERS
    ],
)
def test_a_batch_of_unequal_prompts_has_the_tokens_of_each_prompt_alone(name):
    """One backbone may keep a recurrent state, another a ring of keys: none sees padding."""
    sampler = Sampler(make(name), xla=False)
    together = sampler.sample(PROMPTS, RULES, COUNT)
    alone = [sampler.sample([PROMPTS[row]], [RULES[row]], COUNT)[0] for row in range(3)]
    assert together.tolist() == np.stack(alone).tolist()
    other = sampler.sample([PROMPTS[0], [9], PROMPTS[2]], RULES, COUNT)
    if not (ARCHITECTURES[name].control and name == "identity"):
        assert other[1].tolist() != together[1].tolist(), "the prompt changes nothing"
    assert other[::2].tolist() == together[::2].tolist()


@pytest.mark.parametrize("name", [slow_unless(False, "gpt"), "lstm"])
def test_a_compiled_greedy_sample_is_what_recomputation_chooses(name):
    model = make(name)
    found = Sampler(model, xla=True).sample(PROMPTS, [Sampling(top_p=0.0)] * 3, COUNT)
    for prompt, sample in zip(PROMPTS, found, strict=True):
        sequence = np.array([[*prompt, *sample]], "int32")
        features = {"token_ids": sequence, "padding_mask": np.ones(sequence.shape, bool)}
        scores = ops.convert_to_numpy(model(features, training=False))[0]
        first = len(prompt) - 1
        assert scores[first : first + COUNT].argmax(axis=-1).tolist() == sample.tolist()


@pytest.mark.usefixtures("eager")
def test_the_same_seed_draws_the_same_tokens_and_another_seed_others():
    sampler = Sampler(make("gpt"), xla=False)
    first, again, other = (
        sampler.sample([PROMPTS[0]] * 2, [Sampling(seed=seed), Sampling(seed=(seed, 1))], COUNT)
        for seed in (3, 3, 4)
    )
    assert first.tolist() == again.tolist()
    assert first[0].tolist() != other[0].tolist() and first[0].tolist() != first[1].tolist()


PROBABILITIES = np.array([0.02, 0.4, 0.08, 0.3, 0.2])


@pytest.mark.parametrize(
    ("temperature", "top_p", "expected"),
    [
        (1.0, 1.0, PROBABILITIES),
        (0.5, 1.0, PROBABILITIES**2),
        (1.0, 0.75, PROBABILITIES * [0, 1, 0, 1, 1]),  # 0.4 + 0.3 stay below 0.75
        (1.0, 0.69, PROBABILITIES * [0, 1, 0, 1, 0]),
        (2.0, 0.0, np.array([0, 1, 0, 0, 0])),
    ],
)
def test_tokens_are_drawn_from_the_nucleus_in_proportion_to_their_probability(
    temperature, top_p, expected
):
    count = 4_000
    uniform = ((np.arange(count) + 0.5) / count).astype("float32")  # as a sample would be spread
    scores = np.tile(np.log(PROBABILITIES), (count, 1)).astype("float32")
    rules = (np.full(count, value, "float32") for value in (temperature, top_p))
    tokens = ops.convert_to_numpy(choose(scores, *rules, uniform))
    shares = np.bincount(tokens, minlength=5) / count
    np.testing.assert_allclose(shares, expected / expected.sum(), atol=2e-3)


def test_the_largest_number_draws_a_token_of_the_nucleus():
    scores = np.random.default_rng(0).normal(size=(500, 997)).astype("float32")
    ones, largest = np.ones(500, "float32"), np.full(500, np.nextafter(1, 0, dtype="float32"))
    every = ops.convert_to_numpy(choose(scores, ones, ones, largest))
    assert ((every >= 0) & (every < 997)).all()
    greedy = ops.convert_to_numpy(choose(scores, ones, 0 * ones, largest))
    assert greedy.tolist() == scores.argmax(axis=-1).tolist()


def test_an_empty_prompt_is_refused():
    with pytest.raises(ValueError, match="at least one token"):
        Sampler(make("identity"), xla=False).sample([[1], []], RULES[:2], COUNT)
