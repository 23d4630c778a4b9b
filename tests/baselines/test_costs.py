"""Measured cost per length and layer. These tests take minutes and need an idle machine."""

from __future__ import annotations

import pytest

from suite.analysis.growth_fits import find_exponent, fit_quadratic
from suite.matrix.registry import load_registry
from tests.costs import measure

pytestmark = pytest.mark.slow

TOKENS = 16_384
GIB = 2**30
REGISTRY = load_registry().architectures.plugins


@pytest.mark.parametrize("name", ["bigbird", "longformer", "reformer"])
@pytest.mark.parametrize(
    ("mode", "tokens", "longest"), [("training", TOKENS, TOKENS), ("inference", 65_536, 65_536)]
)
def test_linear_architectures_cost_the_same_per_token_at_every_length(name, mode, tokens, longest):
    short, long = (
        measure(name, "encoder", mode, length, tokens, "small", 4) for length in (1_024, longest)
    )
    assert long["peak_bytes"] <= 1.3 * short["peak_bytes"]
    assert long["seconds"] <= 1.3 * short["seconds"]


@pytest.mark.parametrize("mode", ["training", "inference"])
def test_attention_in_blocks_holds_no_masks_of_the_whole_length(mode):
    """Masks of 8,192 tokens take 256 MiB per layer and pass."""
    short, long = (measure("vanilla", "decoder", mode, n, 8_192, "small", 4) for n in (512, 8_192))
    assert long["peak_bytes"] <= short["peak_bytes"] + 0.75 * GIB


TEXT = {
    name: "encoder" if "encoder" in architecture.forms else "decoder"
    for name, architecture in REGISTRY.items()
    if "token_ids" in architecture.inputs and not architecture.probe_only
}


@pytest.mark.parametrize(("name", "form"), TEXT.items())
def test_every_architecture_trains_at_16384(name, form):
    assert measure(name, form, "training", TOKENS, TOKENS, "small", 4)["peak_bytes"] <= 12 * GIB


LENGTHS = (1_024, 2_048, 4_096, 8_192, TOKENS)
LINEAR = [
    name for name in TEXT if REGISTRY[name].claimed_time == "n" and not REGISTRY[name].control
]


def costs_at_batch_1(name):
    """Return the seconds and the peak bytes of a training step on one sequence of each length."""
    found = [measure(name, TEXT[name], "training", n, n, "tiny", 2) for n in LENGTHS]
    return [[each[part] for each in found] for part in ("seconds", "peak_bytes")]


@pytest.mark.parametrize("name", LINEAR)
def test_the_exponents_of_linear_architectures_are_at_most_1_15(name):
    for costs in costs_at_batch_1(name):
        exponent = find_exponent(LENGTHS, costs)
        assert exponent is not None and exponent <= 1.15, (exponent, costs)


@pytest.mark.parametrize("name", ["hybrid", "modernbert"])
def test_costs_with_some_full_attention_are_a_sum_of_a_linear_and_a_quadratic_part(name):
    seconds, _ = costs_at_batch_1(name)
    fixed, linear, squared = fit_quadratic(LENGTHS, [seconds])
    for length, cost in zip(LENGTHS, seconds, strict=True):
        fitted = fixed + linear.value * length + squared.value * length**2
        assert fitted == pytest.approx(cost, rel=0.15)


def test_reformer_layers_store_few_activations():
    """The activation memory of each added layer at 8,192 tokens is small.

    The memory that does not depend on tokens (weights, gradients, moments, updates) is the same at
    2,048 tokens, so subtraction removes it.
    """
    added = {}
    for name in ("vanilla", "reformer"):
        peaks = {
            (tokens, layers): measure(name, "encoder", "training", 1_024, tokens, "small", layers)[
                "peak_bytes"
            ]
            for tokens in (2_048, 8_192)
            for layers in (4, 12)
        }
        many, few = (peaks[tokens, 12] - peaks[tokens, 4] for tokens in (8_192, 2_048))
        added[name] = (many - few) / 8 * 8_192 / (8_192 - 2_048)
    assert added["vanilla"] > 0
    assert added["reformer"] <= 0.15 * added["vanilla"], added
