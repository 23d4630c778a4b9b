"""Attention by content and by distance, over a segment and a memory of earlier positions.

Dai et al. 2019, "Transformer-XL: Attentive Language Models beyond a Fixed-Length Context",
sections 3.2 and 3.3, appendix B.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from keras import ops

from baselines.layers.attention import multiply_transposed
from baselines.layers.backends import backend_functions
from baselines.layers.full_attention import size_of_heads
from baselines.layers.initialization import add_dense
from baselines.layers.layer import Layer, zero_padding
from baselines.layers.lengths import cut_end, is_known, keep_last, pad_end
from baselines.layers.masked_scores import mask_scores, softmax
from baselines.layers.positions import angles


def distance_embeddings(distances: Any, width: int) -> Any:
    """Return R: one row per signed distance, sines first, then cosines.

    The distances are an array, or a tensor if their number is unknown.
    """
    if isinstance(distances, np.ndarray):
        angle = angles(distances, width)
        return np.concatenate([np.sin(angle), np.cos(angle)], axis=-1).astype("float32")
    angle = angles(ops.cast(distances, "float64"), width)
    return ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1)


def shift_by_row(scores: Any) -> Any:
    """Return (…, n, l) with row i shifted left by n − 1 − i, which aligns distances with keys.

    The values shifted in at the right are arbitrary: the caller drops or masks them.
    """
    *before, rows, columns = ops.shape(scores)
    padded = ops.pad(scores, ((0, 0),) * (len(before) + 1) + ((1, 0),))
    turned = ops.reshape(padded, (*before, columns + 1, rows))
    return ops.reshape(turned[..., 1:, :], (*before, rows, columns))


@lru_cache
def _weigher() -> Callable[..., Any]:
    def weigh(by_content: Any, by_position: Any, visible: Any) -> Any:
        num_keys = ops.shape(by_content)[-1]
        scores = by_content + shift_by_row(by_position)[..., :num_keys]
        return softmax(mask_scores(scores, visible))

    fused: Callable[..., Any] = backend_functions().fused(weigh, num_constants=1)
    return fused


def project_twice(states: Any, kernel: Any) -> tuple[Any, Any]:
    """Return states · kernel twice; the second has a gradient for the kernel only.

    These are h W and SG(h) W (section 3.2) for the cost of one product.
    """

    def project(states: Any, kernel: Any) -> Any:
        projected = ops.matmul(states, kernel)

        def gradient(own: Any, remembered: Any) -> tuple[Any, Any]:
            flat, d_flat = (
                ops.reshape(part, (-1, part.shape[-1])) for part in (states, own + remembered)
            )
            return (
                ops.matmul(own, ops.transpose(kernel)),
                ops.matmul(ops.transpose(flat), d_flat),
            )

        return (projected, ops.copy(projected)), gradient

    own, remembered = backend_functions().custom_gradient(project)(states, kernel)
    return own, remembered


class RelativeAttention(Layer):
    """Multi-head attention whose scores add content and distance (section 3.3, equation of A^rel).

    `query`, `key`, `value` are W_q, W_{k,E}, W_v; `distance` is W_{k,R}. `content_bias` and
    `position_bias` are u and v, which the caller passes because all layers share them. Without
    them, they are zeros. A head has `head_size` channels, by default width / heads.

    The sequence is split into segments of s = `segment_length`. A segment's keys are its own and
    those of the m = `segment_memory_length` positions before it. No gradient reaches the hidden
    states of the memory.
    A layer's segment memory is the layer's own earlier input. So all segments are computed at once,
    and nothing is computed twice. With `causal`, a position attends to itself and to earlier ones.
    Otherwise it also attends to later positions of its segment, at negative distances.

    In: hidden states (batch, n, width), biases (heads, head size), the segment memory (batch, up to
    m, width), masks of both, True where real. Out: (batch, n, width). Time O(n·(m + s)). Memory for
    the gradient is O(n), because scores are recomputed.

    Raises:
        ValueError: the width is not a multiple of the heads without a head size, the segment length
            is below 1, or the segment memory length is below 0.

    Example:
        >>> layer = RelativeAttention(4, False, segment_length=8, segment_memory_length=4)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        num_heads: int,
        causal: bool,
        segment_length: int,
        segment_memory_length: int,
        head_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if segment_length < 1 or segment_memory_length < 0:
            raise ValueError(
                "segment_length must be at least 1, segment_memory_length at least 0. Received: "
                f"segment_length={segment_length}, segment_memory_length={segment_memory_length}."
            )
        self.num_heads = num_heads
        self.causal = causal
        self.segment_length = segment_length
        self.segment_memory_length = segment_memory_length
        self.head_size = head_size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the five projections, without biases."""
        width = input_shape[-1]
        inner = self.num_heads * size_of_heads(width, self.num_heads, self.head_size)
        for name in ("query", "key", "value", "distance"):
            add_dense(self, name, width, inner)
        add_dense(self, "output_projection", inner, width)

    def call(
        self,
        hidden_states: Any,
        content_bias: Any = None,
        position_bias: Any = None,
        padding_mask: Any = None,
        segment_memory: Any = None,
        segment_memory_mask: Any = None,
    ) -> Any:
        """Return the projected attention."""
        length, width = ops.shape(hidden_states)[1:]
        attended = zero_padding(hidden_states, padding_mask)
        if segment_memory is not None:
            segment_memory = zero_padding(segment_memory, segment_memory_mask)
        if padding_mask is None:
            padding_mask = ops.ones_like(hidden_states[:, :, 0], dtype="bool")
        by_head = self.num_heads, self.query.units // self.num_heads
        zeros = ops.zeros(by_head, self.compute_dtype)
        content_bias, position_bias = (
            zeros if bias is None else bias for bias in (content_bias, position_bias)
        )
        segments = _Segments(
            length, self.segment_length, self.segment_memory_length, segment_memory is not None
        )
        padding_mask = segments.visible(padding_mask, segment_memory_mask)
        query = segments.own(self.query(hidden_states), self.num_heads)
        key, value = (
            self._keys(segments, projection, attended, segment_memory)
            for projection in (self.key, self.value)
        )
        num_keys = segments.num_keys
        last = 0 if self.causal else 1 - segments.each
        arange = np.arange if is_known(num_keys) else ops.arange
        distances = distance_embeddings(arange(num_keys - 1, last - 1, -1), width)
        distance = ops.reshape(
            self.distance(ops.cast(distances, self.compute_dtype)),
            (num_keys - last, *by_head),
        )
        distance = ops.transpose(distance, (1, 2, 0))  # one matrix per head
        visible = ops.cast(padding_mask, "bool")[:, :, None, None, :]
        if self.causal:
            place = arange(segments.each)[:, None] + num_keys - segments.each
            visible = visible & ops.convert_to_tensor(arange(num_keys)[None, :] <= place)
        weigh = _weigher()

        def attend(
            query: Any, key: Any, value: Any, distance: Any, content: Any, position: Any
        ) -> Any:
            scale = query.shape[-1] ** -0.5
            by_content = multiply_transposed((query + content[None, None, :, None]) * scale, key)
            by_position = ops.matmul(
                (query + position[None, None, :, None]) * scale, distance[None, None]
            )
            return ops.matmul(weigh(by_content, by_position, visible), value)

        heads = backend_functions().recomputed(attend)(
            query, key, value, distance, content_bias, position_bias
        )
        return self.output_projection(segments.join(heads))

    def _keys(self, segments: _Segments, projection: Any, states: Any, segment_memory: Any) -> Any:
        """Return the projected keys, or values, of all segments with their memories."""
        if projection.quantization_mode:  # the kernel alone is not the layer
            own = remembered = projection(states)
        else:
            own, remembered = project_twice(states, projection.kernel)
        earlier = None if segment_memory is None else projection(segment_memory)
        return segments.with_memory(own, remembered, earlier, self.num_heads)


class _Segments:
    """Splits (batch, n, width) into (batch, segments, heads, s, head size), m keys before each.

    If the length is unknown, segments with a memory are whole ones: padding completes the last.
    """

    def __init__(self, length: Any, segment: int, memory: int, has_earlier: bool) -> None:
        self._length = length
        if is_known(length):
            self.each = min(segment, length)
        else:
            self.each = segment if memory else ops.minimum(segment, length)
        self._count = -(-length // self.each)
        # A single first segment has no memory.
        is_single = is_known(self._count) and self._count == 1
        self._memory = 0 if is_single and not has_earlier else memory
        self.num_keys = self._memory + self.each

    def own(self, states: Any, num_heads: int) -> Any:
        """Return the segments without their memories."""
        states = self._fill(states)
        size = states.shape[2] // num_heads
        parts = ops.reshape(states, (-1, self._count, self.each, num_heads, size))
        return ops.transpose(parts, (0, 1, 3, 2, 4))

    def with_memory(self, own: Any, remembered: Any, earlier: Any, num_heads: int) -> Any:
        """Return the segments after the m positions before each, zero-padded."""
        if not self._memory:
            return self.own(own, num_heads)
        before = self._before(remembered, earlier)
        size = own.shape[2] // num_heads
        before = ops.reshape(before, (-1, self._count, self._memory, num_heads, size))
        before = ops.transpose(before, (0, 1, 3, 2, 4))
        return ops.concatenate([before, self.own(own, num_heads)], axis=3)

    def visible(self, mask: Any, earlier: Any) -> Any:
        """Return which keys are real: (batch, segments, m + s)."""
        mask = mask[:, :, None]
        own = ops.reshape(self._fill(mask), (-1, self._count, self.each))
        if not self._memory:
            return own
        earlier = None if earlier is None else earlier[:, :, None]
        before = ops.reshape(self._before(mask, earlier), (-1, self._count, self._memory))
        return ops.concatenate([before, own], axis=2)

    def join(self, heads: Any) -> Any:
        """Return segments as a sequence: the inverse of `own`."""
        _, count, num_heads, each, size = ops.shape(heads)
        states = ops.transpose(heads, (0, 1, 3, 2, 4))
        states = ops.reshape(states, (-1, count * each, num_heads * size))
        return cut_end(states, self._length, axis=1)

    def _fill(self, states: Any) -> Any:
        return pad_end(states, self._count * self.each - self._length, axis=1)

    def _before(self, states: Any, earlier: Any) -> Any:
        """Return the m positions before each segment, concatenated: (batch, count · m, …)."""
        if earlier is None:
            earlier = states[:, :0]
        earlier = keep_last(earlier, self._memory)
        size = ops.shape(earlier)[1]
        if is_known(self._count) and self._count == 1:
            return ops.pad(earlier, ((0, 0), (self._memory - size, 0), (0, 0)))
        reach = -(-self._memory // self.each) * self.each
        missing = reach - size
        whole = ops.concatenate([earlier, self._fill(states)], axis=1)
        whole = ops.pad(whole, ((0, 0), (missing, 0), (0, 0)))
        width = whole.shape[2]
        blocks = ops.reshape(whole, (-1, reach // self.each + self._count, self.each, width))
        beside = [blocks[:, first : first + self._count] for first in range(reach // self.each)]
        before = ops.concatenate(beside, axis=2) if len(beside) > 1 else beside[0]
        before = before if reach == self._memory else before[:, :, reach - self._memory :]
        return ops.reshape(before, (-1, self._count * self._memory, width))
