"""Decays between the positions of a chunk, from their logarithms.

The log decays of a chunk are (…, c, 1) where all channels of a head share a decay, and (…, c, d)
where each channel has its own. Sums of them have two parts, coarse and fine, of the same shape.

Σ_d q_id k_jd exp(G_id − G_jd), for sums G that differ between channels, is no product of two
matrices: exp(−G_jd) alone overflows where decays are strong (Yang et al. 2024, "Gated Linear
Attention Transformers with Hardware-Efficient Training", section 4.3). `decayed_products` compares
the halves of a chunk by way of the last position of the first half, so that both factors are at
most 1. It halves the halves in turn, and compares the smallest blocks channel by channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from baselines.layers.fusing import fused
from baselines.layers.lengths import is_known

ZERO_WEIGHT = -1e30
"""The logarithm of a weight that is 0 in float32."""
STEPS_PER_UNIT = 64
"""The resolution of the exact part of a sum: exact up to 2^24 / 64 = 262,144."""
STRONGEST_DECAY = -128.0
"""The least logarithm of a decay that is summed. Below -104 a decay is 0 in float32 anyway."""
LONGEST_CHUNK = 2048
"""The most positions whose strongest decays still have an exact sum: 2,048 · 128 = 262,144."""
SMALLEST_BLOCK = 8
"""Positions that are compared channel by channel."""


def chunk_size(length: Any, chunk_length: int, by_channel: bool) -> int:
    """Return the positions of a chunk, at most `chunk_length`, for a length that may be unknown.

    Chunks whose decays differ between channels have a power of two of positions.

    Raises:
        ValueError: `chunk_length` is no power of two, where it must be.
    """
    if by_channel and chunk_length & (chunk_length - 1):
        raise ValueError(
            "Chunks have a power of two of positions where each channel has its own decay. "
            f"Received: chunk_length={chunk_length}. Use 64."
        )
    if not is_known(length):
        return chunk_length
    positions: int = 1 << (length - 1).bit_length() if by_channel else length
    return min(chunk_length, positions)


def accumulate_decays(log_decay: Any) -> tuple[Any, Any]:
    """Return the sums of logarithms, (…, c, 1) or (…, c, d), up to each position: coarse and fine.

    A sum of strong decays in float32 rounds away a weak decay that follows. The sums of the coarse
    parts, which are multiples of 1 / `STEPS_PER_UNIT`, are exact, and those of the fine ones small.
    A decay whose logarithm is below `STRONGEST_DECAY`, even −∞, is 0 as it would be without sums.

    Raises:
        ValueError: the chunk is longer than `LONGEST_CHUNK`.
    """
    if log_decay.shape[-2] > LONGEST_CHUNK:
        raise ValueError(
            f"Sums of decays are exact in chunks of at most {LONGEST_CHUNK} positions. "
            f"Received: chunk_length={log_decay.shape[-2]}. Use shorter chunks."
        )
    return accumulate_exactly(ops.maximum(log_decay, STRONGEST_DECAY), axis=-2)


def accumulate_exactly(values: Any, axis: int) -> tuple[Any, Any]:
    """Return the sums of coarse parts along an axis, exact and without a gradient, and the rest."""
    coarse = ops.stop_gradient(ops.round(values * STEPS_PER_UNIT) / STEPS_PER_UNIT)
    return ops.cumsum(coarse, axis=axis), ops.cumsum(values - coarse, axis=axis)


def decays_from_start(coarse: Any, fine: Any) -> Any:
    """Return the decay from the start of the chunk to each position, its own included."""
    return ops.exp(coarse + fine)


def decays_to_end(coarse: Any, fine: Any) -> Any:
    """Return the decay from each position to the end of the chunk."""
    return ops.exp((coarse[..., -1:, :] - coarse) + (fine[..., -1:, :] - fine))


def decays_of_chunk(coarse: Any, fine: Any) -> Any:
    """Return the decay of the whole chunk as a factor of its state: (…, 1 or d, 1)."""
    return ops.exp(coarse[..., -1, :] + fine[..., -1, :])[..., None]


def decays_between(coarse: Any, fine: Any, seen: np.ndarray) -> Any:
    """Return the decay from each position to each later one, 0 where not `seen`: (…, c, c).

    All channels share a decay.
    """
    coarse, fine = coarse[..., 0], fine[..., 0]
    between = coarse[..., :, None] - coarse[..., None, :]
    between = between + (fine[..., :, None] - fine[..., None, :])
    return ops.exp(ops.where(seen, between, ops.full_like(between, ZERO_WEIGHT)))


def decayed_products(queries: Sequence[Any], key: Any, coarse: Any, fine: Any) -> list[Any]:
    """Return for each of the queries its products with the decayed keys, up to its position.

    Shapes: queries, key and the sums of log decays (…, c, d), for a power of two c. The products
    are (…, c, c), and 0 for keys of later positions. Time O(c² · d), memory O(c · (c + d · log c)).
    """
    size, channels = key.shape[-2:]
    block = min(SMALLEST_BLOCK, size)

    def split(part: Any, *blocks: int) -> Any:
        return ops.reshape(part, (-1, size // int(np.prod(blocks)), *blocks, channels))

    small = [split(part, block) for part in (key, coarse, fine)]
    products = [fused(_compare_channels)(split(query, block), *small) for query in queries]
    while block < size:
        since, until = fused(_decay_halves)(*(split(part, 2, block) for part in (coarse, fine)))
        early = ops.swapaxes(split(key, 2, block)[:, :, 0] * until, -1, -2)
        for index, query in enumerate(queries):
            below = ops.matmul(split(query, 2, block)[:, :, 1] * since, early)
            pairs = ops.reshape(products[index], (-1, size // (2 * block), 2, block, block))
            above = ops.concatenate([pairs[:, :, 0], ops.zeros_like(below)], axis=-1)
            below = ops.concatenate([below, pairs[:, :, 1]], axis=-1)
            products[index] = ops.concatenate([above, below], axis=-2)
        block *= 2
    lead = ops.shape(key)[1:-2]
    return [ops.reshape(part, (-1, *lead, size, size)) for part in products]


def _compare_channels(query: Any, key: Any, coarse: Any, fine: Any) -> Any:
    """Return the products within small blocks, (…, b, b), with a decay for each channel."""
    size = key.shape[-2]
    between = coarse[..., :, None, :] - coarse[..., None, :, :]
    between = between + (fine[..., :, None, :] - fine[..., None, :, :])
    seen = np.tril(np.ones((size, size), bool))[:, :, None]
    decays = ops.exp(ops.where(seen, between, ops.full_like(between, ZERO_WEIGHT)))
    return ops.sum(query[..., :, None, :] * key[..., None, :, :] * decays, axis=-1)


def _decay_halves(coarse: Any, fine: Any) -> tuple[Any, Any]:
    """Return the decays of second halves since the middle, and of first halves until the middle.

    In: (…, 2, b, d). Out: (…, b, d) each.
    """
    (early_coarse, late_coarse), (early_fine, late_fine) = (
        (part[..., 0, :, :], part[..., 1, :, :]) for part in (coarse, fine)
    )
    middle_coarse, middle_fine = early_coarse[..., -1:, :], early_fine[..., -1:, :]
    since = ops.exp((late_coarse - middle_coarse) + (late_fine - middle_fine))
    until = ops.exp((middle_coarse - early_coarse) + (middle_fine - early_fine))
    return since, until
