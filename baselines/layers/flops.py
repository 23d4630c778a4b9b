"""Counts of floating-point operations, from the published formulas. Standard library only."""

from __future__ import annotations

from collections.abc import Callable

from suite.api import BuildRequest, Form

CHUNK_LENGTH = 128
"""Positions in a chunk of a scan: longer chunks cost more comparisons, shorter ones more states."""


def attend_pairs(pairs: float, width: int) -> float:
    """Return the operations of Q Kᵀ and the weighted sum of V for a number of position pairs.

    The count is for all heads together. A multiplication and an addition are two operations; the
    softmax is left out, as is usual.
    """
    return 4.0 * width * pairs


def all_pairs(length: int, causal: bool) -> float:
    """Return the number of attended pairs in full attention."""
    return length * (length + 1) / 2 if causal else float(length**2)


def pairs_in_window(length: int, before: int, after: int) -> float:
    """Return the number of attended pairs within a window; each position attends to itself too."""
    before, after = min(before, length - 1), min(after, length - 1)
    missing = before * (before + 1) / 2 + after * (after + 1) / 2
    return length * (1 + before + after) - missing


def convolve_channels(length: int, channels: int, kernel_size: int) -> float:
    """Return the operations of a `ShortConvolution`."""
    return 2.0 * kernel_size * channels * length


def scan_operations(
    length: int, key_size: int, key_width: int, value_width: int, chunk_length: int
) -> float:
    """Return the operations of a scan in chunks: of the states, and of the comparisons in a chunk.

    A head has `key_size` channels of keys, and all heads together `key_width`, of which heads may
    share some, and `value_width` channels of values.
    """
    pairs = length * (min(chunk_length, length) + 1) / 2
    return 4.0 * key_size * value_width * length + 2.0 * (key_width + value_width) * pairs


def over_stacks(request: BuildRequest, of_stack: Callable[[bool], float]) -> float:
    """Return the sum over a form's stacks, `of_stack(causal)` each, and over cross-attention."""
    if request.form is Form.ENCODER:
        return of_stack(False)
    if request.form is Form.DECODER:
        return of_stack(True)
    size = request.model_size
    crossing = attend_pairs(float(request.sequence_length**2), size.width) * size.num_layers
    return of_stack(False) + of_stack(True) + crossing


def full_attention_operations(request: BuildRequest, extra_positions: int = 0) -> float:
    """Return the operations of a model whose layers all have full attention."""
    size, length = request.model_size, request.sequence_length + extra_positions
    return over_stacks(
        request,
        lambda causal: size.num_layers * attend_pairs(all_pairs(length, causal), size.width),
    )


def feature_attention_operations(request: BuildRequest, num_features: int) -> float:
    """Return the operations of attention by features, without those of the features themselves.

    Each position adds the product of features and values to a sum, and reads the sum. In causal
    stacks, the positions of a chunk are compared with the earlier ones of their chunk too.
    """
    size, length = request.model_size, request.sequence_length
    chunk = min(CHUNK_LENGTH, length)

    def of_stack(causal: bool) -> float:
        sums = 4.0 * num_features * size.width * length
        pairs = length * (chunk + 1) / 2 if causal else 0.0
        per_pair = 2.0 * (num_features * size.num_heads + size.width)
        return size.num_layers * (sums + pairs * per_pair)

    return over_stacks(request, of_stack)
