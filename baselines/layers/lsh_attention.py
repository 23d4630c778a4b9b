"""Attention among positions that hash alike.

Kitaev, Kaiser, Levskaya 2020, "Reformer: The Efficient Transformer", section 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from baselines.layers.backends import backend_functions
from baselines.layers.full_attention import MASKED, check_heads, merge_heads, multiply_transposed

SELF_SCORE = -1e4
"""The score of a position's own key: attended to only where there is no other (section 2)."""
MAX_FACTOR = 128
"""Above so many buckets, hashing to two numbers is cheaper than to one."""


def factor_buckets(num_buckets: int) -> tuple[int, ...]:
    """Write a number of buckets as one even factor or, above `MAX_FACTOR`, two near its root.

    Hashing to b buckets costs O(n·b); with factors b₁·b₂ = b, O(n·(b₁ + b₂)), as the authors' code
    has it. Where b has no such factors, the next number that has is taken.
    """
    num_buckets += num_buckets % 2
    if num_buckets <= MAX_FACTOR:
        return (num_buckets,)
    first = 2 * round(num_buckets**0.5 / 2)
    second = -(-num_buckets // first)
    return (first, second + second % 2)


def hash_vectors(vectors: Any, rotations: Any, factors: Sequence[int] | None = None) -> Any:
    """Return the bucket of each vector in each round: argmax of [xR; −xR] (section 2).

    Shapes: vectors (batch, n, heads, d), rotations (heads, d, rounds, half the sum of factors), by
    default one factor of all the rotations have. Out: (batch, heads, rounds, n). Of several factors
    each has its own R, and the bucket is h₁ + b₁·h₂. Time and memory O(n · rounds · Σ factors).
    """
    rotations = ops.cast(rotations, vectors.dtype)
    rotated = ops.einsum("bnhd,hdrk->bhrnk", vectors, rotations)
    factors = tuple(factors or (2 * rotations.shape[-1],))
    buckets: Any = 0
    size, start = 1, 0
    for factor in factors:
        part = rotated[..., start : start + factor // 2]
        # argmax of [xR; −xR] without making the second half.
        highest, lowest = ops.max(part, axis=-1), ops.min(part, axis=-1)
        from_first = ops.cast(ops.argmax(part, axis=-1), "int32")
        from_second = ops.cast(ops.argmin(part, axis=-1), "int32") + factor // 2
        buckets = buckets + size * ops.where(highest >= -lowest, from_first, from_second)
        size, start = size * factor, start + factor // 2
    return buckets


class LshAttention(keras.layers.Layer):
    """Each position attends to those near it once the sequence is sorted by hash bucket.

    Kitaev et al. 2020, section 2: query and key share one projection, `query_key`; the key is
    brought to length one. In each of n_rounds (`num_hashes`) the positions are sorted by bucket,
    then by place, and cut into chunks of m (`chunk_length`); a chunk attends to itself and the one
    before it, the first to itself and the last. What the rounds give is combined by their
    normalisers (equation 6, appendix A). In the causal form no query sees a later key, but later
    tokens can move the order within buckets: that is the paper's design.

    In: hidden states (batch, n, width), n a multiple of the chunk length, rotations (heads, head
    size, rounds, half the sum of the factors of `num_buckets`), padding mask (batch, n). Out:
    (batch, n, width). Time and memory O(rounds · n · chunk), and O(rounds · n · √buckets) for
    hashing; time for sorting O(rounds · n · log n).

    Raises:
        ValueError: a width that does not divide into the heads, or a length that does not divide
            into chunks.
    """

    def __init__(
        self,
        num_heads: int,
        chunk_length: int,
        num_hashes: int,
        num_buckets: int | Sequence[int],
        causal: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.chunk_length = chunk_length
        self.num_hashes = num_hashes
        if isinstance(num_buckets, int):
            num_buckets = factor_buckets(num_buckets)
        self.factors = tuple(num_buckets)
        self.causal = causal

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the projections, none with a bias."""
        width = input_shape[-1]
        check_heads(width, self.num_heads)
        for name in ("query_key", "value", "output_projection"):
            projection = keras.layers.Dense(width, use_bias=False, name=name)
            projection.build(input_shape)
            setattr(self, name, projection)

    @property
    def rotations_shape(self) -> tuple[int, int, int, int]:
        """The shape that `rotations` must have."""
        head_size = self.query_key.units // self.num_heads
        return self.num_heads, head_size, self.num_hashes, sum(self.factors) // 2

    def call(
        self, hidden_states: Any, rotations: Any, padding_mask: Any = None, buckets: Any = None
    ) -> Any:
        """Attend, and project; `buckets` (batch, heads, rounds, n) take the place of hashing."""
        return self.attend(hidden_states, rotations, padding_mask, buckets)[0]

    def attend(
        self, hidden_states: Any, rotations: Any, padding_mask: Any, buckets: Any
    ) -> tuple[Any, Any]:
        """Do as `call` does, and return the buckets too: those given, or what hashing found."""
        mixed, buckets = self.mix(hidden_states, rotations, padding_mask, buckets)
        return self.output_projection(mixed), buckets

    def mix(
        self, hidden_states: Any, rotations: Any, padding_mask: Any = None, buckets: Any = None
    ) -> tuple[Any, Any]:
        """Attend without the output projection, as the published outputs are."""
        length = hidden_states.shape[1]
        if length % self.chunk_length:
            raise ValueError(
                "LSH attention takes a whole number of chunks. "
                f"Received: length={length}, chunk_length={self.chunk_length}. Pad the sequence."
            )
        vectors = self._by_head(self.query_key(hidden_states))
        values = self._by_head(self.value(hidden_states))
        if length == self.chunk_length:
            return self._attend_all(vectors, values, padding_mask), self._no_buckets(vectors)
        if buckets is None:
            buckets = self.find_buckets(vectors, rotations, padding_mask)
        return self._attend_alike(vectors, values, buckets, padding_mask), buckets

    def find_buckets(self, vectors: Any, rotations: Any, padding_mask: Any = None) -> Any:
        """Hash (batch, n, heads, d); padding gets a bucket of its own after the others."""
        buckets = hash_vectors(ops.stop_gradient(vectors), rotations, self.factors)
        if padding_mask is None:
            return buckets
        return ops.where(padding_mask[:, None, None, :], buckets, math.prod(self.factors))

    def _by_head(self, projected: Any) -> Any:
        length, width = projected.shape[1:]
        return ops.reshape(projected, (-1, length, self.num_heads, width // self.num_heads))

    def _attend_all(self, vectors: Any, values: Any, padding_mask: Any) -> Any:
        """Attend where one chunk is the whole sequence: each round would see all of it, twice.

        As the published implementation, which hashes nothing then.
        """
        query, key, value = (
            ops.transpose(states, (0, 2, 1, 3))
            for states in (vectors, vectors * _key_scale(vectors), values)
        )
        place = ops.arange(vectors.shape[1], dtype="int32")
        real = None if padding_mask is None else padding_mask[:, None]
        weights = ops.softmax(self._scores(query, key, place, place, real), axis=-1)
        return merge_heads(ops.matmul(weights, value))

    def _no_buckets(self, vectors: Any) -> Any:
        batch, length, heads = ops.shape(vectors)[:3]
        return ops.zeros((batch, heads, self.num_hashes, length), "int32")

    def _attend_alike(self, vectors: Any, values: Any, buckets: Any, padding_mask: Any) -> Any:
        """Attend within the chunks of each round, and combine the rounds."""
        length, heads, size = vectors.shape[1:]
        # Bucket and place in one number, so that one sort does for both.
        sorted_keys = ops.sort(buckets * length + ops.arange(length, dtype="int32"), axis=-1)
        order = sorted_keys % length
        real = None
        if padding_mask is not None:
            real = sorted_keys // length < math.prod(self.factors)
        outputs, normalizers = self._attend_sorted(vectors, values, order, real)
        if self.num_hashes > 1:
            outputs = outputs * ops.softmax(normalizers, axis=3)
        return ops.reshape(ops.sum(outputs, axis=3), (-1, length, heads * size))

    def _attend_sorted(self, vectors: Any, values: Any, order: Any, real: Any) -> tuple[Any, Any]:
        """Attend in sorted order; return what each round gives, and its scores' log-sum-exp.

        In: order and real (batch, heads, rounds, n), which keys are no padding. Out: (batch, n,
        heads, rounds, d) and the same with one for d. The rounds lie end to end, so a round's first
        chunk looks back at the last of the round before it.
        """
        length, heads, size = vectors.shape[1:]
        chunks = self.num_hashes * length // self.chunk_length
        shape = (-1, heads, chunks, self.chunk_length)
        permutation = SortPermutation(order)
        query, key, value = (
            ops.reshape(permutation.sort(states), (*shape, size))
            for states in (vectors, vectors * _key_scale(vectors), values)
        )
        place = ops.reshape(order, shape)
        real = None if real is None else ops.reshape(real, shape)
        own = self._scores(query, key, place, place, real)
        key, value_before, place_before = (
            ops.roll(part, 1, axis=2) for part in (key, value, place)
        )
        real = None if real is None else ops.roll(real, 1, axis=2)
        before = self._scores(query, key, place, place_before, real)
        highest = ops.stop_gradient(
            ops.maximum(
                ops.max(own, axis=-1, keepdims=True), ops.max(before, axis=-1, keepdims=True)
            )
        )
        own, before = ops.exp(own - highest), ops.exp(before - highest)
        total = ops.sum(own, axis=-1, keepdims=True) + ops.sum(before, axis=-1, keepdims=True)
        mixed = ops.matmul(own, value) + ops.matmul(before, value_before)
        flat = (-1, heads, self.num_hashes * length)
        return (
            permutation.unsort(ops.reshape(mixed / total, (*flat, size))),
            permutation.unsort(ops.reshape(highest + ops.log(total), (*flat, 1))),
        )

    def _scores(self, query: Any, key: Any, place: Any, key_place: Any, real: Any) -> Any:
        """Score keys; hide padding and later ones where causal, then leave the own key for last."""
        scores = multiply_transposed(query, key)
        own, other = place[..., :, None], key_place[..., None, :]
        if real is not None:
            scores = ops.where(real[..., None, :], scores, MASKED)
        if self.causal:
            scores = ops.where(other <= own, scores, MASKED)
        return ops.where(own == other, SELF_SCORE, scores)

    def init_state(self, batch_size: int, max_length: int) -> tuple[Any, Any, Any]:
        """Return room for the keys, values and buckets of `max_length` positions."""
        heads, head_size, rounds, _ = self.rotations_shape
        shape = (batch_size, max_length, heads, head_size)
        return (
            ops.zeros(shape, self.compute_dtype),
            ops.zeros(shape, self.compute_dtype),
            ops.zeros((batch_size, heads, rounds, max_length), "int32"),
        )

    def decode_step(
        self, hidden_states: Any, state: tuple[Any, Any, Any], position: Any, rotations: Any
    ) -> tuple[Any, Any]:
        """Attend from one new position: (batch, 1, width).

        The rule is that of the published implementation: earlier positions keep the buckets that
        they had; the new one is sorted in among them, and sees the chunk that it falls into and the
        one before, counted round the end. Later positions cannot move it any more, so this is not
        what `call` gives on the whole sequence. Time O(max_length · log max_length) for sorting
        and O(rounds · chunk) for attention.
        """
        query = self._by_head(self.query_key(hidden_states))
        value = self._by_head(self.value(hidden_states))
        bucket = self.find_buckets(query, rotations)
        keys = ops.slice_update(state[0], (0, position, 0, 0), query * _key_scale(query))
        values = ops.slice_update(state[1], (0, position, 0, 0), value)
        buckets = ops.slice_update(state[2], (0, 0, 0, position), bucket)
        max_length = buckets.shape[3]
        places = ops.arange(max_length, dtype="int32")
        by_bucket = buckets * max_length + places
        own = bucket * max_length + position
        unused = ops.cast(np.iinfo("int32").max, "int32")
        order = ops.argsort(ops.where(places <= position, by_bucket, unused), axis=-1)
        is_before = ops.logical_and(by_bucket < own, places < position)
        rank = ops.sum(ops.cast(is_before, "int32"), axis=-1, keepdims=True)
        offsets = ops.arange(2 * self.chunk_length, dtype="int32")
        first = (rank // self.chunk_length - 1) * self.chunk_length
        slots = (first + offsets) % (position + 1)
        seen = ops.take_along_axis(ops.cast(order, "int32"), slots, axis=-1)
        rows = _row_numbers(seen, max_length)
        scores = ops.einsum("bhd,bhrkd->bhrk", query[:, 0], _take_rows(keys, rows))
        scores = ops.where(offsets <= position, scores, MASKED)  # each key once
        scores = ops.where(seen == position, SELF_SCORE, scores)
        normalizer = ops.logsumexp(scores, axis=-1, keepdims=True)
        weights = ops.exp(scores - normalizer) * ops.softmax(normalizer, axis=2)
        mixed = ops.einsum("bhrk,bhrkd->bhd", weights, _take_rows(values, rows))
        mixed = ops.reshape(mixed, (-1, 1, hidden_states.shape[-1]))
        return self.output_projection(mixed), (keys, values, buckets)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        own = {
            "num_heads": self.num_heads,
            "chunk_length": self.chunk_length,
            "num_hashes": self.num_hashes,
            "num_buckets": self.factors,
            "causal": self.causal,
        }
        return {**super().get_config(), **own}


def _key_scale(vectors: Any) -> Any:
    """Return what brings a query to the length of a key, divided by √d.

    In float32, because where a vector is 0 the root's gradient is infinite in float16.
    """
    wide = ops.cast(vectors, "float32")
    mean_square = ops.mean(wide * wide, axis=-1, keepdims=True)
    scale = ops.rsqrt(mean_square + 1e-6) * vectors.shape[-1] ** -0.5
    return ops.cast(scale, vectors.dtype)


def _row_numbers(places: Any, length: int) -> Any:
    """Number the rows of (batch, length, heads, …) that places (batch, heads, …) point at."""
    ends = (1,) * (len(places.shape) - 2)
    heads = places.shape[1]
    example = ops.reshape(ops.arange(ops.shape(places)[0], dtype="int32"), (-1, 1, *ends))
    head = ops.reshape(ops.arange(heads, dtype="int32"), (1, -1, *ends))
    return (example * length + places) * heads + head


def _take_rows(states: Any, rows: Any) -> Any:
    """Take rows of the last axis by their numbers among all rows before it."""
    return ops.take(ops.reshape(states, (-1, states.shape[-1])), rows, axis=0)


class SortPermutation:
    """Moves rows to sorted order and back; each one's gradient is the other.

    Left alone, the gradient of a gather adds rows up one by one, which takes longer than attention.
    """

    def __init__(self, order: Any) -> None:
        batch = ops.shape(order)[0]
        heads, rounds, length = order.shape[1:]
        # Rows of (batch, n, heads), in sorted order: (batch, heads, rounds · n).
        to_sorted = _row_numbers(order, length)
        self._to_sorted = ops.reshape(to_sorted, (-1, heads, rounds * length))
        # Rows of (batch, heads, rounds, n), in places' order: (batch, n, heads, rounds).
        inverse = ops.cast(ops.argsort(order, axis=-1), "int32")
        first = ops.arange(batch * heads * rounds, dtype="int32") * length
        to_places = inverse + ops.reshape(first, (-1, heads, rounds, 1))
        self._to_places = ops.transpose(to_places, (0, 3, 1, 2))
        # Rows of (batch, n, heads, rounds), in sorted order.
        number = ops.reshape(ops.arange(rounds, dtype="int32"), (1, 1, rounds, 1))
        self._back = ops.reshape(to_sorted * rounds + number, (-1, heads, rounds * length))

    def sort(self, states: Any) -> Any:
        """Bring (batch, n, heads, d) to (batch, heads, rounds · n, d)."""

        def move(states: Any) -> Any:
            return (_take_rows(states, self._to_sorted),), lambda upstream: (
                ops.sum(_take_rows(upstream, self._to_places), axis=3),
            )

        return backend_functions().custom_gradient(move)(states)[0]

    def unsort(self, states: Any) -> Any:
        """Bring (batch, heads, rounds · n, d) to (batch, n, heads, rounds, d)."""

        def move(states: Any) -> Any:
            return (_take_rows(states, self._to_places),), lambda upstream: (
                _take_rows(upstream, self._back),
            )

        return backend_functions().custom_gradient(move)(states)[0]


def draw_rotations(shape: Sequence[int], seed: int) -> np.ndarray:
    """Draw R for every head and round, normal, by a seed."""
    return np.random.default_rng(seed).normal(size=tuple(shape)).astype("float32")
