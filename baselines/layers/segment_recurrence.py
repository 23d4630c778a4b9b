"""A stack that reads a sequence segment by segment and remembers.

Dai et al. 2019, section 3.2: after each segment, every layer keeps what it was given, gradient
stopped, and attends to it in the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from baselines.layers.transformer_layer import TransformerLayer

Memory = tuple[Any, Any]
"""What one layer remembers: hidden states (batch, m, width) and their mask (batch, m)."""


class RecurrentStack(keras.layers.Layer):
    """Layers of `RelativeAttention` over segments of `segment_length`.

    h_τ^(n−1) of the paper is a layer's input for segment τ; SG, the stopped gradient, is on what is
    kept of it: the last `memory_length` positions of the earlier memory and the segment.

    In and out: (batch, n, width), and the memories, empty at first. Time O(n·(m + s)) and memory
    O(n·(m + s)) for segments of s and a memory of m.
    """

    def __init__(
        self,
        stacked: Sequence[TransformerLayer],
        num_heads: int,
        segment_length: int,
        memory_length: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stacked = list(stacked)
        self.num_heads = num_heads
        self.segment_length = segment_length
        self.memory_length = memory_length

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights; all layers share the two biases."""
        width = input_shape[-1]
        assert width is not None
        shape = (self.num_heads, width // self.num_heads)
        initializer = keras.initializers.RandomNormal(stddev=0.02)
        self.content_bias = self.add_weight(shape, initializer, name="content_bias")
        self.position_bias = self.add_weight(shape, initializer, name="position_bias")
        for layer in self.stacked:
            layer.build(input_shape)

    def call(
        self,
        hidden_states: Any,
        padding_mask: Any = None,
        memories: Sequence[Memory] = (),
        training: bool | None = None,
    ) -> tuple[Any, Sequence[Memory]]:
        """Read all segments; return their hidden states and what is remembered after the last."""
        if padding_mask is None:
            padding_mask = ops.ones_like(hidden_states[:, :, 0], dtype="bool")
        done = []
        for start in range(0, hidden_states.shape[1], self.segment_length):
            stop = start + self.segment_length
            segment, memories = self._read(
                hidden_states[:, start:stop], padding_mask[:, start:stop], memories, training
            )
            done.append(segment)
        return ops.concatenate(done, axis=1), memories

    def _read(
        self, states: Any, mask: Any, memories: Sequence[Memory], training: bool | None
    ) -> tuple[Any, list[Memory]]:
        kept = []
        for index, layer in enumerate(self.stacked):
            memory, memory_mask = memories[index] if memories else (None, None)
            kept.append(self._remember(states, mask, memory, memory_mask))
            states = layer(
                states,
                training=training,
                content_bias=self.content_bias,
                position_bias=self.position_bias,
                padding_mask=mask,
                memory=memory,
                memory_mask=memory_mask,
            )
        return states, kept

    def _remember(self, states: Any, mask: Any, memory: Any, memory_mask: Any) -> Memory:
        if memory is not None:
            states = ops.concatenate([memory, states], axis=1)
            mask = ops.concatenate([memory_mask, mask], axis=1)
        first = max(0, states.shape[1] - self.memory_length)
        return ops.stop_gradient(states[:, first:]), mask[:, first:]
