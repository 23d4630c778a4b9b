"""The recurrent block of Griffin: a convolution and a gated linear recurrence of each channel.

De et al. 2024, "Griffin: Mixing Gated Linear Recurrences with Local Attention for Efficient
Language Models", sections 2.3 and 2.4.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.directed_mixer import DirectedMixer
from baselines.layers.full_attention import check_heads
from baselines.layers.fusing import fused, in_float32_where_fused
from baselines.layers.initialization import add_dense, block_kernel, ring_rates
from baselines.layers.layer import build_once
from baselines.layers.lengths import cut_end, is_known, missing_to_multiple, pad_end, scan
from baselines.layers.short_convolution import ShortConvolution

DECAY_SCALE = 8.0
"""The c of section 2.4: the decays are those of the weights to the power of c · r."""
SMALLEST_SQUARE = 1e-12
"""The least 1 − α² under the root, whose gradient has no bound at 0."""
RECURRENCE_CHUNK_LENGTH = 16
"""Positions in a chunk: each has operations of its own in the graph."""


class GatedLinearRecurrence(DirectedMixer):
    """Two branches, one with a convolution and the RG-LRU, multiplied and projected.

    D is `inner_width`. `input_projection` makes u and the gates (D each), with biases. u passes a
    `ShortConvolution` over `short_convolution` positions. The RG-LRU has two gates, i and r, each a
    sigmoid of a product with a matrix for each of `num_heads` parts of the channels: log α = −8 r
    softplus(Λ), h_t = α_t h_{t−1} + √(1 − α_t²) i_t u_t. The first position of a sequence enters
    whole: α = 0 and the root is 1. h times the GELU (tanh) of the gates passes `output_projection`.
    Padded positions do not change the state. Λ and the biases of the gates are float32 under every
    dtype policy.

    In: hidden states (batch, n, width); the padding mask (batch, n), True where real. Out: (batch,
    n, width). Time and memory O(n). The decoding state has O(1) size: the last inputs of the
    convolution, (batch, D) numbers in float32, and whether there was a position.

    Raises:
        ValueError: the channels are not a multiple of the heads.

    Example:
        >>> layer = GatedLinearRecurrence(32, num_heads=4)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        inner_width: int,
        num_heads: int,
        short_convolution: int = 4,
        backward: bool = False,
        chunk_length: int = RECURRENCE_CHUNK_LENGTH,
        **kwargs: Any,
    ) -> None:
        super().__init__(backward, **kwargs)
        check_heads(inner_width, num_heads)
        self.inner_width = inner_width
        self.num_heads = num_heads
        self.short_convolution = short_convolution
        self.chunk_length = chunk_length
        self.convolution = ShortConvolution(
            short_convolution, use_bias=True, name="convolution", dtype=self.dtype_policy
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        batch, length, width = input_shape
        inner, size = self.inner_width, self.inner_width // self.num_heads
        add_dense(self, "input_projection", width, 2 * inner, use_bias=True)
        add_dense(self, "output_projection", inner, width, use_bias=True)
        build_once(self.convolution, (batch, length, inner))
        self.gate_kernel = self.add_weight(
            (self.num_heads, size, 2 * size), block_kernel(size), name="gate_blocks"
        )
        self.gate_bias = self.add_float32_weight((self.num_heads, 2 * size), "zeros", "gate_bias")
        self.decay_bias = self.add_float32_weight((inner,), ring_rates(), "decay_bias")

    def init_state(self, batch_size: int, max_length: int) -> tuple[Any, Any, Any]:
        """Return zeros: the inputs of the convolution, h, and that there was no position."""
        h = ops.zeros((batch_size, self.inner_width), "float32")
        return self.convolution.init_state(batch_size), h, ops.zeros((batch_size, 1), "float32")

    def _run(
        self, hidden_states: Any, padding_mask: Any, state: Any, starts: Any = None
    ) -> tuple[Any, Any]:
        """Return the outputs and the state; `starts` (batch, n) is True where a document begins."""
        inputs, gates = ops.split(self.input_projection(hidden_states), 2, axis=-1)
        held, before, begun = (None, None, None) if state is None else state
        if state is None:
            convolved = self.convolution(inputs, padding_mask)
        else:
            convolved, held = self.convolution.decode_step(inputs, held)
        real = None if padding_mask is None else ops.cast(padding_mask, "bool")
        count = ops.ones_like(convolved[:, :, 0]) if real is None else real
        places = ops.cumsum(ops.cast(count, "float32"), axis=1)
        if begun is not None:
            places = places + begun
        first = places <= 1.0
        starts = first if starts is None else ops.logical_or(first, starts)
        outputs, last = self.recur(convolved, starts, real, before)
        mixed = self.output_projection(fused(_gate)(ops.cast(outputs, gates.dtype), gates))
        return mixed, (held, last, ops.minimum(places[:, -1:], 1.0))

    def recur(self, inputs: Any, starts: Any, real: Any = None, state: Any = None) -> Any:
        """Return the RG-LRU's outputs, (batch, n, D) in float32, and the state after them.

        Positions where `starts` is True begin anew; those where `real` is False change nothing.
        """
        length, size = ops.shape(inputs)[1], self.inner_width // self.num_heads
        by_head = ops.reshape(inputs, (-1, length, self.num_heads, size))
        gates = ops.einsum("bnhi,hio->bnho", by_head, ops.cast(self.gate_kernel, inputs.dtype))
        gates = ops.sigmoid(ops.cast(gates, "float32") + self.gate_bias)
        taken, recurrence = (
            ops.reshape(part, (-1, length, self.inner_width))
            for part in ops.split(gates, 2, axis=-1)
        )
        log_decay = -DECAY_SCALE * recurrence * ops.softplus(self.decay_bias)
        starts = starts[:, :, None]
        scale = ops.where(
            starts, 1.0, ops.sqrt(ops.maximum(-ops.expm1(2.0 * log_decay), SMALLEST_SQUARE))
        )
        added = ops.cast(inputs, "float32") * taken * scale
        decay = ops.where(starts, 0.0, ops.exp(log_decay))
        if real is not None:
            real = real[:, :, None]
            added, decay = ops.where(real, added, 0.0), ops.where(real, decay, 1.0)
        return scan_channels(added, decay, state, self.chunk_length)


def scan_channels(
    added: Any, decay: Any, state: Any = None, chunk_length: int = RECURRENCE_CHUNK_LENGTH
) -> tuple[Any, Any]:
    """Return h_t = decay_t h_{t−1} + added_t of all positions, and the last h.

    Shapes: (batch, n, channels), states (batch, channels), zeros by default. All chunks advance at
    once, position by position. Time and memory O(n) in c + n / c steps for chunks of c positions.
    The graph does not grow with n.
    """
    length, channels = ops.shape(added)[1], added.shape[-1]
    size = min(chunk_length, length) if is_known(length) else chunk_length
    missing = missing_to_multiple(length, size)
    added = pad_end(added, missing, axis=1)
    # Positions that are filled up have a decay of 1, which changes nothing.
    decay = 1.0 - pad_end(1.0 - decay, missing, axis=1) if not _is_zero(missing) else decay
    chunks = (length + missing) // size
    added, decay = (ops.reshape(part, (-1, chunks, size, channels)) for part in (added, decay))
    reached, kept = [added[:, :, 0]], [decay[:, :, 0]]
    for place in range(1, size):
        reached.append(reached[-1] * decay[:, :, place] + added[:, :, place])
        kept.append(kept[-1] * decay[:, :, place])
    if state is None:
        state = ops.zeros_like(added[:, 0, 0])

    def take(carried: Any, chunk: Any) -> tuple[Any, Any]:
        update, factor = chunk
        return carried * factor + update, carried

    ends = [ops.moveaxis(part, 1, 0) for part in (reached[-1], kept[-1])]
    last, before = scan(take, state, ends)
    outputs = ops.stack(reached, axis=2)
    outputs = outputs + ops.stack(kept, axis=2) * ops.moveaxis(before, 0, 1)[:, :, None]
    return cut_end(ops.reshape(outputs, (-1, chunks * size, channels)), length, axis=1), last


def _is_zero(count: Any) -> bool:
    return is_known(count) and count == 0


@in_float32_where_fused
def _gate(values: Any, gates: Any) -> Any:
    """Return values times the GELU of their gates."""
    return values * ops.gelu(gates)
