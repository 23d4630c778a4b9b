"""LSH attention against published outputs, and against full attention in a single bucket."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from baselines.layers.lsh_attention import LSHAttention
from baselines.layers.lsh_hashing import draw_rotations, factor_buckets, hash_vectors
from baselines.layers.sorting import SortPermutation, sort_by_bucket
from suite.worker.conformance.gradients import differentiate, run, tensors
from tests.builders.published import cases, head_size

LONE_KEY_TOLERANCE = 5e-2
"""The tolerance for positions that attend only to themselves: float32 is coarse at −1e5."""


def attends_only_to_itself(case, causal: bool) -> np.ndarray:
    """Return which (example, head, position) has only its own key visible in every round."""
    buckets, chunk = case["buckets"], int(case["chunk_length"])
    num_hashes, length = buckets.shape[2:]
    batch, heads = buckets.shape[:2]
    alone = np.zeros((batch, heads, length), bool)
    for example in range(batch):
        for head in range(heads):
            orders = [
                np.lexsort((np.arange(length), buckets[example, head, number]))
                for number in range(num_hashes)
            ]
            flat = np.concatenate(orders)
            chunks = flat.reshape(-1, chunk)
            others = np.zeros(length, bool)
            for index, members in enumerate(chunks):
                for place in members:
                    seen = np.concatenate([chunks[index - 1], members])
                    seen = seen[seen != place]
                    others[place] |= bool((seen < place).any() if causal else len(seen))
            alone[example, head] = ~others
    return alone


def test_published_outputs(reference_outputs):
    for path, case in cases(reference_outputs, "reformer_lsh_attention_"):
        causal = bool(case["causal"])
        heads, num_hashes = int(case["num_heads"]), int(case["num_hashes"])
        num_buckets = case["num_buckets"].tolist()
        layer = LSHAttention(
            heads,
            int(case["chunk_length"]),
            num_hashes,
            num_buckets,
            causal,
            head_size=head_size(case["query_key/kernel"].T, heads),
        )
        layer.build(case["inputs"].shape)
        layer.query_key.kernel.assign(case["query_key/kernel"])
        layer.value.kernel.assign(case["value/kernel"])
        mask = case["padding_mask"].astype(bool) if "padding_mask" in case else None
        vectors = np.asarray(case["inputs"] @ case["query_key/kernel"])
        batch, length, _ = vectors.shape
        by_head = vectors.reshape(batch, length, heads, -1)
        found = ops.convert_to_numpy(layer.find_buckets(*tensors(by_head, case["rotations"], mask)))
        shift = np.prod(num_buckets) + (mask is not None)
        shifted = found + np.arange(num_hashes)[None, None, :, None] * shift
        assert (shifted == case["buckets"]).all(), path
        mixed = ops.convert_to_numpy(
            layer.mix(*tensors(case["inputs"], case["rotations"], mask))[0]
        )
        real = np.ones((batch, length), bool) if mask is None else mask
        alone = attends_only_to_itself(case, causal)
        ours = mixed.reshape(batch, length, heads, -1).transpose(0, 2, 1, 3)
        theirs = case["outputs"].reshape(batch, length, heads, -1).transpose(0, 2, 1, 3)
        difference = np.abs(ours - theirs).max(axis=-1)
        exact = ~alone & real[:, None, :]
        assert exact.mean() > 0.5, path
        assert difference[exact].max() < 1e-4, path
        assert difference[alone & real[:, None, :]].max(initial=0) < LONE_KEY_TOLERANCE, path


def random_layer(chunk_length: int, num_hashes: int, causal: bool, size: int | None = None):
    layer = LSHAttention(2, chunk_length, num_hashes, 4, causal, head_size=size)
    layer.build((None, None, 8))
    generator = np.random.default_rng(3)
    for weight in layer.weights:
        weight.assign(generator.normal(scale=0.5, size=weight.shape))
    return layer


@pytest.mark.parametrize("size", [None, 3])
def test_a_causal_query_attends_to_no_later_key_with_fixed_buckets(size):
    generator = np.random.default_rng(1)
    states = generator.normal(size=(1, 24, 8)).astype("float32")
    layer = random_layer(4, 3, True, size)
    assert layer.output_projection.kernel.shape == (2 * (size or 4), 8)
    buckets = generator.integers(4, size=(1, 2, 3, 24)).astype("int32")
    whole = ops.convert_to_numpy(layer.mix(*tensors(states, None, None, buckets))[0])
    for place in (1, 9, 23):
        changed = states.copy()
        changed[:, place:] += 1.0
        other = ops.convert_to_numpy(layer.mix(*tensors(changed, None, None, buckets))[0])
        np.testing.assert_allclose(other[:, :place], whole[:, :place], atol=1e-5)


@pytest.mark.parametrize("num_buckets", [2, 7, 128, 130, 1000, 2048])
def test_many_buckets_are_hashed_with_two_factors(num_buckets):
    factors = factor_buckets(num_buckets)
    assert all(factor % 2 == 0 for factor in factors)
    assert num_buckets <= np.prod(factors) <= 1.2 * num_buckets + 2
    assert sum(factors) <= max(128, 3 * num_buckets**0.5)
    vectors = np.random.default_rng(0).normal(size=(2, 29, 2, 4)).astype("float32")
    rotations = draw_rotations((2, 4, 3, sum(factors) // 2), seed=1)
    buckets = ops.convert_to_numpy(hash_vectors(*tensors(vectors, rotations), factors))
    rotated = np.einsum("bnhd,hdrk->bhrnk", vectors, rotations)
    expected, size, start = 0, 1, 0
    for factor in factors:
        part = rotated[..., start : start + factor // 2]
        expected = expected + size * np.concatenate([part, -part], axis=-1).argmax(axis=-1)
        size, start = size * factor, start + factor // 2
    assert (buckets == expected).all()
    assert buckets.max() < np.prod(factors)


@pytest.mark.parametrize("num_hashes", [1, 3])
def test_the_gradient_of_sorting_equals_that_of_a_gather(num_hashes):
    """The reference is a gather whose gradient the backend derives."""
    generator = np.random.default_rng(4)
    order = np.stack([generator.permutation(12) for _ in range(2 * 2 * num_hashes)])
    order = order.reshape(2, 2, num_hashes, 12).astype("int32")
    permutation = SortPermutation(ops.convert_to_tensor(order))
    states = generator.normal(size=(2, 12, 2, 3)).astype("float32")
    index = order.reshape(2, 2, num_hashes * 12, 1)

    def gathered(states):
        return ops.take_along_axis(ops.transpose(states, (0, 2, 1, 3)), index, axis=2)

    ours, theirs = permutation.sort(*tensors(states)), gathered(*tensors(states))
    assert (ops.convert_to_numpy(ours) == ops.convert_to_numpy(theirs)).all()
    back = ops.convert_to_numpy(permutation.unsort(ours**2))
    assert back.shape == (2, 12, 2, num_hashes, 3)
    for number in range(num_hashes):
        np.testing.assert_allclose(back[:, :, :, number], states**2, rtol=1e-6)
    for mine, given in (
        (lambda x: ops.sum(ops.sin(permutation.sort(x))), lambda x: ops.sum(ops.sin(gathered(x)))),
        (
            lambda x: ops.sum(ops.sin(permutation.unsort(permutation.sort(x) ** 2))),
            lambda x: ops.sum(ops.sin(gathered(x) ** 2)),
        ),
    ):
        (gradient,), (expected,) = (differentiate(each, [states])[1] for each in (mine, given))
        np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_decoding_follows_the_published_rule_for_new_positions():
    """Earlier buckets stay; the new position attends to its chunk and the one before, modulo n."""
    length, chunk, num_hashes, heads, size = 23, 4, 2, 2, 4
    generator = np.random.default_rng(5)
    states = generator.normal(size=(2, length, heads * size)).astype("float32")
    layer = random_layer(chunk, num_hashes, causal=True)
    rotations = draw_rotations(layer.rotations_shape, seed=6)
    kernels = [ops.convert_to_numpy(getattr(layer, name).kernel) for name in ("query_key", "value")]
    query, value = ((states @ kernel).reshape(2, length, heads, size) for kernel in kernels)
    key = query / np.sqrt((query**2).mean(axis=-1, keepdims=True) + 1e-6) / np.sqrt(size)
    buckets = ops.convert_to_numpy(hash_vectors(*tensors(query, rotations)))
    projection = ops.convert_to_numpy(layer.output_projection.kernel)
    state = layer.init_state(2, length)
    for position in range(length):
        given, state = layer.decode_step(
            *tensors(states[:, position : position + 1]), state, position, *tensors(rotations)
        )
        for example in range(2):
            mixed = []
            for head in range(heads):
                outputs, normalizers = [], []
                for number in range(num_hashes):
                    known = buckets[example, head, number, : position + 1]
                    order = np.lexsort((np.arange(position + 1), known))
                    rank = int(np.flatnonzero(order == position)[0])
                    first = (rank // chunk - 1) * chunk
                    slots = {(first + step) % (position + 1) for step in range(2 * chunk)}
                    seen = order[sorted(slots)]
                    scores = key[example, seen, head] @ query[example, position, head]
                    scores[seen == position] = -1e5
                    normalizer = np.logaddexp.reduce(scores.astype("float64"))
                    outputs.append(np.exp(scores - normalizer) @ value[example, seen, head])
                    normalizers.append(normalizer)
                weights = np.exp(normalizers - np.logaddexp.reduce(normalizers))
                mixed.append(weights @ np.array(outputs))
            np.testing.assert_allclose(
                ops.convert_to_numpy(given)[example, 0],
                np.concatenate(mixed) @ projection,
                atol=5e-2 if position == 0 else 1e-4,
            )


@pytest.mark.parametrize("first", [3, 10, 12])
def test_reading_a_context_at_once_gives_its_pass_and_the_state_of_single_positions(first):
    """The context is shorter than a chunk, ends within one, or fills whole chunks."""
    length, chunk = 14, 4
    layer = random_layer(chunk, 2, causal=True)
    states = np.random.default_rng(9).normal(size=(2, length, 8)).astype("float32")
    rotations = draw_rotations(layer.rotations_shape, seed=6)
    padded = states[:, : first + -first % chunk]
    real = np.broadcast_to(np.arange(padded.shape[1]) < first, padded.shape[:2])
    mask = None if real.all() else real
    expected = run(layer, padded, rotations, mask)[:, :first]
    (given,) = tensors(rotations)
    found, together = layer.decode_step(
        *tensors(states[:, :first]), layer.init_state(2, length), 0, given
    )
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, atol=1e-5)
    alone = layer.init_state(2, length)
    for position in range(first):
        newest = tensors(states[:, position : position + 1])
        _, alone = layer.decode_step(*newest, alone, position, given)
    for one, other in zip(together, alone, strict=True):
        one, other = ops.convert_to_numpy(one), ops.convert_to_numpy(other)
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(one, other, atol=1e-6)


OVERFLOWING = 2**18
"""With this many positions and 2¹³ buckets or more, bucket · length + place exceeds int32."""


@pytest.mark.parametrize("num_buckets", [4, 8281])
def test_positions_are_sorted_by_bucket_then_place_at_any_length(num_buckets):
    buckets = np.random.default_rng(6).integers(num_buckets, size=(1, 2, 1, OVERFLOWING))
    order, in_order = sort_by_bucket(*tensors(buckets.astype("int32")), num_buckets)
    expected = np.argsort(buckets, axis=-1, kind="stable")
    assert (ops.convert_to_numpy(order) == expected).all()
    assert (ops.convert_to_numpy(in_order) == np.take_along_axis(buckets, expected, -1)).all()


def test_decoding_gives_the_same_in_a_state_of_any_length():
    layer = LSHAttention(1, 2, 1, (128, 128), causal=True)
    layer.build((None, None, 2))
    states = np.random.default_rng(8).normal(size=(1, 12, 1, 2)).astype("float32")
    (rotations,) = tensors(draw_rotations(layer.rotations_shape, seed=0))
    found = []
    for max_length in (16, OVERFLOWING):
        state = layer.init_state(1, max_length)
        for position in range(states.shape[1]):
            output, state = layer.decode_step(
                *tensors(states[:, position]), state, position, rotations
            )
            found.append(ops.convert_to_numpy(output))
    short, long = np.split(np.concatenate(found), 2)
    np.testing.assert_allclose(long, short, atol=1e-5)
