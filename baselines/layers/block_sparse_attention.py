"""Attention of blocks of positions to chosen blocks: global, neighbouring and random ones.

Zaheer et al. 2020, "Big Bird: Transformers for Longer Sequences", section 2 and appendix D.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from baselines.layers.attention import attention, multiply_transposed
from baselines.layers.attention_positions import AttentionPositions
from baselines.layers.backends import backend_functions
from baselines.layers.full_attention import build_projections, merge_heads, split_heads
from baselines.layers.layer import Layer, build_once, zero_padding
from baselines.layers.lengths import cut_end, is_known, pad_end
from baselines.layers.masked_scores import mask_scores, softmax

FIXED_BLOCKS = 5
"""The blocks that a block sees in addition to random ones: two global, itself, and two
neighbours."""
STEP_BYTES = 9 * 2**20
"""The size of the scores of one step, as measured, unless those of one head are larger."""


class BlockSparseAttention(Layer):
    """Attention of blocks to global, neighbouring and random blocks.

    Zaheer et al. 2020, section 2, in blocks of b positions (appendix D): b is `block_size`, r is
    `num_random_blocks`. The first and the last block are global: they attend to all blocks, and all
    attend to them. Every other block attends to itself, to its two neighbours, and to r random
    blocks. Each head has random blocks of its own. A block that is listed twice counts once.

    The random blocks depend on `seed` and on the number of blocks only: they are the same in
    training and in evaluation. So a longer padding changes the outputs, because it changes the
    random blocks and the last block. If the length is not a multiple of b, masked padding completes
    the last block. Up to a length of (5 + 2 r) b, every position attends to all, as in the
    published code (`transformers`).

    `positions`, a scheme such as `RotaryPositions`, turn queries and keys.

    In a graph of unknown length on TensorFlow, NumPy draws the random blocks when the graph runs:
    TensorFlow has no operation that draws the same ones. XLA cannot compile such a graph, and Keras
    does not try if the layer is built for an unknown length.

    In: hidden states (batch, n, width); the padding mask (batch, n), True where real. Out: (batch,
    n, width); padded rows are 0 before the output projection. Time O(n · b · (7 + r)), memory O(n):
    only one step of heads has scores at a time, and the gradient recomputes them.

    Raises:
        ValueError: the block size is below 1, the number of random blocks is below 0, or the width
            is not a multiple of the heads.

    Example:
        >>> layer = BlockSparseAttention(num_heads=4, block_size=4, num_random_blocks=1)
        >>> tuple(layer(keras.ops.ones((2, 31, 32))).shape)
        (2, 31, 32)
    """

    def __init__(
        self,
        num_heads: int,
        block_size: int = 64,
        num_random_blocks: int = 3,
        seed: int = 0,
        positions: AttentionPositions | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if block_size < 1 or num_random_blocks < 0:
            raise ValueError(
                "A block needs at least 1 position, and the number of random blocks cannot be "
                f"negative. Received: block_size={block_size}, "
                f"num_random_blocks={num_random_blocks}. Use the paper's 64 and 3."
            )
        self.num_heads = num_heads
        self.block_size = block_size
        self.num_random_blocks = num_random_blocks
        self.seed = seed
        self.positions = AttentionPositions() if positions is None else positions

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the four projections."""
        build_projections(self, input_shape)
        head_size = self.query.units // self.num_heads
        build_once(self.positions, (None, self.num_heads, None, head_size))
        if input_shape[1] is None and keras.backend.backend() == "tensorflow":
            self.supports_jit = False

    def call(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Return the projected attention."""
        return self.output_projection(self.mix(hidden_states, padding_mask))

    def mix(self, hidden_states: Any, padding_mask: Any = None, random_blocks: Any = None) -> Any:
        """Return attention before the output projection, as the published outputs are.

        `random_blocks` (heads, blocks - 2, r) replaces the layer's own: the numbers of the random
        blocks of every block but the first and the last.
        """
        length = ops.shape(hidden_states)[1]
        hidden_states = zero_padding(hidden_states, padding_mask)
        if padding_mask is None:
            padding_mask = ops.ones_like(hidden_states[:, :, 0], dtype="bool")

        def attend_fully() -> Any:
            return attention(*self._project(hidden_states), padding_mask=padding_mask, scale=1.0)

        def attend_in_blocks() -> Any:
            return self._attend_in_blocks(hidden_states, padding_mask, random_blocks)

        full = is_full(length, self.block_size, self.num_random_blocks)
        if random_blocks is not None:
            full = length <= 2 * self.block_size
        if is_known(length):
            heads = attend_fully() if full else attend_in_blocks()
        else:
            heads = ops.cond(full, attend_fully, attend_in_blocks)
        return zero_padding(merge_heads(heads), padding_mask)

    def _attend_in_blocks(self, hidden_states: Any, visible: Any, random_blocks: Any) -> Any:
        """Return attention by head, (batch, heads, n, head size)."""
        length, size = ops.shape(hidden_states)[1], self.block_size
        num_blocks = -(-length // size)
        # One more block is all padding. It replaces the blocks that are listed twice.
        missing = (num_blocks + 1) * size - length
        hidden_states = pad_end(hidden_states, missing, axis=1)
        visible = pad_end(visible, missing, axis=1)
        query, key, value = self._project(hidden_states)
        start, stop = (num_blocks - 1) * size, num_blocks * size
        first, inner, last = query[:, :, :size], query[:, :, size:start], query[:, :, start:stop]
        ends = ops.concatenate([first, last], axis=2)
        of_ends = attention(ends, key, value, padding_mask=visible, scale=1.0)
        first, last = ops.split(of_ends, 2, axis=2)
        seen = self._see_blocks(num_blocks, random_blocks)
        visible = ops.repeat(visible[:, None, :], self.num_heads, axis=1)
        inner = attend_to_seen(inner, key, value, visible, seen, size)
        heads = ops.concatenate([first, inner, last], axis=2)
        return cut_end(heads, length, axis=2)

    def _see_blocks(self, num_blocks: Any, random_blocks: Any) -> Any:
        """Return the result of `see_blocks`, with random blocks of the layer by default."""

        def see(num_blocks: int) -> np.ndarray:
            drawn = random_blocks
            if drawn is None:
                drawn = draw_random_blocks(
                    self.num_heads, num_blocks, self.num_random_blocks, self.seed
                )
            return see_blocks(np.asarray(drawn), num_blocks).astype("int32")

        if is_known(num_blocks):
            return ops.convert_to_tensor(see(num_blocks))
        shape = (self.num_heads, None, FIXED_BLOCKS + self.num_random_blocks)
        return backend_functions().call_numpy(see, num_blocks, shape)

    def _project(self, hidden_states: Any) -> tuple[Any, Any, Any]:
        """Return scaled queries, keys and values by head."""
        query, key, value = (
            split_heads(projection(hidden_states), self.num_heads)
            for projection in (self.query, self.key, self.value)
        )
        query, key = (self.positions.rotate(part) for part in (query, key))
        return query * query.shape[-1] ** -0.5, key, value


def is_full(length: int, block_size: int, num_random_blocks: int) -> bool:
    """Return whether every position attends to all others: the rule of the published code."""
    return length <= (FIXED_BLOCKS + 2 * num_random_blocks) * block_size


def draw_random_blocks(
    num_heads: int, num_blocks: int, num_random_blocks: int, seed: int
) -> np.ndarray:
    """Return r different blocks for each inner block, (heads, blocks - 2, r), by a fixed seed.

    They are drawn from the blocks that the inner block does not see anyway, which must be at least
    r. Every choice is equally likely (Bentley and Floyd 1987, "A Sample of Brilliance"). Time
    O(blocks · r²) per head.
    """
    generator = np.random.default_rng([seed, num_blocks])
    own = np.tile(np.arange(1, num_blocks - 1), num_heads)
    near = np.maximum(own - 1, 1)
    num_near = np.minimum(own + 1, num_blocks - 2) - near + 1
    far = num_blocks - 2 - num_near
    drawn = np.zeros((len(own), num_random_blocks), "int64")
    for place in range(num_random_blocks):
        highest = far - num_random_blocks + place
        found = generator.integers(0, highest + 1)
        taken = (drawn[:, :place] == found[:, None]).any(axis=1)
        drawn[:, place] = np.where(taken, highest, found)
    drawn += 1
    drawn += np.where(drawn >= near[:, None], num_near[:, None], 0)
    return drawn.reshape(num_heads, num_blocks - 2, num_random_blocks)


def see_blocks(random_blocks: np.ndarray, num_blocks: int) -> np.ndarray:
    """Return the blocks that each inner block sees: (heads, blocks - 2, 5 + r).

    The number `num_blocks` replaces a block that is listed already.
    """
    own = np.arange(1, num_blocks - 1)
    fixed = [np.zeros_like(own), own - 1, own, own + 1, np.full_like(own, num_blocks - 1)]
    shape = (len(random_blocks), len(own), FIXED_BLOCKS)
    listed = [np.broadcast_to(np.stack(fixed, axis=1), shape), random_blocks]
    seen = np.sort(np.concatenate(listed, axis=2), axis=2)
    again = seen[..., 1:] == seen[..., :-1]
    seen[..., 1:][again] = num_blocks
    return seen


def attend_to_seen(query: Any, key: Any, value: Any, visible: Any, seen: Any, size: int) -> Any:
    """Return softmax(Q Kᵀ) V of inner blocks, each over the visible keys of the blocks it sees.

    Shapes: query (batch, heads, (blocks - 2) · b, d), scaled; key and value (batch, heads, (blocks
    + 1) · b, d); visible (batch, heads, (blocks + 1) · b); seen (heads, blocks - 2, k). Out: as
    query.
    The graph does not grow with the length.
    """
    num_heads, inner, num_seen = ops.shape(seen)
    num_blocks, head_size = ops.shape(key)[2] // size, key.shape[3]
    group = heads_per_step(num_heads, 4 * inner * num_seen * size**2) if is_known(inner) else 1
    num_groups = num_heads // group
    seen_blocks = ops.reshape(ops.cast(seen, "int32"), (num_groups, group, inner * num_seen))
    seen_blocks = seen_blocks + ops.arange(group, dtype="int32")[:, None] * num_blocks
    seen_blocks = ops.reshape(seen_blocks, (num_groups, group * inner * num_seen))
    num_steps = ops.shape(key)[0] * num_groups

    def columns(blocks: Any, places: Any) -> Any:
        """Return the blocks at the places, side by side for each query block: (…, k · b, d)."""
        taken = ops.take(blocks, places, axis=0)
        return ops.reshape(taken, (-1, num_seen * size, *blocks.shape[2:]))

    def weigh(query: Any, keys: Any, visible: Any, places: Any) -> Any:
        shown = columns(visible, places)[:, None, :]
        return softmax(mask_scores(multiply_transposed(query, keys), shown))

    in_steps = (-1, group * num_blocks, size)
    visible = ops.reshape(visible, in_steps)

    @backend_functions().custom_gradient  # type: ignore[untyped-decorator]
    def attend(query: Any, key: Any, value: Any) -> Any:
        def forward(carried: Any, step: Any) -> tuple[Any, Any]:
            places = seen_blocks[step % num_groups]
            weights = weigh(query[step], columns(key[step], places), visible[step], places)
            mixed = ops.matmul(weights, columns(value[step], places))
            return mixed, mixed

        # On TensorFlow, what a scan returns must have the structure of what it carries.
        steps = ops.arange(num_steps)
        _, mixed = ops.scan(forward, ops.zeros_like(query[0]), steps)

        def gradient(upstream: Any) -> Any:
            shared = ops.sum(mixed * upstream, axis=-1, keepdims=True)

            def backward(carried: Any, step: Any) -> tuple[Any, Any]:
                places = seen_blocks[step % num_groups]
                keys, d_mixed = columns(key[step], places), upstream[step]
                weights = weigh(query[step], keys, visible[step], places)
                d_weights = multiply_transposed(d_mixed, columns(value[step], places))
                d_scores = weights * (d_weights - shared[step])
                found = (
                    ops.matmul(d_scores, keys),
                    to_blocks(d_scores, query[step], places),
                    to_blocks(weights, d_mixed, places),
                )
                return found, found

            start = tuple(ops.zeros_like(part[0]) for part in (query, key, value))
            _, found = ops.scan(backward, start, steps)
            return found

        return (mixed,), gradient

    def to_blocks(scores: Any, states: Any, places: Any) -> Any:
        """Return the products of transposed scores and states, summed by block, in float32."""
        product = ops.matmul(ops.swapaxes(scores, 1, 2), states)
        product = ops.reshape(product, (-1, size, head_size))
        wide = ops.cast(product, "float32")
        total = backend_functions().sum_by_place(wide, places, group * num_blocks)
        return ops.cast(total, product.dtype)

    (mixed,) = attend(
        ops.reshape(query, (-1, group * inner, size, head_size)),
        ops.reshape(key, (*in_steps, head_size)),
        ops.reshape(value, (*in_steps, head_size)),
    )
    return ops.reshape(mixed, (-1, num_heads, inner * size, head_size))


def heads_per_step(num_heads: int, bytes_per_head: int) -> int:
    """Return the largest divisor of the heads whose scores fit in `STEP_BYTES`, or 1."""
    fits = (count for count in range(num_heads, 1, -1) if count * bytes_per_head <= STEP_BYTES)
    return next((count for count in fits if num_heads % count == 0), 1)
