"""The mLSTM: a matrix memory with exponential gates.

Beck et al. 2024, "xLSTM: Extended Long Short-Term Memory", section 2.3; Beck et al. 2025, "xLSTM
7B: A Recurrent LLM for Fast and Efficient Inference", whose block this is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from keras import ops

from baselines.layers.chunked_scan import scan_in_chunks
from baselines.layers.directed_mixer import DirectedMixer
from baselines.layers.flops import CHUNK_LENGTH
from baselines.layers.full_attention import check_heads, split_heads
from baselines.layers.fusing import fused, in_float32
from baselines.layers.initialization import add_dense
from baselines.layers.lengths import running_maximum

CLOSED = -1e30
"""The input gate of a padded position, before the exponential."""
INPUT_BIAS = -10.0
"""The first bias of input gates in the authors' code (2025)."""
FORGET_BIASES = (3.0, 6.0)
"""The first biases of forget gates, from the first head to the last, in the authors' code."""


def gate_biases(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Return the first biases of the input gates of all heads, and of the forget gates."""
    heads = shape[0] // 2
    biases = np.concatenate([np.full(heads, INPUT_BIAS), np.linspace(*FORGET_BIASES, heads)])
    return ops.convert_to_tensor(biases, dtype)


OF_GATES = {"use_bias": True, "bias_initializer": gate_biases, "dtype": "float32"}


class MatrixLSTM(DirectedMixer):
    """Queries read a matrix memory, to which exponential gates add keys and values.

    h is `num_heads`, d and v the sizes of a head of keys and of values, of which there are
    `key_width` and `value_width` channels. `input_projection` makes queries, keys, values and the
    gates of the outputs; `gate_projection`, in float32 under every dtype policy, the input and
    forget gates of each head, which pass c tanh(·/c) for a `gate_soft_cap` c. `scan_matrix_memory`
    follows, a layer norm of each head without biases, with weights for all channels, the product
    with a sigmoid of the output gates, and `output_projection`. Padded positions do not change the
    memory.

    In: hidden states (batch, n, width); the padding mask (batch, n), True where real. Out: (batch,
    n, width). Time O(n · (c · (d + v) + d · v)) per head for chunks of c positions, memory O(n).
    The decoding state has O(1) size: (batch, h, d, v + 1) numbers and (batch, h) scales, in
    float32.

    Raises:
        ValueError: the channels of keys or of values are not a multiple of the heads.

    Example:
        >>> layer = MatrixLSTM(4, key_width=16, value_width=32)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        num_heads: int,
        key_width: int,
        value_width: int,
        gate_soft_cap: float = 15.0,
        backward: bool = False,
        epsilon: float = 1e-6,
        norm_epsilon: float = 1e-6,
        chunk_length: int = CHUNK_LENGTH,
        **kwargs: Any,
    ) -> None:
        super().__init__(backward, **kwargs)
        for channels in (key_width, value_width):
            check_heads(channels, num_heads)
        self.num_heads = num_heads
        self.key_width = key_width
        self.value_width = value_width
        self.gate_soft_cap = gate_soft_cap
        self.epsilon = epsilon
        self.norm_epsilon = norm_epsilon
        self.chunk_length = chunk_length

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the projections and the weights of the norms."""
        width = input_shape[-1]
        keys, values, heads = self.key_width, self.value_width, self.num_heads
        for name, inputs, units, settings in (
            ("input_projection", width, 2 * keys + 2 * values, {}),
            ("gate_projection", width, 2 * heads, OF_GATES),
            ("output_projection", values, width, {}),
        ):
            add_dense(self, name, inputs, units, **settings)
        self.head_gamma = self.add_float32_weight((values,), "ones", "head_gamma")

    def init_state(self, batch_size: int, max_length: int) -> tuple[Any, Any]:
        """Return zeros for the memories with their normalisers, and for their scales."""
        heads = batch_size, self.num_heads
        sizes = self.key_width // self.num_heads, self.value_width // self.num_heads + 1
        return ops.zeros((*heads, *sizes), "float32"), ops.zeros(heads, "float32")

    def _run(self, hidden_states: Any, padding_mask: Any, state: Any) -> tuple[Any, Any]:
        keys, values = self.key_width, self.value_width
        ends = [keys, 2 * keys, 2 * keys + values]
        query, key, value, gates = ops.split(self.input_projection(hidden_states), ends, axis=-1)
        cap = self.gate_soft_cap
        capped = cap * ops.tanh(self.gate_projection(hidden_states) / cap)
        opened, kept = ops.split(ops.transpose(capped, (0, 2, 1)), 2, axis=1)
        log_decay = ops.log_sigmoid(kept)
        if padding_mask is not None:
            real = ops.cast(padding_mask, "bool")[:, None]
            opened, log_decay = ops.where(real, opened, CLOSED), ops.where(real, log_decay, 0.0)
        query, key, value = (
            split_heads(ops.cast(part, "float32"), self.num_heads) for part in (query, key, value)
        )
        parts = query * query.shape[-1] ** -0.5, key, value, opened, log_decay
        outputs, state = scan_matrix_memory(*parts, state, self.epsilon, self.chunk_length)
        finish = fused(_finish(self.norm_epsilon))
        return self.output_projection(finish(gates, outputs, self.head_gamma)), state


def scan_matrix_memory(
    query: Any,
    key: Any,
    value: Any,
    opened: Any,
    log_decay: Any,
    state: Any = None,
    epsilon: float = 1e-6,
    chunk_length: int = CHUNK_LENGTH,
) -> tuple[Any, Any]:
    """Return the outputs of all positions, and the memory after the last one.

    Beck et al. 2024, equations 19 to 27, with the stabiliser of appendix A.3. Shapes: query and key
    (batch, heads, n, d), value (batch, heads, n, v), `opened` (the input gates before the
    exponential) and `log_decay` (the logarithms of the forget gates) (batch, heads, n). A state has
    the memory C beside its normaliser, (batch, heads, d, v + 1), and the logarithm m of their scale
    (batch, heads); all start at 0. C_t = f_t C_{t−1} + exp(i_t) k_t v_tᵀ, and the output is Cᵀq /
    (max(|n·q|, exp(−m)) + `epsilon`), with C and n divided by exp(m). Any m gives the same output
    up to `epsilon`, so that it has no gradient. The outputs are (batch, heads, n, v). Costs as of
    `scan_in_chunks`.
    """
    memory, scale = (None, ops.zeros_like(opened[..., 0])) if state is None else state
    reached = ops.cumsum(ops.stop_gradient(log_decay), axis=-1)
    largest = running_maximum(ops.stop_gradient(opened) - reached)
    scales = reached + ops.maximum(largest, scale[..., None])
    before = ops.concatenate([scale[..., None], scales[..., :-1]], axis=-1)
    key = key * ops.exp(opened - scales)[..., None]
    value = ops.concatenate([value, ops.ones_like(value[..., :1])], axis=-1)
    decays = log_decay + (before - scales)
    sums, memory = scan_in_chunks(query, key, value, decays, memory, chunk_length)
    return fused(_divide(epsilon))(sums, scales), (memory, scales[..., -1])


@lru_cache
def _divide(epsilon: float) -> Callable[[Any, Any], Any]:
    def divide(sums: Any, scales: Any) -> Any:
        """Return the sums of values divided by those of weights, which come last."""
        least = ops.exp(-scales)[..., None]
        return sums[..., :-1] / (ops.maximum(ops.abs(sums[..., -1:]), least) + epsilon)

    return divide


@lru_cache
def _finish(epsilon: float) -> Callable[[Any, Any, Any], Any]:
    @in_float32
    def finish(gates: Any, outputs: Any, gamma: Any) -> Any:
        """Return the normalised heads, (batch, h, n, v), merged and gated: (batch, n, h · v)."""
        centred = outputs - ops.mean(outputs, axis=-1, keepdims=True)
        variance = ops.mean(centred * centred, axis=-1, keepdims=True)
        normed = ops.transpose(centred * ops.rsqrt(variance + epsilon), (0, 2, 1, 3))
        merged = ops.reshape(normed, (-1, *ops.shape(gates)[1:]))
        return merged * gamma * ops.sigmoid(gates)

    return finish
