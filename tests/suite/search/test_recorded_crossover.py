"""Crossover points of published costs: one comparison answers, and nothing is run."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from suite.api import RequestError
from suite.matrix.request import Request
from suite.search.crossover import published_cost_crossover
from tests.builders.cost_pairs import SPEED, measured

PAIR = Request(architectures=("vanilla", "bert"))


def costs(bert, lengths=(512, 2_048), machine="here"):
    """Return probes of `vanilla`, and of `bert`, whose speed is a multiple of it at each length."""
    return [
        replace(record, machine=machine)
        for length, factor in zip(lengths, bert, strict=True)
        for entry, speed in (("vanilla", 100.0), ("bert", 100.0 * factor))
        for record in measured(entry, speed, 4e6, length=length)
    ]


def test_a_crossing_is_interpolated_and_says_what_was_measured():
    found = published_cost_crossover(PAIR, costs((0.5, 2.0)), SPEED)
    assert found.crossing.length.value == pytest.approx(1_024)
    assert found.crossing.length.n == 3
    told = str(found)
    assert told.startswith("bert overtakes vanilla in training.tokens_per_second at length 1,024")
    assert "\n  published: encoder, 8,192 tokens a batch" in told and "Session of 2026-" in told
    assert json.loads(json.dumps(found.to_dict()))["measured"].startswith("encoder, ")


def test_the_comparison_with_the_most_common_lengths_counts():
    few = costs((2.0, 2.0), machine="few")
    more = costs((0.5, 0.5, 0.5), (512, 2_048, 4_096), machine="more")
    found = published_cost_crossover(PAIR, [*few, *more], SPEED)
    assert found.crossing.always == "vanilla" and "on more" in found.measured
    chosen = Request(architectures=PAIR.architectures, lengths=(512, 2_048))
    found = published_cost_crossover(chosen, [*few, *more], SPEED)
    assert found.crossing.searched_to == 2_048


@pytest.mark.parametrize(
    "changes",
    [
        {"form": "decoder"},
        {"precisions": ("mixed_bfloat16",)},
        {"backends": ("jax",)},
        {"model_size": "base"},
        {"batch_size": 64},
        {"lengths": (512,)},
        {"architectures": ("vanilla", "gpt")},
    ],
)
def test_costs_of_other_settings_are_an_error(changes):
    request = Request(**{"architectures": PAIR.architectures, **changes})
    with pytest.raises(RequestError, match="of both entries at two lengths or more"):
        published_cost_crossover(request, costs((0.5, 2.0)), SPEED)
