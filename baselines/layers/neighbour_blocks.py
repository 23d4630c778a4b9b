"""A sequence in blocks, each with its two neighbours, for attention within a window."""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.backends import backend_functions
from baselines.layers.lengths import cut_end, pad_end


class BlockLayout:
    """Splits sequences into blocks; with dilation, each residue class is a sequence of its own."""

    def __init__(self, length: Any, num_blocks: Any, reach: int, stride: int) -> None:
        self._length, self._num_blocks, self._reach = length, num_blocks, reach
        self._stride = stride

    def blocks(self, states: Any) -> Any:
        """Return (batch, heads, n, d) as (batch · stride, heads, blocks, reach, d), zero-padded."""
        heads, size = states.shape[1], states.shape[3]
        whole = self._num_blocks * self._reach * self._stride
        states = pad_end(states, whole - self._length, axis=2)
        if self._stride > 1:
            states = ops.reshape(states, (-1, heads, whole // self._stride, self._stride, size))
            states = ops.transpose(states, (0, 3, 1, 2, 4))
        return ops.reshape(states, (-1, heads, self._num_blocks, self._reach, size))

    def join(self, blocks: Any) -> Any:
        """Return blocks as (batch, heads, n, d): the inverse of `blocks`."""
        heads, size = blocks.shape[1], blocks.shape[4]
        each = self._num_blocks * self._reach
        if self._stride > 1:
            blocks = ops.reshape(blocks, (-1, self._stride, heads, each, size))
            blocks = ops.transpose(blocks, (0, 2, 3, 1, 4))
        states = ops.reshape(blocks, (-1, heads, each * self._stride, size))
        return cut_end(states, self._length, axis=2)


def with_neighbour_blocks(blocks: Any, shifts: tuple[int, ...]) -> Any:
    """Return each block (axis 2) with the blocks before and after it, along axis 3.

    The ends wrap around. A single gather copies once. The gradient that a backend derives for the
    gather would add rows one by one, so this gradient rolls the blocks back instead.
    """
    if len(shifts) == 1:
        return blocks
    count, reach = ops.shape(blocks)[2:4]
    taken = (ops.arange(count)[:, None] - ops.convert_to_tensor(shifts, "int32")) % count

    def take(blocks: Any) -> Any:
        shape = (-1, blocks.shape[1], count, len(shifts) * reach, blocks.shape[4])
        beside = ops.reshape(ops.take(blocks, ops.reshape(taken, (-1,)), axis=2), shape)

        def gradient(upstream: Any) -> Any:
            parts = zip(ops.split(upstream, len(shifts), axis=3), shifts, strict=True)
            return (sum(ops.roll(part, -shift, axis=2) for part, shift in parts),)

        return (beside,), gradient

    return backend_functions().custom_gradient(take)(blocks)[0]


def mask_with_neighbour_blocks(shown: Any, shifts: tuple[int, ...]) -> Any:
    """Return the same for a mask (batch, 1, blocks, reach, 1), False beyond the ends."""
    count = ops.shape(shown)[2]
    padded = ops.pad(shown, ((0, 0), (0, 0), (1, 1), (0, 0), (0, 0)))
    moved = [padded[:, :, 1 - shift : 1 - shift + count] for shift in shifts]
    return ops.concatenate(moved, axis=3)
