"""One attention function: exact, in memory linear in the length, or in a fused kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from baselines.layers.attention_blocks import (
    BLOCK_BYTES,
    Block,
    Pattern,
    Span,
    Terms,
    num_heads_per_key,
    separate_heads,
    share_heads,
)
from baselines.layers.backends import backend_functions
from baselines.layers.lengths import is_known
from baselines.layers.masked_scores import mask_scores, softmax

Drop = Callable[[Any, Any], Any]
"""Returns dropout of weights, given the weights and the number of their block."""


def attention(
    query: Any,
    key: Any,
    value: Any,
    *,
    lengths: Any = None,
    padding_mask: Any = None,
    causal: bool = False,
    window: int | None = None,
    num_sinks: int = 0,
    bias: Any = None,
    distance_bias: Any = None,
    scale: float | None = None,
    query_offset: Any = 0,
    dropout: float = 0.0,
    seed: Any = None,
    block_bytes: int | None = BLOCK_BYTES,
) -> Any:
    """Return softmax(scale · Q Kᵀ + bias) V (Vaswani et al. 2017, section 3.2.1).

    Shapes: query (batch, heads, n, d), key and value (batch, key/value heads, m, d). Consecutive
    query heads share a key/value head (Ainslie et al. 2023). Time O(n·m). With a window w, a block
    skips keys that are outside the windows of all its queries. Memory O(n + m): scores exist for
    one block of about `block_bytes` at a time, and are recomputed for the gradient. PyTorch, and
    JAX on GPUs in 16 bits, use fused kernels where these support the case. With `block_bytes=None`
    all scores are kept, in memory O(n·m).

    Args:
        query: The queries.
        key: The keys.
        value: The values.
        lengths: The number of real keys in each example, (batch,); the others are masked.
        padding_mask: The real keys, (batch, m), if these are not the first `lengths` ones.
        causal: Whether a query sees no later keys.
        window: The number w of keys that a causal query sees: positions i − w + 1 … i (Jiang et al.
            2023, section 2). Without `causal`, it sees the keys up to i + w − 1 too.
        num_sinks: The number of first keys that stay visible outside the window (Xiao et al. 2023).
        bias: An array that broadcasts to (batch, heads, n, m).
        distance_bias: A bias for each distance from the last query and first key to the first query
            and last key, (heads, n + m − 1).
        scale: The factor of the scores; by default 1/√d.
        query_offset: The position of the first query among the keys. A tensor keeps all scores, as
            does a length that TensorFlow does not know when it traces the call.
        dropout: The share of weights that are set to 0.
        seed: Two numbers, such as a `SeedGenerator` returns: the same seed drops the same weights.
        block_bytes: The size of a block of scores.

    Raises:
        ValueError: the window is below 1, the heads are not a multiple of the key/value heads, or
            there is dropout without a seed.
    """
    batch, num_heads, _, head_size = query.shape
    length, num_keys = ops.shape(query)[2], ops.shape(key)[2]
    check_pattern(num_heads, key.shape[1], window, num_sinks)
    if dropout and seed is None:
        raise ValueError(f"Dropout needs a seed. Received: dropout={dropout}. Pass two numbers.")
    if lengths is not None:
        padding_mask = ops.arange(num_keys)[None, :] < ops.convert_to_tensor(lengths)[:, None]
    padding = None
    if isinstance(padding_mask, np.ndarray) and padding_mask.all():
        padding_mask = None
    if padding_mask is not None:
        padding = ops.cast(padding_mask, "bool")[:, None, None, :]
    pattern = Pattern(causal, window, num_sinks, query_offset)
    terms = Terms(pattern.without_wide_window(length, num_keys), length, padding)
    query = query * (head_size**-0.5 if scale is None else scale)
    bias, distance_bias = (
        None if part is None else ops.cast(part, query.dtype) for part in (bias, distance_bias)
    )
    drop = _drop(dropout, seed) if dropout else None
    # JAX traces unknown batch sizes as expressions: only the shape of the result matters then.
    known = batch is None or isinstance(batch, int)
    if block_bytes is None or not (known and is_known(length, num_keys, query_offset)):
        block = Block(Span(0, batch), Span(0, length), (Span(0, num_keys),))
        biases = terms.biases_of(block, bias, distance_bias)
        return attend(query, key, value, *biases, visible=terms.visible_in(block), drop=drop)
    return backend_functions().attend(
        query, key, value, bias, distance_bias, terms, block_bytes, drop, lengths
    )


def attend(
    query: Any, key: Any, value: Any, *biases: Any, visible: Any = None, drop: Drop | None = None
) -> Any:
    """Return softmax(Q Kᵀ + biases) V for queries that are already scaled.

    Shapes: query (…, n, d), key and value (…, m, d). The biases and `visible`, which is False at
    masked keys, broadcast to (…, n, m). With four axes, the queries may have more heads than the
    keys. Time and memory O(n·m).
    """
    weights = softmax(score(query, key, *biases, visible=visible))
    if drop is not None:
        weights = drop(weights, 0)
    return mix(weights, value)


def score(query: Any, key: Any, *biases: Any, visible: Any = None) -> Any:
    """Return Q Kᵀ + biases, (…, n, m), as `attend` describes them. Time and memory O(n·m)."""
    shared = num_heads_per_key(query, key)
    scores = separate_heads(multiply_transposed(share_heads(query, shared), key), shared)
    for bias in biases:
        scores = scores + bias
    return mask_scores(scores, visible)


def mix(weights: Any, value: Any) -> Any:
    """Return W V for weights (…, n, m), which may have more heads than the values (four axes)."""
    shared = num_heads_per_key(weights, value)
    return separate_heads(ops.matmul(share_heads(weights, shared), value), shared)


def multiply_transposed(left: Any, right: Any) -> Any:
    """Return the product of (…, n, d) and the transpose of (…, m, d), without a transposed copy."""
    axes = "abcde"[: len(left.shape) - 2]
    return ops.einsum(f"{axes}nd,{axes}md->{axes}nm", left, right)


def check_pattern(num_heads: int, num_key_value_heads: int, window: int | None, sinks: int) -> None:
    """Raise a ValueError if the heads cannot share key/value heads, or no key is visible."""
    if num_key_value_heads < 1 or num_heads % num_key_value_heads:
        raise ValueError(
            "num_heads must be a multiple of num_key_value_heads. Received: "
            f"num_heads={num_heads}, num_key_value_heads={num_key_value_heads}. Use a divisor."
        )
    if (window is not None and window < 1) or sinks < 0:
        raise ValueError(
            "The window must be at least 1, num_sinks at least 0. Received: "
            f"window={window}, num_sinks={sinks}. Use None for no window."
        )


def _drop(dropout: float, seed: Any) -> Drop:
    def drop(weights: Any, block: Any) -> Any:
        own = ops.cast(seed, "uint32") + ops.cast(ops.stack([0, block]), "uint32")
        return backend_functions().drop(weights, dropout, own)

    return drop
