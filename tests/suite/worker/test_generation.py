"""Generation: greedy decoding and beam search against exhaustive search."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
import pytest
from keras import ops

from suite.api import Form, Generation
from suite.worker.data.batches import Batch
from suite.worker.generation import BeamSearch
from suite.worker.model import Model
from tests.architectures import ARCHITECTURES, slow_unless
from tests.builders.models import make_model, sharpened

VOCABULARY, LENGTH = 7, 4
RULES = Generation(start_id=2, end_id=3, num_beams=3, length_penalty=0.0)
NAMES = [name for name, part in ARCHITECTURES.items() if Form.ENCODER_DECODER in part.forms]
OF_EACH_STATE = ("longformer", "mamba2", "transformer_xl", "vanilla")
"""Decoders with a ring of keys, a recurrent state, memories of a segment, and keys."""
EXACT = [
    ("vanilla", {}),
    slow_unless(False, "transformer_xl", {}),
    slow_unless(False, "longformer", {"matched_projections": False}),  # its global token is special
    slow_unless(False, "reformer", {"chunk": LENGTH}),
]
"""Architectures whose outputs do not depend on later positions; Reformer only without hashing."""


@cache
def make(name: str, **changes: Any) -> Model:
    """Return a model that no test changes."""
    options = {**({"chunk": 2} if name == "reformer" else {}), **changes}
    settings = {"num_layers": 2, "max_global_tokens": 1, **options}
    model = make_model(name, Form.ENCODER_DECODER, LENGTH, VOCABULARY, **settings)
    model(features_of(np.zeros((1, LENGTH), "int32"), np.zeros((1, LENGTH), "int32")))
    return sharpened(model)


def source_features(source: np.ndarray) -> dict[str, np.ndarray]:
    """Return the features of sources without padding, whose first position is global."""
    return {
        "token_ids": source,
        "padding_mask": np.ones(source.shape, bool),
        "global_mask": np.arange(source.shape[1])[None, :] < np.ones((len(source), 1)),
    }


def features_of(source: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    return {
        **source_features(source),
        "target_ids": target,
        "target_mask": np.ones(target.shape, bool),
    }


def sources(count: int) -> Batch:
    ids = np.random.default_rng(0).integers(4, VOCABULARY, size=(count, LENGTH)).astype("int32")
    ids[:, -1] = RULES.end_id
    return Batch(source_features(ids), {}, ids.size, count)


def log_probabilities(model: Model, source: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return the log probability of each token of each answer, teacher-forced."""
    given = np.pad(answers[:, :-1], ((0, 0), (1, 0)), constant_values=RULES.start_id)
    repeated = np.repeat(source[None], len(answers), axis=0)
    outputs = model(features_of(repeated, given.astype("int32")), training=False)
    scores = ops.convert_to_numpy(ops.log_softmax(outputs, axis=-1)).astype("float64")
    return np.take_along_axis(scores, answers[:, :, None], axis=2)[:, :, 0]


def all_answers() -> np.ndarray:
    """Return all answers: no padding or start tokens, and nothing after the end token."""
    kept = []
    allowed = [token for token in range(VOCABULARY) if token not in (0, RULES.start_id)]
    for answer in itertools.product([0, *allowed], repeat=LENGTH):
        ended = answer.index(RULES.end_id) if RULES.end_id in answer else LENGTH
        if all(t == 0 for t in answer[ended + 1 :]) and 0 not in answer[: ended + 1]:
            kept.append(answer)
    return np.array(kept)


def total(model: Model, source: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return np.where(answers == 0, 0.0, log_probabilities(model, source, answers)).sum(axis=1)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("name", "options"), EXACT)
def test_greedy_decoding_takes_the_most_likely_token_of_each_step(name, options):
    model, batch = make(name, **options), sources(3)
    answers = BeamSearch(model, RULES, 1, LENGTH).search(batch)
    every = all_answers()
    for source, answer in zip(batch.features["token_ids"], answers, strict=True):
        alternatives = log_probabilities(model, source, every)
        for place in range(LENGTH):
            if 0 in answer[: place + 1]:
                break
            same = (every[:, :place] == answer[:place]).all(axis=1)
            best = every[same][alternatives[same, place].argmax(), place]
            assert answer[place] == best


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("name", "options"), EXACT)
def test_a_beam_search_without_pruning_finds_the_most_likely_answer(name, options):
    model, batch = make(name, **options), sources(3)
    every = all_answers()
    answers = BeamSearch(model, RULES, VOCABULARY ** (LENGTH - 1), LENGTH).search(batch)
    for source, answer in zip(batch.features["token_ids"], answers, strict=True):
        expected = every[total(model, source, every).argmax()]
        assert (answer == expected).all()


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("name", [slow_unless(name in OF_EACH_STATE, name) for name in NAMES])
def test_answers_end_and_do_not_depend_on_other_sources_of_the_batch(name):
    model, batch = make(name), sources(5)
    beam_search = BeamSearch(model, RULES, 2, LENGTH)
    together = beam_search.search(batch)
    assert together.shape == (5, LENGTH)
    for row in together:
        if RULES.end_id in row:
            assert (row[list(row).index(RULES.end_id) + 1 :] == 0).all()
    swapped = {key: values[::-1].copy() for key, values in batch.features.items()}
    again = beam_search.search(Batch(swapped, {}, batch.num_tokens, 5))
    assert (again[::-1] == together).all()


def test_an_answer_has_at_most_as_many_end_tokens_as_its_source():
    model, batch = make("vanilla"), sources(4)
    batch.features["token_ids"][:, 1] = RULES.end_id
    answers = BeamSearch(model, RULES, 2, LENGTH).search(batch)
    for row in answers:
        ends = (row == RULES.end_id).sum()
        assert ends <= 2
        if ends == 1:  # too few end tokens: the answer reaches the maximum length
            assert row[-1] != 0
