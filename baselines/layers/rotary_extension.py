"""Rotary positions of sequences longer than those of the training, without more training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from keras import ops

from baselines.layers.attention_positions import RotaryPositions
from baselines.layers.block import EXTENSIONS
from baselines.layers.lengths import is_known

FAST_TURNS, SLOW_TURNS = 32, 1
"""YaRN's β and α: a pair with more turns in the training length keeps its frequency, one with
fewer is interpolated (section 3.2)."""


class ExtendedRotaryPositions(RotaryPositions):
    """Rotary positions whose pairs turn more slowly in sequences longer than `max_length`.

    Up to L = `max_length` positions, they are those of `RotaryPositions`. In a sequence of n > L
    positions, s is `factor`, and pair i of a head of size d has a lower frequency:

    - "ntk", NTK-aware scaling with a base that grows with n, as in `transformers` ("dynamic"):
      `base` is multiplied by (s · n/L − s + 1)^(d/(d−2)).
    - "yarn" (Peng et al. 2023, "YaRN: Efficient Context Window Extension of Large Language Models",
      section 3.4): the frequencies of slow pairs are divided by s, those of fast pairs are not, and
      a ramp lies between them. Turned channels are multiplied by 0.1 · ln(s) + 1.

    n counts padded positions. In decoding with a state, n is the number of its places. A model is
    trained without an extension if no sequence of the training is longer than L. Shapes as in
    `RotaryPositions`. Time and memory O(n).

    Raises:
        ValueError: the extension is unknown, the factor is not above 1, or "ntk" meets heads of
            two channels.

    Example:
        >>> layer = ExtendedRotaryPositions(max_length=16, extension="yarn", factor=4.0)
        >>> layer.build((2, 4, 19, 8))
        >>> tuple(layer.rotate(keras.ops.ones((2, 4, 19, 8))).shape)
        (2, 4, 19, 8)
    """

    def __init__(
        self, max_length: int, extension: str, factor: float, base: float = 10_000.0, **kwargs: Any
    ) -> None:
        super().__init__(base, **kwargs)
        if extension not in EXTENSIONS[1:] or factor <= 1:
            raise ValueError(
                f"The extension is {' or '.join(EXTENSIONS[1:])}, by a factor above 1. "
                f"Received: extension={extension!r}, factor={factor}. Use 'yarn' and 4.0."
            )
        self.max_length = max_length
        self.extension = extension
        self.factor = factor

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Compute the frequencies of the pairs in short sequences, and in long ones of YaRN."""
        super().build(input_shape)
        size = 2 * len(self.frequencies)
        if self.extension == "ntk" and size < 4:
            raise ValueError(
                "NTK-aware scaling needs heads of at least 4 channels. "
                f"Received: a head size of {size}. Use fewer heads or extension='yarn'."
            )
        ramp = yarn_ramp(size, self.base, self.max_length)
        self.slowed = (self.frequencies * (1 - ramp + ramp / self.factor)).astype("float32")

    def turns(self, length: Any) -> tuple[Any, Any]:
        """Return the frequencies of the pairs, and what turned channels are multiplied by."""
        if is_known(length) and length <= self.max_length:
            return super().turns(length)
        plain = ops.convert_to_tensor(self.frequencies)
        if self.extension == "ntk":
            stretch = self.factor * (ops.cast(length, "float32") / self.max_length - 1) + 1
            size = 2 * len(self.frequencies)
            exponents = np.arange(0, size, 2, dtype="float32") / np.float32(size - 2)
            return plain * ops.maximum(stretch, 1.0) ** -ops.convert_to_tensor(exponents), None
        is_long = ops.convert_to_tensor(length) > self.max_length
        return (
            ops.where(is_long, ops.convert_to_tensor(self.slowed), plain),
            ops.where(is_long, 0.1 * math.log(self.factor) + 1, 1.0),
        )


def yarn_ramp(size: int, base: float, max_length: int) -> np.ndarray:
    """Return by how much each pair of a head is interpolated: 0 is not at all, 1 is by the factor.

    As in the published code, the ends of the ramp are whole pairs.
    """

    def pair_with(turns: int) -> float:
        """Return the pair that makes a number of turns in `max_length` positions."""
        return size * math.log(max_length / (turns * 2 * math.pi)) / (2 * math.log(base))

    low = max(math.floor(pair_with(FAST_TURNS)), 0)
    high = min(math.ceil(pair_with(SLOW_TURNS)), size - 1)
    width = high - low or 0.001
    return np.clip((np.arange(size // 2) - low) / width, 0, 1)


def extended_rotary(
    extension: str, factor: float, max_length: int, base: float = 10_000.0
) -> RotaryPositions:
    """Return rotary positions with an extension beyond a length, or without one if "none"."""
    if extension == "none":
        return RotaryPositions(base)
    return ExtendedRotaryPositions(max_length, extension, factor, base)
