"""Positions inside attention: rotated queries and keys, or scores that depend on the distance.

The layers in `positions` add vectors to embeddings instead. A distance is that of the key minus
that of the query: it is negative for earlier keys. No scheme here limits the length, so all
extrapolate to sequences longer than those of the training.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from keras import ops

from baselines.layers.backends import backend_functions
from baselines.layers.block import turned_channels
from baselines.layers.fusing import fused, in_float32_where_fused
from baselines.layers.initialization import added_vectors
from baselines.layers.layer import Layer


class AttentionPositions(Layer):
    """A position scheme of attention; this one changes nothing.

    A subclass overrides `rotate` or `bias`. An attention layer builds the scheme with the shape of
    its queries, (batch, heads, n, head size). The layers of a stack may share a scheme. `by_head`
    states that the scheme has numbers of its own for each head.
    """

    by_head = False

    def rotate(self, states: Any, start: Any = 0, length: Any = None) -> Any:
        """Return queries or keys, (batch, heads, n, d), rotated by their positions.

        `start` is the position of the first one. `length` is the number of positions of the whole
        sequence, which by default ends with these. Both may be tensors.
        """
        return states

    def bias(self, first: Any, count: int) -> Any:
        """Return what is added to the scores at distances `first`, `first` + 1, …, or None.

        The shape is (heads, `count`). `first` may be a tensor.
        """
        return None


class RotaryPositions(AttentionPositions):
    """Rotates pairs of channels by angles that grow with the position.

    Su et al. 2021, "RoFormer", section 3.2.2: at position p, pair i of a head of size d is rotated
    by p · `base`^(−2i/d). As in Llama, channel i is paired with channel i + d/2. Scores then depend
    on the distance between query and key. With a `share` below 1, only the first channels turn:
    this share of them. Then d is their number (GPT-NeoX; Qwen3-Next). `rotate` takes and returns
    (batch, heads, n, head size). Time and memory O(n).

    Raises:
        ValueError: the number of channels that turn is odd.

    Example:
        >>> layer = RotaryPositions()
        >>> layer.build((2, 4, 7, 8))
        >>> tuple(layer.rotate(keras.ops.ones((2, 4, 7, 8))).shape)
        (2, 4, 7, 8)
    """

    def __init__(self, base: float = 10_000.0, share: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.base = base
        self.share = share

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Compute the frequencies of the pairs."""
        turned = turned_channels(input_shape[-1] or 0, self.share)
        if turned is None:
            raise ValueError(
                "Rotary positions need an even head size: channels rotate in pairs. Received: a "
                f"head size of {input_shape[-1]}, share={self.share}. Choose another number of "
                "heads, or a share that turns pairs."
            )
        exponents = np.arange(0, turned, 2, dtype="float32") / np.float32(turned)
        self.frequencies = (1.0 / np.float32(self.base) ** exponents).astype("float32")

    def turns(self, length: Any) -> tuple[Any, Any]:
        """Return the frequencies of the pairs, and what turned channels are multiplied by, or None.

        A subclass may let them depend on the length of the whole sequence.
        """
        return ops.convert_to_tensor(self.frequencies), None

    def rotate(self, states: Any, start: Any = 0, length: Any = None) -> Any:
        """Return queries or keys, (batch, heads, n, d), rotated by their positions."""
        places = ops.cast(start + ops.arange(ops.shape(states)[-2]), "float32")
        if length is None:
            length = start + ops.shape(states)[-2]
        frequencies, magnitude = self.turns(length)
        angles = places[:, None] * frequencies[None, :]
        cosines, sines = ops.cos(angles), ops.sin(angles)
        if magnitude is not None:
            cosines, sines = cosines * magnitude, sines * magnitude
        turned, rest = 2 * len(self.frequencies), None
        if turned < states.shape[-1]:
            states, rest = ops.split(states, [turned], axis=-1)
        rotated: Any = _rotate()(states, cosines, sines)[0]
        return rotated if rest is None else ops.concatenate([rotated, rest], axis=-1)


@lru_cache
def _rotate() -> Any:
    """Return a rotation whose gradient, the opposite rotation, stores no states."""

    def rotate(states: Any, cosines: Any, sines: Any) -> Any:
        turn = fused(_turn)

        def gradient(upstream: Any) -> Any:
            return turn(upstream, cosines, -sines), ops.zeros_like(cosines), ops.zeros_like(sines)

        return (turn(states, cosines, sines),), gradient

    return backend_functions().custom_gradient(rotate)


@in_float32_where_fused
def _turn(states: Any, cosines: Any, sines: Any) -> Any:
    first, second = ops.split(states, 2, axis=-1)
    cosines, sines = (ops.cast(part, states.dtype) for part in (cosines, sines))
    turned = [first * cosines - second * sines, second * cosines + first * sines]
    return ops.concatenate(turned, axis=-1)


class ALiBiPositions(AttentionPositions):
    """Subtracts from each score the distance, times a slope that differs between heads.

    Press, Smith, Lewis 2022, "Train Short, Test Long", section 3: with h heads, a power of two, the
    slopes are 2^(−8/h), 2^(−16/h), …; for other numbers they are interleaved as in the authors'
    code. Without a causal mask, later keys are treated as earlier ones: the encoder cannot
    distinguish the two directions. `bias` returns (heads, distances), in O(n) time and memory.

    Example:
        >>> layer = ALiBiPositions()
        >>> layer.build((2, 4, 7, 8))
        >>> tuple(layer.bias(-6, 13).shape)
        (4, 13)
    """

    by_head = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Compute the slopes of the heads."""
        num_heads = input_shape[1]
        assert num_heads is not None
        self.slopes = alibi_slopes(num_heads)

    def bias(self, first: Any, count: int) -> Any:
        """Return what is added to the scores at `count` distances from `first` on."""
        distances = ops.cast(ops.abs(first + ops.arange(count)), "float32")
        return -ops.convert_to_tensor(self.slopes)[:, None] * distances[None, :]


def alibi_slopes(num_heads: int) -> np.ndarray:
    """Return the slope of each head, as float32."""
    base = 2 ** math.floor(math.log2(num_heads))
    slopes = 2.0 ** (-8.0 / base * np.arange(1, base + 1))
    others = 2.0 ** (-4.0 / base * np.arange(1, 2 * base, 2))
    return np.concatenate([slopes, others[: num_heads - base]]).astype("float32")


class LearnedBias(AttentionPositions):
    """Adds a learned number to each score, one for each head and bucket of distances.

    A subclass sets `num_buckets`, and `buckets` for the distances from −`max_distance` to
    `max_distance`. Larger distances share the first or the last bucket. The layers of a stack share
    the numbers. They start with variance 1 / width, as in T5's code. `bias` returns (heads,
    distances), in O(n · buckets) time and memory.
    """

    by_head = True
    num_buckets: int
    max_distance: int
    buckets: np.ndarray

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the table: one number for each bucket and head."""
        _, num_heads, _, head_size = input_shape
        assert num_heads is not None and head_size is not None
        stddev = (num_heads * head_size) ** -0.5
        shape = (self.num_buckets, num_heads)
        self.table = self.add_weight(shape, added_vectors(stddev), name="table")

    def bias(self, first: Any, count: int) -> Any:
        """Return what is added to the scores at `count` distances from `first` on."""
        largest = self.max_distance
        distances = ops.clip(first + ops.arange(count), -largest, largest)
        buckets = ops.take(ops.convert_to_tensor(self.buckets), distances + largest)
        # A product, because the gradient of a look-up would be a sparse update.
        chosen = ops.one_hot(buckets, self.num_buckets, dtype=self.table.dtype)
        return ops.transpose(ops.matmul(chosen, self.table))


class RelativePositions(LearnedBias):
    """Adds a learned number to each score, one for each head and distance.

    Liu et al. 2021, "Swin Transformer", section 3.2: the relative position bias, here along one
    axis. Distances beyond `max_distance` have the number of `max_distance`. Without
    `bidirectional`, later keys share the number of distance 0. `bias` returns (heads, distances).
    Time and memory O(n · `max_distance`).

    Raises:
        ValueError: `max_distance` is below 1.

    Example:
        >>> layer = RelativePositions(max_distance=16)
        >>> layer.build((2, 4, 7, 8))
        >>> tuple(layer.bias(-6, 13).shape)
        (4, 13)
    """

    def __init__(self, max_distance: int = 128, bidirectional: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if max_distance < 1:
            raise ValueError(
                "The max_distance must be at least 1. "
                f"Received: max_distance={max_distance}. Use a longer distance."
            )
        self.max_distance = max_distance
        self.bidirectional = bidirectional
        last = (2 if bidirectional else 1) * max_distance
        self.num_buckets = last + 1
        self.buckets = np.minimum(np.arange(2 * max_distance + 1, dtype="int32"), last)


class BucketedPositions(LearnedBias):
    """Adds a learned number to each score, one for each head and bucket of distances.

    Raffel et al. 2020, "Exploring the Limits of Transfer Learning", section 2.1: short distances
    have a bucket each, longer ones share buckets of logarithmic width, up to `max_distance`.
    `bidirectional` gives half of the buckets to later keys; otherwise these share bucket 0. `bias`
    returns (heads, distances). Time and memory O(n · `num_buckets`).

    Raises:
        ValueError: there are too few buckets, or `max_distance` is within the short distances.

    Example:
        >>> layer = BucketedPositions(num_buckets=8, max_distance=16)
        >>> layer.build((2, 4, 7, 8))
        >>> tuple(layer.bias(-6, 13).shape)
        (4, 13)
    """

    def __init__(
        self,
        num_buckets: int = 32,
        max_distance: int = 128,
        bidirectional: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        smallest = 4 if bidirectional else 2
        if num_buckets < smallest or max_distance <= num_buckets // smallest:
            raise ValueError(
                f"num_buckets must be at least {smallest}, and max_distance greater than "
                f"num_buckets // {smallest}. Received: num_buckets={num_buckets}, "
                f"max_distance={max_distance}. Use fewer buckets or a longer distance."
            )
        self.num_buckets = num_buckets
        self.max_distance = max_distance
        self.bidirectional = bidirectional
        distances = np.arange(-max_distance, max_distance + 1)
        self.buckets = bucket_of(distances, num_buckets, max_distance, bidirectional)


def bucket_of(
    distances: np.ndarray, num_buckets: int, max_distance: int, bidirectional: bool
) -> np.ndarray:
    """Return T5's bucket of each distance, computed in float32 as in the authors' code."""
    per_side = num_buckets // 2 if bidirectional else num_buckets
    away = np.abs(distances) if bidirectional else np.maximum(-distances, 0)
    exact = per_side // 2
    ratio = np.maximum(away, exact).astype("float32") / np.float32(exact)
    share = np.log(ratio) / np.float32(math.log(max_distance / exact))
    shared = exact + (share * np.float32(per_side - exact)).astype("int32")
    buckets = np.where(away < exact, away, np.minimum(shared, per_side - 1))
    later = per_side * (distances > 0) if bidirectional else 0
    found: np.ndarray = (buckets + later).astype("int32")
    return found


def make_attention_positions(kind: str, causal: bool) -> AttentionPositions | None:
    """Return the scheme of a kind of positions, for the attentions of one stack to share.

    Other kinds, such as those added to embeddings, have no scheme.
    """
    makers: dict[str, Callable[[], AttentionPositions]] = {
        "rotary": RotaryPositions,
        "alibi": ALiBiPositions,
        "relative": lambda: RelativePositions(bidirectional=not causal),
        "t5": lambda: BucketedPositions(bidirectional=not causal),
    }
    return makers[kind]() if kind in makers else None
