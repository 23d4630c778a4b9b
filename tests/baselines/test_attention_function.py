"""The attention function against its definition: heads, windows, sinks, biases, blocks, dropout."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from baselines.layers.attention import attention
from baselines.layers.attention_blocks import (
    BLOCK_BYTES,
    MAX_BLOCKS,
    Pattern,
    Span,
    plan_blocks,
    plan_blocks_of_heads,
)
from baselines.layers.backends import backend_functions
from suite.worker.conformance.gradients import BACKEND, differentiate, run
from tests.architectures import slow_on_jax_unless
from tests.builders.attention import BATCH, HEADS, LENGTH, oracle, states, visible

BY_QUERY = BATCH * HEADS * LENGTH * 4 * 7
"""Bytes of scores per block: seven queries of all examples, or a few more."""
BY_EXAMPLE = 2 * HEADS * LENGTH * LENGTH * 4
CASES = {
    "full": {},
    "causal": {"causal": True},
    "window": {"window": 5},
    "causal window": {"causal": True, "window": 5},
    "window over all": {"causal": True, "window": 99},
    "window of one": {"causal": True, "window": 1},
    "sinks": {"causal": True, "window": 5, "num_sinks": 3},
    "sinks on both sides": {"window": 4, "num_sinks": 7},
}


@pytest.mark.parametrize(
    ("name", "block_bytes"),
    [
        slow_on_jax_unless(block_bytes == BY_QUERY or name == "sinks", name, block_bytes)
        for name in CASES
        for block_bytes in (None, BY_QUERY, BY_EXAMPLE)
    ],
)
def test_attention_equals_its_definition(name, block_bytes):
    options, arrays = CASES[name], states()
    lengths = np.array([LENGTH, 30, 11], "int32")
    found = run(
        lambda *a: attention(*a, **options, lengths=lengths, block_bytes=block_bytes), *arrays
    )
    real = np.arange(LENGTH)[None, None, None, :] < lengths[:, None, None, None]
    expected = oracle(*arrays, visible(LENGTH, **options) & real)
    # A query whose window lies behind the real keys sees none of these.
    sees_some = (visible(LENGTH, **options)[None] & real[:, 0]).any(axis=-1)
    for example in range(BATCH):
        rows = sees_some[example]
        np.testing.assert_allclose(found[example][:, rows], expected[example][:, rows], atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_large_scores_and_examples_without_keys(causal):
    """Without the maximum, large scores overflow, and rows without keys divide 0 by 0.

    What rows without keys return is not defined, but their values and gradients are finite.
    """
    arrays = [*(10 * part for part in states()[:2]), states()[2]]
    lengths = np.array([LENGTH, 17, 0], "int32")
    aim = np.random.default_rng(1).normal(size=arrays[0].shape).astype("float32")

    def gradients(size, examples):
        def loss(*states):
            mixed = attention(*states, causal=causal, lengths=lengths, block_bytes=size)
            return ops.sum((mixed * ops.convert_to_tensor(aim))[:examples])

        return differentiate(loss, arrays)

    (whole, of_whole), (blocks, of_blocks) = (gradients(size, 2) for size in (None, BY_QUERY))
    assert float(blocks) == pytest.approx(float(whole), rel=1e-4)
    for one, other in zip(of_whole, of_blocks, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3, rtol=1e-3)
    value, of_all = gradients(BY_QUERY, 3)
    assert np.isfinite(value) and all(np.isfinite(part).all() for part in of_all)


@pytest.mark.parametrize("size", [1, 16, 17, 31, 64, 96, 1_023])
def test_row_max_is_the_maximum_wherever_it_lies(size):
    scores = np.random.default_rng(0).normal(size=(size, size)).astype("float32") - 9.0
    np.fill_diagonal(scores, np.arange(1, size + 1))
    found = run(lambda scores: backend_functions().row_max(scores), scores)
    np.testing.assert_array_equal(found, np.max(scores, axis=-1, keepdims=True))


@pytest.mark.parametrize(
    ("name", "by_example", "block_bytes"),
    [("causal", False, BY_QUERY), ("sinks", True, BY_EXAMPLE)],
)
def test_biases_are_added_and_have_gradients(name, by_example, block_bytes):
    generator = np.random.default_rng(1)
    arrays, options = states(), CASES[name]
    shape = (BATCH if by_example else 1, 1, LENGTH, LENGTH)
    bias = generator.normal(size=shape).astype("float32")
    by_distance = generator.normal(size=(HEADS, 2 * LENGTH - 1)).astype("float32")
    aim = generator.normal(size=arrays[0].shape).astype("float32")
    found = []
    for size in (None, block_bytes):

        def loss(query, key, value, bias, by_distance, size=size):
            biases = {"bias": bias, "distance_bias": by_distance}
            given = {"scale": 1.0, "block_bytes": size, **biases, **options}
            mixed = attention(query, key, value, **given)
            return ops.sum(mixed * ops.convert_to_tensor(aim))

        value, gradients = differentiate(loss, [*arrays, bias, by_distance])
        found.append([value, *gradients])
    distances = np.arange(LENGTH)[None, :] - np.arange(LENGTH)[:, None] + LENGTH - 1
    both = bias + by_distance[:, distances][None]
    expected = oracle(*arrays, visible(LENGTH, **options), both, scale=1.0)
    assert found[0][0] == pytest.approx((expected * aim).sum(), rel=1e-4)
    for whole, blocks in zip(*found, strict=True):
        np.testing.assert_allclose(whole, blocks, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    "name", [slow_on_jax_unless(name in ("full", "causal", "sinks"), name) for name in CASES]
)
def test_blocks_change_no_gradient(name):
    arrays, options = states(), CASES[name]
    aim = np.random.default_rng(2).normal(size=arrays[0].shape).astype("float32")
    found = []
    for block_bytes in (None, BY_QUERY):

        def loss(query, key, value, block_bytes=block_bytes):
            mixed = attention(query, key, value, **options, block_bytes=block_bytes)
            return ops.sum(mixed * ops.convert_to_tensor(aim))

        found.append(differentiate(loss, arrays)[1])
    for whole, blocks in zip(*found, strict=True):
        np.testing.assert_allclose(whole, blocks, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_the_newest_queries_see_the_keys_before_them(name):
    options, arrays = CASES[name], states(num_queries=9)
    found = run(
        lambda *a: attention(*a, **options, query_offset=LENGTH - 9, block_bytes=600), *arrays
    )
    allowed = visible(9, **options, offset=LENGTH - 9)
    np.testing.assert_allclose(found, oracle(*arrays, allowed), atol=1e-5)


@pytest.mark.parametrize("block_bytes", [None, BY_QUERY, BY_EXAMPLE])
def test_dropout_sets_weights_to_zero_and_repeats_with_the_seed(block_bytes):
    """With equal scores and one-hot values, the outputs are the weights."""
    query, key = (np.zeros((2, 2, LENGTH, 3), "float32") for _ in range(2))
    value = np.tile(np.eye(LENGTH, dtype="float32"), (2, 2, 1, 1))
    seeds = np.array([5, 9], "uint32")

    def weights(seed):
        return run(
            lambda *a: attention(*a, dropout=0.25, seed=seed, block_bytes=block_bytes),
            query,
            key,
            value,
        )

    first, again, other = weights(seeds), weights(seeds), weights(seeds + np.uint32(1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0
    kept = first > 0
    np.testing.assert_allclose(first[kept], 1 / LENGTH / 0.75, rtol=1e-5)
    assert 0.7 < kept.mean() < 0.8
    rows = kept.reshape(-1, LENGTH)
    assert len(np.unique(rows, axis=0)) == len(rows), "no two queries drop the same keys"


def test_the_gradient_drops_the_same_weights():
    arrays = states()
    aim = np.random.default_rng(3).normal(size=arrays[0].shape).astype("float32")
    found = []
    for block_bytes in (None, BLOCK_BYTES, BY_QUERY):

        def loss(query, key, value, size=block_bytes):
            seed = np.array([1, 2], "uint32")
            mixed = attention(query, key, value, dropout=0.3, seed=seed, block_bytes=size)
            return ops.sum(mixed * ops.convert_to_tensor(aim))

        found.append(differentiate(loss, arrays))
        # The loss is linear in the values.
        value, gradients = found[-1]
        assert (gradients[2] * arrays[2]).sum() == pytest.approx(value, rel=1e-4)
    for whole, one_block in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(whole, one_block, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(BACKEND != "torch", reason="looks into PyTorch's kernel")
@pytest.mark.parametrize("num_real", [LENGTH, 5])
def test_a_mask_without_padding_is_not_passed_on(monkeypatch, num_real):
    import torch

    masks = []
    attend = torch.nn.functional.scaled_dot_product_attention

    def recorded(*arrays, **options):
        masks.append(options["attn_mask"])
        return attend(*arrays, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", recorded)
    lengths = np.array([LENGTH, LENGTH, num_real], "int32")
    run(lambda *a: attention(*a, causal=True, lengths=lengths), *states())
    assert (masks == [None]) == (num_real == LENGTH)


@pytest.mark.parametrize(
    "pattern", [Pattern(), Pattern(True), Pattern(True, 512, 4), Pattern(False, 128)]
)
@pytest.mark.parametrize("batch, length", [(16, 512), (2, 4096), (1, 16384), (512, 16), (3, 7)])
def test_blocks_cover_every_query_once_and_stay_small(batch, length, pattern):
    pattern = pattern.without_wide_window(length, length)
    blocks = plan_blocks(batch, 4, length, length, pattern, BLOCK_BYTES)
    covered = np.zeros((batch, length), int)
    largest = 0
    for block in blocks:
        examples, queries = (slice(s.start, s.stop) for s in (block.examples, block.queries))
        covered[examples, queries] += 1
        num_keys = sum(span.size for span in block.keys)
        largest = max(largest, block.examples.size * block.queries.size * num_keys)
    assert (covered == 1).all()
    assert len(blocks) <= max(MAX_BLOCKS, batch)
    assert largest * 4 * 4 <= 1.01 * max(BLOCK_BYTES, batch * length * 16 * length / MAX_BLOCKS)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "batch, heads, length", [(16, 4, 512), (2, 4, 4096), (1, 6, 16384), (512, 4, 16), (3, 12, 701)]
)
def test_blocks_of_heads_cover_every_query_once_and_stay_small(batch, heads, length, causal):
    blocks = plan_blocks_of_heads(batch, heads, 2, length, length, Pattern(causal), BLOCK_BYTES)
    covered = np.zeros((batch, heads, length), int)
    largest = 0
    for block in blocks:
        spans = (block.examples, block.heads, block.queries)
        covered[tuple(slice(span.start, span.stop) for span in spans)] += 1
        shared = heads // 2
        assert block.heads.size % shared == 0 or shared % block.heads.size == 0
        (keys,) = block.keys
        assert keys == (0, block.queries.stop if causal else length)
        largest = max(largest, np.prod([span.size for span in spans]) * length * 4)
    assert (covered == 1).all()
    assert largest <= 1.01 * max(BLOCK_BYTES, batch * heads * length * 4 * length / MAX_BLOCKS)
    if causal and length > 1024:
        scored = sum(
            block.examples.size * block.heads.size * block.queries.size * block.keys[0].size
            for block in blocks
        )
        assert scored <= 0.57 * batch * heads * length**2


@pytest.mark.parametrize("causal", [False, True])
def test_a_windowed_block_skips_the_keys_that_no_query_sees(causal):
    queries = Span(100, 10)
    (near,) = Pattern(causal, 8).keys_seen(queries, 500)
    assert near == (93, 17 if causal else 24)
    sinks, near = Pattern(causal, 8, 2).keys_seen(queries, 500)
    assert sinks == (0, 2) and near.start == 93
