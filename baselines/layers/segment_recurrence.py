"""A stack that processes a sequence in segments and carries a memory between them.

Dai et al. 2019, section 3.2: after each segment, every layer keeps its input without gradient, and
attends to it in the next segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from baselines.layers.full_attention import size_of_heads
from baselines.layers.initialization import query_bias
from baselines.layers.layer import Layer, build_once
from baselines.layers.lengths import is_known, keep_last
from baselines.layers.transformer_layer import TransformerLayer, for_each_layer

SegmentMemory = tuple[Any, Any]
"""The memory of one layer: hidden states (batch, m, width) and their mask (batch, m)."""


class RecurrentStack(Layer):
    """Layers of `RelativeAttention`, which split their input into segments.

    h_τ^(n−1) of the paper is a layer's input for segment τ. SG, the stopped gradient, applies to
    the input as the memory of later segments. The state after the last segment is the last m
    positions of each layer's input.

    In and out: (batch, n, width), and the segment memories, empty at first. Time and memory
    O(n·(m + s)) for segments of s positions and a segment memory of m.

    Example:
        >>> attentions = [RelativeAttention(4, True, 8, 4) for _ in range(2)]
        >>> layer = RecurrentStack([TransformerLayer(part, 64) for part in attentions])
        >>> hidden_states, segment_memories = layer(keras.ops.ones((2, 19, 32)))
        >>> tuple(hidden_states.shape), tuple(segment_memories[0][0].shape)
        ((2, 19, 32), (2, 4, 32))
    """

    def __init__(self, layers: Sequence[TransformerLayer], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layers = list(layers)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights; all layers share the two biases."""
        attention = self.layers[0].attention
        num_heads = attention.num_heads
        shape = num_heads, size_of_heads(input_shape[-1], num_heads, attention.head_size)
        self.content_bias = self.add_weight(shape, query_bias(), name="content_bias")
        self.position_bias = self.add_weight(shape, query_bias(), name="position_bias")
        for layer in self.layers:
            build_once(layer, input_shape)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Return the shapes of the hidden states, and of the segment memories of a first input."""
        batch, length, width = input_shape
        rooms = [layer.attention.segment_memory_length for layer in self.layers]
        sizes = [None if length is None else min(room, length) for room in rooms]
        return (batch, length, width), [((batch, size, width), (batch, size)) for size in sizes]

    def compute_output_spec(self, hidden_states: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the shapes and types of the hidden states and of the segment memories."""
        own, kept = self.compute_output_shape(hidden_states.shape)
        memories = [
            (keras.KerasTensor(states, self.compute_dtype), keras.KerasTensor(mask, "bool"))
            for states, mask in kept
        ]
        return keras.KerasTensor(own, self.compute_dtype), memories

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the mask of the hidden states; the segment memories hold their own."""
        return [previous_mask, *[None] * (2 * len(self.layers))]

    def call(
        self,
        hidden_states: Any,
        padding_mask: Any = None,
        segment_memories: Sequence[SegmentMemory] = (),
        training: bool | None = None,
        context: Any = None,
        context_mask: Any = None,
    ) -> tuple[Any, Sequence[SegmentMemory]]:
        """Return the hidden states of all segments, and the memories after the last one."""
        if padding_mask is None:
            padding_mask = ops.ones_like(hidden_states[:, :, 0], dtype="bool")
        kept = []
        contexts = for_each_layer(context, self.layers)
        for index, layer in enumerate(self.layers):
            segment_memory, segment_memory_mask = (
                segment_memories[index] if segment_memories else (None, None)
            )
            kept.append(
                self._remember(
                    layer, hidden_states, padding_mask, segment_memory, segment_memory_mask
                )
            )
            hidden_states = layer(
                hidden_states,
                training=training,
                context=contexts[index],
                context_mask=context_mask,
                content_bias=self.content_bias,
                position_bias=self.position_bias,
                padding_mask=padding_mask,
                segment_memory=segment_memory,
                segment_memory_mask=segment_memory_mask,
            )
        return hidden_states, kept

    def _remember(
        self, layer: Any, states: Any, mask: Any, segment_memory: Any, segment_memory_mask: Any
    ) -> SegmentMemory:
        room, length = layer.attention.segment_memory_length, ops.shape(states)[1]
        if segment_memory is not None and not (is_known(length) and length >= room):
            states = ops.concatenate([segment_memory, states], axis=1)
            mask = ops.concatenate([segment_memory_mask, mask], axis=1)
        return ops.stop_gradient(keep_last(states, room)), keep_last(mask, room)
