"""Attention among positions that hash alike.

Kitaev, Kaiser, Levskaya 2020, "Reformer: The Efficient Transformer", section 2.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from baselines.layers.full_attention import MASKED, check_heads, merge_heads, split_heads

SELF_SCORE = -1e5
"""The score of a position's own key: attended to only where there is no other (section 2)."""


def hash_vectors(vectors: Any, rotations: Any) -> Any:
    """Return the bucket of each vector in each round: argmax of [xR; −xR] (section 2).

    Shapes: vectors (batch, heads, n, d), rotations (heads, d, rounds, buckets / 2). Out: (batch,
    heads, rounds, n). Time O(n · rounds · buckets).
    """
    heads, size, rounds, half = rotations.shape
    length = vectors.shape[2]
    flat = ops.reshape(rotations, (1, heads, size, rounds * half))
    rotated = ops.reshape(ops.matmul(vectors, flat), (-1, heads, length, rounds, half))
    both = ops.concatenate([rotated, -rotated], axis=-1)
    return ops.transpose(ops.argmax(both, axis=-1), (0, 1, 3, 2))


class LshAttention(keras.layers.Layer):
    """Each position attends to those near it once the sequence is sorted by hash bucket.

    Kitaev et al. 2020, section 2: query and key share one projection, `query_key`; the key is
    brought to length one. In each of n_rounds (`num_hashes`) the positions are sorted by bucket,
    then by place, and cut into chunks of m (`chunk_length`); a chunk attends to itself and the one
    before it, the first to itself and the last. What the rounds give is combined by their
    normalisers (equation 6, appendix A). In the causal form no query sees a later key, but later
    tokens can move the order within buckets: that is the paper's design.

    In: hidden states (batch, n, width), n a multiple of the chunk length, rotations (heads, head
    size, rounds, buckets / 2), padding mask (batch, n). Out: (batch, n, width). Time and memory
    O(rounds · n · chunk), and O(rounds · n · buckets) for hashing.

    Raises:
        ValueError: a width that does not divide into the heads, or a length that does not divide
            into chunks.
    """

    def __init__(
        self,
        num_heads: int,
        chunk_length: int,
        num_hashes: int,
        causal: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.chunk_length = chunk_length
        self.num_hashes = num_hashes
        self.causal = causal

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the projections, none with a bias."""
        width = input_shape[-1]
        check_heads(width, self.num_heads)
        for name in ("query_key", "value", "output_projection"):
            projection = keras.layers.Dense(width, use_bias=False, name=name)
            projection.build(input_shape)
            setattr(self, name, projection)

    def call(
        self, hidden_states: Any, rotations: Any, padding_mask: Any = None, buckets: Any = None
    ) -> Any:
        """Attend, and project; `buckets` (batch, heads, rounds, n) take the place of hashing."""
        return self.attend(hidden_states, rotations, padding_mask, buckets)[0]

    def attend(
        self, hidden_states: Any, rotations: Any, padding_mask: Any, buckets: Any
    ) -> tuple[Any, Any]:
        """Do as `call` does, and return the buckets too: those given, or what hashing found."""
        mixed, buckets = self._mix(hidden_states, rotations, padding_mask, buckets)
        return self.output_projection(mixed), buckets

    def mix(
        self, hidden_states: Any, rotations: Any, padding_mask: Any = None, buckets: Any = None
    ) -> Any:
        """Attend without the output projection, as the published outputs are."""
        return self._mix(hidden_states, rotations, padding_mask, buckets)[0]

    def _mix(
        self, hidden_states: Any, rotations: Any, padding_mask: Any, buckets: Any
    ) -> tuple[Any, Any]:
        length = hidden_states.shape[1]
        if length % self.chunk_length:
            raise ValueError(
                "LSH attention takes a whole number of chunks. "
                f"Received: length={length}, chunk_length={self.chunk_length}. Pad the sequence."
            )
        vectors = split_heads(self.query_key(hidden_states), self.num_heads)
        values = split_heads(self.value(hidden_states), self.num_heads)
        if buckets is None:
            buckets = self.find_buckets(vectors, rotations, padding_mask)
        order = ops.argsort(buckets * length + ops.arange(length, dtype=buckets.dtype), axis=-1)
        order = ops.cast(order, "int32")
        outputs, normalizers = self._attend_sorted(vectors, values, order, padding_mask)
        # Back to the places they came from, then weighed by how much each round's scores weigh.
        back = ops.cast(ops.argsort(order, axis=-1), "int32")
        outputs = ops.take_along_axis(outputs, back[..., None], axis=3)
        if outputs.shape[2] == 1:
            return merge_heads(outputs[:, :, 0]), buckets
        normalizers = ops.take_along_axis(normalizers, back, axis=3)
        weights = ops.softmax(normalizers, axis=2)[..., None]
        return merge_heads(ops.sum(outputs * weights, axis=2)), buckets

    def find_buckets(self, vectors: Any, rotations: Any, padding_mask: Any = None) -> Any:
        """Hash; padding gets a bucket of its own after the others."""
        buckets = hash_vectors(ops.stop_gradient(vectors), rotations)
        if padding_mask is None:
            return buckets
        last = ops.cast(2 * rotations.shape[-1], buckets.dtype)
        return ops.where(padding_mask[:, None, None, :], buckets, last)

    def _attend_sorted(
        self, vectors: Any, values: Any, order: Any, padding_mask: Any
    ) -> tuple[Any, Any]:
        """Attend in sorted order: (batch, heads, rounds, n, d), and the log-sum-exp of scores.

        The rounds lie end to end, so a round's first chunk looks back at the last of the round
        before it.
        """
        heads, length, size = vectors.shape[1:]
        rounds = order.shape[2]
        chunks = rounds * length // self.chunk_length
        sizes = (-1, heads, chunks, self.chunk_length)
        flat = ops.reshape(order, (-1, heads, rounds * length))
        query = ops.reshape(ops.take_along_axis(vectors, flat[..., None], axis=2), (*sizes, size))
        value = ops.reshape(ops.take_along_axis(values, flat[..., None], axis=2), (*sizes, size))
        place = ops.reshape(flat, sizes)
        scale = ops.rsqrt(ops.mean(query**2, axis=-1, keepdims=True) + 1e-6) * size**-0.5
        key, value = _with_chunk_before(query * scale), _with_chunk_before(value)
        key_place = _with_chunk_before(place)
        scores = ops.matmul(query, ops.swapaxes(key, -1, -2))
        scores = self._mask(scores, place, key_place, padding_mask)
        normalizer = ops.logsumexp(scores, axis=-1, keepdims=True)
        mixed = ops.matmul(ops.exp(scores - normalizer), value)
        shape = (-1, heads, rounds, length)
        return ops.reshape(mixed, (*shape, size)), ops.reshape(normalizer, shape)

    def _mask(self, scores: Any, place: Any, key_place: Any, padding_mask: Any) -> Any:
        """Hide padding and, where causal, later keys; then leave a position's own key for last."""
        own, other = place[..., :, None], key_place[..., None, :]
        if padding_mask is not None:
            heads, chunks, wide = key_place.shape[1:]
            mask = ops.broadcast_to(
                padding_mask[:, None, :], (ops.shape(padding_mask)[0], heads, padding_mask.shape[1])
            )
            flat = ops.reshape(key_place, (-1, heads, chunks * wide))
            real = ops.take_along_axis(ops.cast(mask, "int32"), flat, axis=2)
            real = ops.reshape(real, (-1, heads, chunks, 1, wide)) > 0
            scores = ops.where(real, scores, MASKED)
        if self.causal:
            scores = ops.where(other <= own, scores, MASKED)
        return ops.where(own == other, SELF_SCORE, scores)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        own = {
            "num_heads": self.num_heads,
            "chunk_length": self.chunk_length,
            "num_hashes": self.num_hashes,
            "causal": self.causal,
        }
        return {**super().get_config(), **own}


def _with_chunk_before(chunks: Any) -> Any:
    """Put before each chunk (axis 2) the one before it, the last before the first, along axis 3."""
    before = ops.concatenate([chunks[:, :, -1:], chunks[:, :, :-1]], axis=2)
    return ops.concatenate([before, chunks], axis=3)


def draw_rotations(
    num_heads: int, head_size: int, num_hashes: int, num_buckets: int, seed: int
) -> np.ndarray:
    """Draw R for every head and round: (heads, head size, rounds, buckets / 2), normal."""
    shape = (num_heads, head_size, num_hashes, num_buckets // 2)
    return np.random.default_rng(seed).normal(size=shape).astype("float32")
