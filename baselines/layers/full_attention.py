"""Full attention: every position attends to every other.

Vaswani et al. 2017, "Attention Is All You Need", section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from baselines.layers.backends import backend_functions
from baselines.layers.initialization import dense, kernel
from baselines.layers.layer import Layer

MASKED = -3e4
"""Added to the score of a masked key. Twice this number still fits float16."""

BLOCK_BYTES = 16 * 2**20
"""Size of one block of scores: as fast as larger blocks, because it fits the processor's cache."""
MAX_BLOCKS = 32


def split_heads(projected: Any, num_heads: int) -> Any:
    """Reshape (batch, length, width) to (batch, heads, length, head size)."""
    _batch, length, width = projected.shape
    heads = ops.reshape(projected, (-1, length, num_heads, width // num_heads))
    return ops.transpose(heads, (0, 2, 1, 3))


def merge_heads(heads: Any) -> Any:
    """Reshape (batch, heads, length, head size) to (batch, length, width)."""
    _, num_heads, length, head_size = heads.shape
    return ops.reshape(ops.transpose(heads, (0, 2, 1, 3)), (-1, length, num_heads * head_size))


def mask_to_bias(padding_mask: Any, dtype: Any) -> Any:
    """Return the bias of a mask: 0 where the mask is True, `MASKED` where it is False."""
    return (1.0 - ops.cast(padding_mask, dtype)) * MASKED


def attend(query: Any, key: Any, value: Any, bias: Any = None) -> Any:
    """Return softmax(Q Kᵀ + bias) V for queries that are already scaled (section 3.2.1).

    Shapes: query (…, n, d), key and value (…, m, d), bias broadcast to (…, n, m). Time and memory
    O(n·m).
    """
    scores = multiply_transposed(query, key)
    if bias is not None:
        scores = scores + bias
    return ops.matmul(ops.softmax(scores, axis=-1), value)


def multiply_transposed(left: Any, right: Any) -> Any:
    """Return the product of (…, n, d) and the transpose of (…, m, d), without a transposed copy."""
    axes = "abcde"[: len(left.shape) - 2]
    return ops.einsum(f"{axes}nd,{axes}md->{axes}nm", left, right)


def init_key_value_state(layer: Any, batch_size: int, max_length: int) -> tuple[Any, Any]:
    """Return zeros for an attention layer's keys and values: (batch, heads, max_length, d) each."""
    shape = (batch_size, layer.num_heads, max_length, layer.key.units // layer.num_heads)
    return ops.zeros(shape, layer.compute_dtype), ops.zeros(shape, layer.compute_dtype)


def attend_with_state(
    projected: tuple[Any, Any, Any],
    state: tuple[Any, Any],
    position: Any,
    sees: Callable[[Any], Any],
) -> tuple[Any, tuple[Any, Any]]:
    """Return attention of the newest positions, and the state with their keys and values.

    `projected` holds scaled queries, keys and values of the newest positions, (batch, heads, m, d).
    `sees` returns whether a distance to the left, (m, max_length), is visible. Time
    O(m · max_length).
    """
    query, key, value = projected
    start = (0, 0, position, 0)
    keys, values = ops.slice_update(state[0], start, key), ops.slice_update(state[1], start, value)
    places = position + ops.arange(query.shape[2])
    visible = sees(places[:, None] - ops.arange(keys.shape[2])[None, :])
    return attend(query, keys, values, mask_to_bias(visible, query.dtype)), (keys, values)


@dataclass(frozen=True)
class Block:
    """Queries of some examples, and the number of keys that they attend to."""

    examples: slice
    queries: slice
    num_keys: int
    all_keys: int

    @property
    def first_of_examples(self) -> bool:
        """Whether this is the first block of its examples."""
        return bool(self.queries.start == 0)


def plan_blocks(
    batch: int, num_heads: int, length: int, num_keys: int, causal: bool, block_bytes: int
) -> list[Block]:
    """Return blocks of queries whose scores take about `block_bytes` each.

    A block holds whole examples if the scores of one fit. A sequence has at most `MAX_BLOCKS`
    blocks, because a graph with more is slow to build.
    """
    by_query = batch * num_heads * num_keys * 4
    by_example = num_heads * length * num_keys * 4
    if by_example <= block_bytes:
        step = max(1, block_bytes // by_example)
        return [
            Block(slice(start, min(start + step, batch)), slice(0, length), num_keys, num_keys)
            for start in range(0, batch, step)
        ]
    rows = max(block_bytes // by_query, -(-length // MAX_BLOCKS))
    everyone = slice(0, batch)
    blocks = []
    for start in range(0, length, rows):
        stop = min(start + rows, length)
        seen = stop if causal else num_keys
        blocks.append(Block(everyone, slice(start, stop), seen, num_keys))
    return blocks


class FullAttention(Layer):
    """Multi-head attention of a sequence to itself, or to a context.

    Vaswani et al. 2017, section 3.2.2: `query`, `key`, `value` are W^Q, W^K, W^V of all heads,
    concatenated; `output_projection` is W^O; h is `num_heads`, d_k the head size. With `causal`, a
    position attends to itself and to earlier ones (section 3.2.3).

    In: hidden states (batch, n, width); the padding mask of the keys, True where real; the context
    (batch, m, width), by default the hidden states, or the result of `project_context`. Out:
    (batch, n, width). Time O(n·m). Memory O(n + m): scores exist for one block of queries at a
    time, of about `block_bytes`, and are recomputed for the gradient. With `block_bytes=None`
    memory is O(n·m). Initially, the kernel of W^O is divided by √`num_residual_branches`.

    Raises:
        ValueError: the width is not a multiple of the heads.

    Example:
        >>> layer = FullAttention(num_heads=4)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        num_heads: int,
        causal: bool = False,
        block_bytes: int | None = BLOCK_BYTES,
        num_residual_branches: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.causal = causal
        self.block_bytes = block_bytes
        self.num_residual_branches = num_residual_branches

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the four projections."""
        build_projections(self, input_shape, self.num_residual_branches)

    def call(self, hidden_states: Any, padding_mask: Any = None, context: Any = None) -> Any:
        """Return the projected attention; keys at padded positions are masked."""
        query, key, value = self._project(hidden_states, context)
        bias = None
        if padding_mask is not None:
            bias = mask_to_bias(padding_mask, query.dtype)[:, None, None, :]
        batch, num_heads, length, _ = query.shape
        num_keys = key.shape[2]
        if self.block_bytes is None or not isinstance(batch, int):
            if self.causal:
                later = np.triu(np.full((length, num_keys), MASKED, "float32"), 1)
                order = ops.cast(later, query.dtype)
                bias = order if bias is None else bias + order
            heads = attend(query, key, value, bias)
        else:
            blocks = plan_blocks(batch, num_heads, length, num_keys, self.causal, self.block_bytes)
            heads = backend_functions().attend_in_blocks(
                query, key, value, bias, self.causal, MASKED, blocks
            )
        return self.output_projection(merge_heads(heads))

    def init_state(self, batch_size: int, max_length: int) -> tuple[Any, Any]:
        """Return zeros for the keys and values of `max_length` positions."""
        return init_key_value_state(self, batch_size, max_length)

    def decode_step(
        self, hidden_states: Any, state: tuple[Any, Any], position: Any
    ) -> tuple[Any, Any]:
        """Return the output for positions `position`, `position` + 1, … and the new state.

        The output, (batch, m, width), equals that of `call` on all positions so far. Time
        O(m · max_length).
        """
        projected = self._project(hidden_states, None)
        heads, state = attend_with_state(projected, state, position, lambda distance: distance >= 0)
        return self.output_projection(merge_heads(heads)), state

    def project_context(self, context: Any) -> tuple[Any, Any]:
        """Return the keys and values of a context by head, to be used in many calls."""
        return (
            split_heads(self.key(context), self.num_heads),
            split_heads(self.value(context), self.num_heads),
        )

    def _project(self, hidden_states: Any, context: Any) -> tuple[Any, Any, Any]:
        """Return scaled queries, keys and values by head."""
        query = split_heads(self.query(hidden_states), self.num_heads)
        if not isinstance(context, tuple):
            context = self.project_context(hidden_states if context is None else context)
        return query * query.shape[-1] ** -0.5, *context


def build_projections(
    layer: Any, input_shape: tuple[int | None, ...], num_residual_branches: int = 1
) -> None:
    """Create `query`, `key`, `value` and `output_projection` of a layer with `num_heads`.

    Raises:
        ValueError: the width is not a multiple of the heads.
    """
    width = input_shape[-1]
    check_heads(width, layer.num_heads)
    for name in ("query", "key", "value", "output_projection"):
        branches = num_residual_branches if name == "output_projection" else 1
        projection = dense(
            width, kernel_initializer=kernel(branches), name=name, dtype=layer.dtype_policy
        )
        projection.build(input_shape)
        setattr(layer, name, projection)


def check_heads(width: int | None, num_heads: int) -> None:
    """Raise a ValueError if the width is not a multiple of the heads."""
    if width is None or width % num_heads:
        raise ValueError(
            f"The width must be a multiple of num_heads. Received: width={width}, "
            f"num_heads={num_heads}. Choose another number of heads."
        )
