"""Counts of operations: against enumeration, and against each other."""

from __future__ import annotations

import pytest

from baselines.layers.flops import all_pairs, pairs_in_window
from suite.api import BuildRequest, Form, Inputs
from suite.matrix.registry import load_registry
from suite.records.model_sizes import MODEL_SIZES

ARCHITECTURES = load_registry(()).architectures.plugins
SIZE = MODEL_SIZES["tiny"]


def request_for(name: str, length: int, form: Form = Form.ENCODER, **options) -> BuildRequest:
    inputs = Inputs.PATCHES if name == "vit" else Inputs.TOKEN_IDS
    own = {**ARCHITECTURES[name].defaults(options), **options}
    return BuildRequest(form, inputs, SIZE, length, own)


def count(name: str, length: int, form: Form = Form.ENCODER, **options) -> float:
    return ARCHITECTURES[name].mixing_operations(request_for(name, length, form, **options))


WITHOUT_A_COUNT = {"identity", "linformer"}
"""One mixes nothing, and the count of the other leaves out weights of the length."""
COUNTED = [
    *(
        (name, form, {})
        for name, architecture in ARCHITECTURES.items()
        if name not in WITHOUT_A_COUNT
        for form in sorted(architecture.forms)
    ),
    *(
        (name, form, {"window": 16})
        for name in ("vanilla", "llama")
        for form in (Form.ENCODER, Form.DECODER, Form.ENCODER_DECODER)
    ),
    ("llama", Form.DECODER, {"latent_rank": 16}),
    ("hybrid", Form.DECODER, {"attention_window": 16}),
    ("hybrid", Form.DECODER, {"pattern": "mamba2,lstm"}),
    *(("hybrid", form, {"pattern": "samba"}) for form in sorted(Form)),
    *(("hybrid", form, {"pattern": "window_attention,attention"}) for form in sorted(Form)),
]


@pytest.mark.parametrize(("name", "form", "options"), COUNTED)
def test_claims_are_the_growth_of_the_operations(name, form, options):
    """Encoder-decoders have attention to the encoder's output."""
    short, long = (count(name, length, form, **options) for length in (2**19, 2**20))
    found = "n" if long < 2.1 * short else "n log n" if long < 2.5 * short else "n^2"
    request = request_for(name, 2**20, form, **options)
    assert ARCHITECTURES[name].claimed_costs(request)[0] == found


@pytest.mark.parametrize(
    ("length", "before", "after"), [(7, 2, 2), (7, 3, 0), (5, 9, 9), (1, 2, 2)]
)
def test_pairs_in_a_window_equal_their_enumeration(length, before, after):
    pairs = sum(-before <= key - query <= after for query in range(length) for key in range(length))
    assert pairs_in_window(length, before, after) == pairs


def test_full_attention_is_two_products_of_all_pairs():
    operations = SIZE.num_layers * 2 * 2 * SIZE.width * all_pairs(100, causal=False)
    assert count("vanilla", 100) == count("bert", 100) == operations
    assert count("gpt", 100, Form.DECODER) == pytest.approx(operations * 101 / 200)
    assert count("vit", 99) == operations, "the class token is a position"
    both = count("vanilla", 100, Form.ENCODER_DECODER)
    assert both == pytest.approx(operations * (1 + 101 / 200 + 1))


@pytest.mark.parametrize(
    ("name", "length", "forms", "options", "factor"),
    [
        ("longformer", 100, (Form.ENCODER, Form.DECODER), {"window": [200]}, 1),
        ("reformer", 64, (Form.ENCODER,), {}, 1),  # one chunk
        ("reformer", 16, (Form.DECODER,), {}, 1),
        # One segment, and scores by distance beside those by content.
        ("transformer_xl", 100, (Form.ENCODER,), {"segment": 100, "memory": 0}, 1.5),
        ("llama", 100, Form, {}, 1),
        ("t5", 100, Form, {}, 1),
    ],
)
def test_what_sees_all_pairs_counts_as_full_attention(name, length, forms, options, factor):
    for form in forms:
        assert count(name, length, form, **options) == factor * count("vanilla", length, form)


@pytest.mark.parametrize("form", [Form.ENCODER, Form.DECODER])
@pytest.mark.parametrize("num_sinks", [0, 3, 30])
def test_a_window_with_sinks_counts_the_pairs_that_it_shows(form, num_sinks):
    length, window = 23, 5
    pairs = 0
    for query in range(length):
        for key in range(length):
            near = abs(key - query) < window or key < num_sinks
            pairs += near and (form is Form.ENCODER or key <= query)
    found = count("llama", length, form, window=window, num_sinks=num_sinks)
    assert found == SIZE.num_layers * 4 * SIZE.width * pairs


def test_rwkv7_counts_the_products_of_a_chunk():
    """Heads of 64 channels, in two chunks of 64 positions."""
    size, chunk = 64, 64
    of_states = ["r S", "κ S", "b uᵀ", "k vᵀ"]
    compared = ["r b", "κ b", "r k", "κ k", "(κ k) v", "T ((κ k) v)", "T κ", "(r b) u", "(r k) v"]
    pairs = chunk * (chunk + 1) / 2
    products = len(of_states) * chunk * size * size + len(compared) * pairs * size
    inverse = chunk**3 / 3
    heads = SIZE.num_layers * SIZE.width // size
    found = count("rwkv7", 2 * chunk, Form.DECODER)
    assert found == pytest.approx(2 * heads * (2 * products + inverse))


@pytest.mark.parametrize(
    ("sharing", "projections"),
    [("layerwise", 1), ("key_value", SIZE.num_layers), ("headwise", 2 * SIZE.num_layers)],
)
def test_a_projection_of_linformer_counts_each_weight_once_for_each_channel(sharing, projections):
    length, projected = 1_000, 32
    found = count("linformer", length, sharing=sharing, projected_length=projected)
    weights = projections * length * projected
    counted_by_the_suite = 2 * weights * length
    attention = SIZE.num_layers * 4 * SIZE.width * length * projected
    products = SIZE.num_layers * 2 * 2 * length * projected * SIZE.width  # of keys and values
    assert found + counted_by_the_suite == attention + products
