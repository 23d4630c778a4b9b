"""Attention among positions that hash alike.

Kitaev, Kaiser, Levskaya 2020, "Reformer: The Efficient Transformer", section 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from keras import ops

from baselines.layers.attention import multiply_transposed
from baselines.layers.attention_blocks import both_masks
from baselines.layers.backends import backend_functions
from baselines.layers.full_attention import merge_heads, size_of_heads
from baselines.layers.initialization import add_dense
from baselines.layers.layer import Layer, zero_padding
from baselines.layers.lengths import is_known
from baselines.layers.lsh_hashing import draw_rotations, factor_buckets, hash_vectors
from baselines.layers.masked_scores import mask_scores, softmax
from baselines.layers.places import require_places
from baselines.layers.sorting import SortPermutation, row_numbers, sort_by_bucket, take_rows

SELF_SCORE = -1e4
"""The score of a position's own key: it counts only if no other key is visible (section 2)."""


class LSHAttention(Layer):
    """Attention within chunks of a sequence that is sorted by hash bucket.

    Kitaev et al. 2020, section 2: query and key share one projection, `query_key`; keys are
    normalised to length one. Each of n_rounds rounds (`num_hashes`) sorts the positions by bucket,
    then by place, and splits them into chunks of m positions (`chunk_length`). A chunk attends to
    itself and to the chunk before it; the first chunk attends to itself and to the last. The rounds
    are weighted by their normalisers (equation 6, appendix A). A causal query attends to no later
    key, but later tokens can change the order within buckets, as in the paper. A head has
    `head_size` channels, by default width / heads.

    In: hidden states (batch, n, width), n a multiple of the chunk length; rotations (heads, head
    size, rounds, half the sum of the factors of `num_buckets`), by default fixed ones; padding mask
    (batch, n). Out: (batch, n, width). Time and memory O(rounds · n · chunk), and O(rounds · n ·
    √buckets) for hashing. Sorting takes time O(rounds · n · log n).

    Raises:
        ValueError: the width is not a multiple of the heads without a head size, or the length is
            not a multiple of the chunk length.

    Example:
        >>> layer = LSHAttention(num_heads=4, chunk_length=8, num_hashes=2, num_buckets=6)
        >>> tuple(layer(keras.ops.ones((2, 24, 32))).shape)
        (2, 24, 32)
    """

    def __init__(
        self,
        num_heads: int,
        chunk_length: int,
        num_hashes: int,
        num_buckets: int | Sequence[int],
        causal: bool = False,
        head_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.chunk_length = chunk_length
        self.num_hashes = num_hashes
        if isinstance(num_buckets, int):
            num_buckets = factor_buckets(num_buckets)
        self.num_buckets = tuple(num_buckets)
        self.causal = causal
        self.head_size = head_size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the projections, without biases."""
        width = input_shape[-1]
        inner = self.num_heads * size_of_heads(width, self.num_heads, self.head_size)
        add_dense(self, "query_key", width, inner)
        add_dense(self, "value", width, inner)
        add_dense(self, "output_projection", inner, width)

    @property
    def rotations_shape(self) -> tuple[int, int, int, int]:
        """The required shape of `rotations`."""
        head_size = self.query_key.units // self.num_heads
        return self.num_heads, head_size, self.num_hashes, sum(self.num_buckets) // 2

    def call(
        self,
        hidden_states: Any,
        rotations: Any = None,
        padding_mask: Any = None,
        buckets: Any = None,
    ) -> Any:
        """Return projected attention; `buckets` (batch, heads, rounds, n) replace hashing."""
        if rotations is None:
            rotations = ops.convert_to_tensor(draw_rotations(self.rotations_shape, seed=0))
        return self.attend(hidden_states, rotations, padding_mask, buckets)[0]

    def attend(
        self, hidden_states: Any, rotations: Any, padding_mask: Any, buckets: Any
    ) -> tuple[Any, Any]:
        """Return what `call` returns, and the buckets: the given ones, or those of hashing."""
        mixed, buckets = self.mix(hidden_states, rotations, padding_mask, buckets)
        return self.output_projection(mixed), buckets

    def mix(
        self, hidden_states: Any, rotations: Any, padding_mask: Any = None, buckets: Any = None
    ) -> tuple[Any, Any]:
        """Return attention before the output projection, and the buckets."""
        length = ops.shape(hidden_states)[1]
        if is_known(length) and length % self.chunk_length:
            raise ValueError(
                "The length must be a multiple of the chunk length. "
                f"Received: length={length}, chunk_length={self.chunk_length}. Pad the sequence."
            )
        vectors = self._by_head(self.query_key(hidden_states))
        values = self._by_head(self.value(hidden_states))
        keys = vectors * _key_scale(vectors)
        keys, values = (zero_padding(states, padding_mask) for states in (keys, values))

        def attend_all() -> tuple[Any, Any]:
            return self._attend_all(vectors, keys, values, padding_mask), self._no_buckets(vectors)

        def attend_alike() -> tuple[Any, Any]:
            found = buckets
            if found is None:
                found = self.find_buckets(vectors, rotations, padding_mask)
            return self._attend_alike(vectors, keys, values, found, padding_mask), found

        if is_known(length):
            return attend_all() if length == self.chunk_length else attend_alike()
        chosen: tuple[Any, Any] = ops.cond(length == self.chunk_length, attend_all, attend_alike)
        return chosen

    def find_buckets(self, vectors: Any, rotations: Any, padding_mask: Any = None) -> Any:
        """Return the buckets of (batch, n, heads, d); padding has a bucket of its own, the last."""
        buckets = hash_vectors(ops.stop_gradient(vectors), rotations, self.num_buckets)
        if padding_mask is None:
            return buckets
        return ops.where(padding_mask[:, None, None, :], buckets, math.prod(self.num_buckets))

    def _by_head(self, projected: Any) -> Any:
        length, width = ops.shape(projected)[1:]
        return ops.reshape(projected, (-1, length, self.num_heads, width // self.num_heads))

    def _attend_all(self, vectors: Any, keys: Any, values: Any, padding_mask: Any) -> Any:
        """Return full attention, for a sequence of a single chunk.

        Each round would attend to the whole sequence twice. The published implementation does not
        hash here either.
        """
        query, key, value = (
            ops.transpose(states, (0, 2, 1, 3)) for states in (vectors, keys, values)
        )
        place = ops.arange(ops.shape(vectors)[1], dtype="int32")
        real = None if padding_mask is None else padding_mask[:, None]
        weights = softmax(self._scores(query, key, place, place, real))
        return merge_heads(ops.matmul(weights, value))

    def _no_buckets(self, vectors: Any) -> Any:
        batch, length, heads = ops.shape(vectors)[:3]
        return ops.zeros((batch, heads, self.num_hashes, length), "int32")

    def _attend_alike(
        self, vectors: Any, keys: Any, values: Any, buckets: Any, padding_mask: Any
    ) -> Any:
        """Return attention within the chunks of each round, summed over rounds."""
        length, heads, size = ops.shape(vectors)[1:]
        num_buckets = math.prod(self.num_buckets)
        order, sorted_buckets = sort_by_bucket(buckets, num_buckets + 1)
        real = None if padding_mask is None else sorted_buckets < num_buckets
        outputs, normalizers = self._attend_sorted(vectors, keys, values, order, real)
        if self.num_hashes > 1:
            outputs = outputs * ops.softmax(normalizers, axis=3)
        return ops.reshape(ops.sum(outputs, axis=3), (-1, length, heads * size))

    def _attend_sorted(
        self, vectors: Any, keys: Any, values: Any, order: Any, real: Any
    ) -> tuple[Any, Any]:
        """Return each round's attention in sorted order, and the log-sum-exp of its scores.

        In: `order` and `real` (batch, heads, rounds, n); `real` is False at padding. Out: (batch,
        n, heads, rounds, d) and (batch, n, heads, rounds, 1). The rounds are concatenated, so the
        first chunk of a round attends to the last chunk of the round before.
        """
        length, heads, size = ops.shape(vectors)[1:]
        chunks = self.num_hashes * length // self.chunk_length
        shape = (-1, heads, chunks, self.chunk_length)
        permutation = SortPermutation(order)
        query, key, value = (
            ops.reshape(permutation.sort(states), (*shape, size))
            for states in (vectors, keys, values)
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
        """Return masked scores: padding, later keys if causal, and the position's own key."""
        scores = multiply_transposed(query, key)
        own, other = place[..., :, None], key_place[..., None, :]
        visible = None if real is None else real[..., None, :]
        if self.causal:
            visible = both_masks(visible, other <= own)
        return ops.where(own == other, SELF_SCORE, mask_scores(scores, visible))

    def init_state(self, batch_size: int, max_length: int) -> tuple[Any, Any, Any]:
        """Return zeros for the keys, values and buckets of `max_length` positions."""
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
        """Return the output for the newest positions, (batch, m, width), and the new state.

        Several positions are the first ones, from 0 on: they are computed together, as `call` does.
        Their chunks depend on all of them, as in the published implementation.

        The rule is that of the published implementation. Earlier positions keep their buckets. The
        new position is sorted in among them, and attends to its chunk and the chunk before it,
        modulo the number of positions. Later positions cannot move it, so the output differs from
        that of `call` on the whole sequence. Sorting takes time O(max_length · log max_length),
        attention O(rounds · chunk). The state is read before it changes.

        Raises:
            ValueError: the state has no place for a position; see `require_places`.
        """
        length, num_places = hidden_states.shape[1], state[2].shape[3]
        hidden_states = require_places(hidden_states, position, length, num_places)
        query = self._by_head(self.query_key(hidden_states))
        value = self._by_head(self.value(hidden_states))
        bucket = self.find_buckets(query, rotations)
        newest = query * _key_scale(query), value, bucket
        if hidden_states.shape[1] > 1:
            missing = -hidden_states.shape[1] % self.chunk_length
            padded = ops.pad(hidden_states, ((0, 0), (0, missing), (0, 0)))
            real = None
            if missing:
                real = ops.pad(
                    ops.ones_like(hidden_states[:, :, 0], "bool"), ((0, 0), (0, missing))
                )
            mixed = self.call(padded, rotations, real)
            return mixed[:, : hidden_states.shape[1]], _write(state, newest, position)
        keys, values, buckets = state
        max_length = buckets.shape[3]
        places = ops.arange(max_length, dtype="int32")
        buckets = ops.where(places == position, bucket, buckets)
        # A stable sort keeps the order of places within a bucket; unused places come last.
        unused = math.prod(self.num_buckets) + 1
        order = ops.argsort(ops.where(places <= position, buckets, unused), axis=-1)
        is_before = ops.logical_and(buckets <= bucket, places < position)
        rank = ops.sum(ops.cast(is_before, "int32"), axis=-1, keepdims=True)
        offsets = ops.arange(2 * self.chunk_length, dtype="int32")
        first = (rank // self.chunk_length - 1) * self.chunk_length
        slots = (first + offsets) % (position + 1)
        seen = ops.take_along_axis(ops.cast(order, "int32"), slots, axis=-1)
        rows = row_numbers(seen, max_length)
        scores = ops.einsum("bhd,bhrkd->bhrk", query[:, 0], take_rows(keys, rows))
        scores = mask_scores(scores, offsets <= position)  # each key counts once
        own = seen == position
        scores = ops.where(own, SELF_SCORE, scores)
        normalizer = ops.logsumexp(scores, axis=-1, keepdims=True)
        weights = ops.exp(scores - normalizer)
        if self.num_hashes > 1:
            weights = weights * ops.softmax(normalizer, axis=2)
        earlier = ops.where(own, ops.zeros_like(weights), weights)
        mixed = ops.einsum("bhrk,bhrkd->bhd", earlier, take_rows(values, rows))
        mixed = mixed + ops.sum(weights - earlier, axis=(2, 3))[..., None] * value[:, 0]
        state = _write(state, newest, position + backend_functions().zero_after(mixed))
        mixed = ops.reshape(mixed, (-1, 1, self.value.units))
        return self.output_projection(mixed), state


def _write(state: tuple[Any, Any, Any], newest: tuple[Any, Any, Any], position: Any) -> Any:
    """Return keys, values and buckets with those of the newest positions from `position` on."""
    starts = (0, position, 0, 0), (0, position, 0, 0), (0, 0, 0, position)
    write = backend_functions().write_in_place
    return tuple(map(write, state, starts, newest))


def _key_scale(vectors: Any) -> Any:
    """Return the factor that normalises a query to a key, divided by √d.

    Computed in float32: the gradient of the root at a zero vector is infinite in float16.
    """
    wide = ops.cast(vectors, "float32")
    mean_square = ops.mean(wide * wide, axis=-1, keepdims=True)
    scale = ops.rsqrt(mean_square + 1e-6) * vectors.shape[-1] ** -0.5
    return ops.cast(scale, vectors.dtype)
