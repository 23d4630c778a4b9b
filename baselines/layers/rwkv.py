"""The blocks of RWKV-7: time mixing by a state with vector-valued gates, and channel mixing.

Peng et al. 2025, "RWKV-7 'Goose' with Expressive Dynamic State Evolution".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops

from baselines.layers.delta_rule import DELTA_CHUNK_LENGTH, scan_transitions
from baselines.layers.elementwise import LayerNorm
from baselines.layers.full_attention import check_heads
from baselines.layers.fusing import fused, in_float32
from baselines.layers.initialization import add_dense
from baselines.layers.layer import Layer, build_once, zero_padding

EPSILON = 1e-5
"""That of the norms of a block, in the authors' code."""
HEAD_EPSILON = 64e-5
"""That of the norm of the heads."""
STRONGEST = -math.exp(-0.5)
"""The logarithm of the least decay."""
SMALLEST_LENGTH = 1e-12
"""The least length by which a removed key is divided."""
SHIFTED = ("r", "w", "k", "v", "a", "g")
"""The mixtures of a position and the one before it (equation 3)."""


class TimeMixing(Layer):
    """Receptances read a state, from which removal keys take and to which keys add values.

    Section 4: `num_heads` heads share the width. Each of `SHIFTED` is x(t) + (x(t−1) − x(t)) μ with
    its own weights μ. Decays, the strengths a of removal, the output gates and, after the first
    layer, the share of the first layer's value come from `low_rank` numbers. `scan_transitions`
    follows, then a norm of each head, a bonus r·k·ρ v of the position itself, the gate and
    `output_projection`. Padded positions do not change the state.

    The first decays depend on the `depth`, from 0 in the first layer to 1 in the last, and the
    first μ on `remaining`, the share of the layers from here on.

    In: hidden states (batch, n, width), the padding mask, and the values of the first layer
    (batch, n, width), None in that layer. Out: the mixed positions, and the values of this layer.
    Time O(n · (c · (c + d) + d²)) per head for chunks of c positions, memory O(n). The decoding
    state has O(1) size: the last position, and (batch, heads, d, d) numbers in float32.

    Raises:
        ValueError: the width is not a multiple of the heads.

    Example:
        >>> layer = TimeMixing(num_heads=4, low_rank=4)
        >>> mixed, values = layer(keras.ops.ones((2, 19, 32)))
        >>> tuple(mixed.shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        num_heads: int,
        low_rank: int,
        is_first: bool = True,
        depth: float = 0.0,
        remaining: float = 1.0,
        epsilon: float = HEAD_EPSILON,
        chunk_length: int = DELTA_CHUNK_LENGTH,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.low_rank = low_rank
        self.is_first = is_first
        self.depth = depth
        self.remaining = remaining
        self.epsilon = epsilon
        self.chunk_length = chunk_length
        self.ranks = dict.fromkeys(("decay", "removal", "value", "gate"), low_rank)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        width = input_shape[-1]
        check_heads(width, self.num_heads)
        assert width is not None
        for name in ("receptance", "key", "value", "output_projection"):
            add_dense(self, name, width, width)
        for name, rank in self.ranks.items():
            if name == "value" and self.is_first:
                continue
            add_dense(self, f"{name}_down", width, rank)
            add_dense(self, f"{name}_up", rank, width)
        self.shift_gammas = self.add_weight(
            (len(SHIFTED), width), _shift_shares(self.remaining), name="shift_gammas"
        )
        vectors = {
            "decay_bias": _decay_ramp(self.depth),
            "removal_bias": "zeros",
            "value_bias": "ones",
            "removal_gamma": keras.initializers.Constant(0.85),
            "key_gamma": "ones",
            "bonus_gamma": "zeros",
            "head_gamma": "ones",
            "head_beta": "zeros",
        }
        if self.is_first:
            del vectors["value_bias"]
        for name, start in vectors.items():
            setattr(self, name, self.add_float32_weight((width,), start, name))

    def call(
        self, hidden_states: Any, padding_mask: Any = None, first_value: Any = None
    ) -> tuple[Any, Any]:
        """Return the mixed positions, and the values that later layers share."""
        hidden_states = zero_padding(hidden_states, padding_mask)
        mixed, values, _ = self._run(hidden_states, padding_mask, first_value, None)
        return mixed, values

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Return the shapes of the mixed positions and of the values."""
        return tuple(input_shape), tuple(input_shape)

    def init_state(self, batch_size: int, max_length: int) -> tuple[Any, Any]:
        """Return zeros: the last position, (batch, 1, width), and the state of each head."""
        width = self.receptance.units
        size = width // self.num_heads
        return (
            ops.zeros((batch_size, 1, width), self.compute_dtype),
            ops.zeros((batch_size, self.num_heads, size, size), "float32"),
        )

    def decode_step(
        self, hidden_states: Any, state: Any, first_value: Any = None
    ) -> tuple[Any, Any, Any]:
        """Return the newest positions mixed, their values, and the state after them."""
        return self._run(hidden_states, None, first_value, state)

    def _run(
        self, hidden_states: Any, padding_mask: Any, first_value: Any, state: Any
    ) -> tuple[Any, Any, Any]:
        last, held = (None, None) if state is None else state
        length, width = ops.shape(hidden_states)[1], hidden_states.shape[-1]
        differences = shift(hidden_states, last) - hidden_states
        mixed = {
            name: hidden_states + differences * self.shift_gammas[index]
            for index, name in enumerate(SHIFTED)
        }
        receptance, key, value = (
            ops.cast(projection(mixed[name]), "float32")
            for projection, name in ((self.receptance, "r"), (self.key, "k"), (self.value, "v"))
        )
        if not self.is_first:
            share = ops.sigmoid(self.value_bias + self._low_rank("value", mixed["v"]))
            value = value + (ops.cast(first_value, "float32") - value) * share
        removal = ops.sigmoid(self.removal_bias + self._low_rank("removal", mixed["a"]))
        decays = self._low_rank("decay", mixed["w"], ops.tanh)
        log_decay = STRONGEST * ops.sigmoid(self.decay_bias + decays)
        gates = self._low_rank("gate", mixed["g"], ops.sigmoid)
        by_head = (-1, length, self.num_heads, width // self.num_heads)
        removed = _unit(ops.reshape(key * self.removal_gamma, by_head))
        key = key * (1.0 + (removal - 1.0) * self.key_gamma)
        receptance, key, heads, removal, log_decay = (
            ops.reshape(part, by_head) for part in (receptance, key, value, removal, log_decay)
        )
        added, decayed = key, log_decay
        if padding_mask is not None:
            real = ops.cast(padding_mask, "bool")[:, :, None, None]
            added, decayed, removed = (
                ops.where(real, part, 0.0) for part in (key, log_decay, removed)
            )
        outputs, held = scan_transitions(
            receptance, added, heads, removed, removed * removal, decayed, held, self.chunk_length
        )
        finish = fused(_finish(self.epsilon, self.num_heads))
        finished = finish(
            outputs,
            receptance * key,
            heads,
            gates,
            self.bonus_gamma,
            self.head_gamma,
            self.head_beta,
        )
        mixed_positions = self.output_projection(ops.cast(finished, self.compute_dtype))
        return mixed_positions, value, (hidden_states[:, -1:], held)

    def _low_rank(
        self, name: str, states: Any, activation: Callable[[Any], Any] = lambda x: x
    ) -> Any:
        """Return states through a bottleneck with an activation, in float32."""
        narrow = activation(getattr(self, f"{name}_down")(states))
        return ops.cast(getattr(self, f"{name}_up")(narrow), "float32")


class ChannelMixing(Layer):
    """W₂ relu(W₁ x')² of a position mixed with the one before it (section 4, equation 22).

    The first weights of the mixture depend on `remaining`, the share of the layers from here on.

    In and out: (batch, n, width). Time and memory O(n). The decoding state is the last position.

    Example:
        >>> layer = ChannelMixing(64)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(self, inner_width: int, remaining: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner_width = inner_width
        self.remaining = remaining

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        width = input_shape[-1]
        add_dense(self, "key", width, self.inner_width)
        add_dense(self, "value", self.inner_width, width)
        self.shift_gamma = self.add_weight(
            (width,), _channel_shares(self.remaining), name="shift_gamma"
        )

    def call(self, hidden_states: Any, padding_mask: Any = None, last: Any = None) -> Any:
        """Return the mixed channels; `last` is the position before the first one."""
        hidden_states = zero_padding(hidden_states, padding_mask)
        differences = shift(hidden_states, last) - hidden_states
        wide = ops.relu(self.key(hidden_states + differences * self.shift_gamma))
        return self.value(ops.square(wide))


class RWKVStack(Layer):
    """Blocks of x + TimeMixing(LayerNorm(x)) and x + ChannelMixing(LayerNorm(x)), and a last norm.

    Peng et al. 2025, section 4. The values of the first block reach all others. In and out: (batch,
    n, width). Time and memory are the sum of those of the blocks: O(n).

    Example:
        >>> layer = RWKVStack(2, num_heads=4, low_rank=4, inner_width=64)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        num_layers: int,
        num_heads: int,
        low_rank: int,
        inner_width: int,
        dropout: float = 0.0,
        epsilon: float = EPSILON,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.low_rank = low_rank
        self.inner_width = inner_width
        self.dropout = dropout
        self.epsilon = epsilon
        policy = self.dtype_policy
        remaining = [1.0 - index / num_layers for index in range(num_layers)]
        self.time_mixings = [
            TimeMixing(
                num_heads,
                low_rank,
                index == 0,
                depth=index / max(1, num_layers - 1),
                remaining=share,
                dtype=policy,
            )
            for index, share in enumerate(remaining)
        ]
        self.channel_mixings = [
            ChannelMixing(inner_width, share, dtype=policy) for share in remaining
        ]
        self.norms = [LayerNorm(epsilon=epsilon, dtype=policy) for _ in range(2 * num_layers)]
        self.drops = [keras.layers.Dropout(dropout, dtype=policy) for _ in range(2 * num_layers)]
        self.final_norm = LayerNorm(epsilon=epsilon, dtype=policy)

    takes_longer_input = True
    """Whether the blocks run on a longer input than that of the training."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        for part in (*self.time_mixings, *self.channel_mixings, *self.norms, self.final_norm):
            build_once(part, input_shape)

    @property
    def layers(self) -> Sequence[Any]:
        """No layers with heads or feed-forward units of the usual kind."""
        return ()

    def call(
        self,
        hidden_states: Any,
        training: bool | None = None,
        padding_mask: Any = None,
        context: Any = None,
        context_mask: Any = None,
    ) -> Any:
        """Return the output of the last norm; a decoder alone has no context."""
        *_, last = self.outputs(hidden_states, padding_mask, training)
        return self.final_norm(last)

    def outputs(
        self, hidden_states: Any, padding_mask: Any = None, training: bool | None = None
    ) -> Iterator[Any]:
        """Yield the output of each block."""
        first_value = None
        for index, (mix_time, mix_channels) in enumerate(self._blocks()):
            mixed, value = mix_time(self.norms[2 * index](hidden_states), padding_mask, first_value)
            first_value = value if index == 0 else first_value
            hidden_states = hidden_states + self.drops[2 * index](mixed, training=training)
            mixed = mix_channels(self.norms[2 * index + 1](hidden_states), padding_mask)
            hidden_states = hidden_states + self.drops[2 * index + 1](mixed, training=training)
            yield hidden_states

    def init_state(self, batch_size: int, max_length: int) -> list[Any]:
        """Return the empty states of each block: of its time mixing, and of its channels."""
        states = [part.init_state(batch_size, max_length) for part in self.time_mixings]
        return [(state, ops.zeros_like(state[0])) for state in states]

    def decode_step(
        self,
        hidden_states: Any,
        state: Sequence[Any],
        position: Any,
        context: Any = None,
        context_mask: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, list[Any]]:
        """Return the output for the newest positions, and the state of each block after them."""
        first_value, kept = None, []
        for index, (mix_time, mix_channels) in enumerate(self._blocks()):
            of_time, last = state[index]
            normed = self.norms[2 * index](hidden_states)
            mixed, value, of_time = mix_time.decode_step(normed, of_time, first_value)
            first_value = value if index == 0 else first_value
            hidden_states = hidden_states + self.drops[2 * index](mixed, training=training)
            normed = self.norms[2 * index + 1](hidden_states)
            mixed = mix_channels(normed, last=last)
            hidden_states = hidden_states + self.drops[2 * index + 1](mixed, training=training)
            kept.append((of_time, normed[:, -1:]))
        return self.final_norm(hidden_states), kept

    def _blocks(self) -> Sequence[tuple[TimeMixing, ChannelMixing]]:
        return list(zip(self.time_mixings, self.channel_mixings, strict=True))


def shift(states: Any, last: Any = None) -> Any:
    """Return the position before each one; `last` (batch, 1, width) or zeros precede the first."""
    first = ops.zeros_like(states[:, :1]) if last is None else ops.cast(last, states.dtype)
    return ops.concatenate([first, states[:, :-1]], axis=1)


def _unit(vectors: Any) -> Any:
    """Return vectors divided by their length, which is at least `SMALLEST_LENGTH`."""
    squared = ops.sum(vectors * vectors, axis=-1, keepdims=True)
    return vectors * ops.rsqrt(ops.maximum(squared, SMALLEST_LENGTH**2))


@lru_cache
def _finish(epsilon: float, num_heads: int) -> Callable[..., Any]:
    @in_float32
    def finish(
        outputs: Any,
        products: Any,
        values: Any,
        gates: Any,
        bonus: Any,
        gamma: Any,
        beta: Any,
    ) -> Any:
        """Return the normalised heads with the bonus, merged and gated: (batch, n, h · d)."""
        shape = ops.shape(gates)[1:]
        centred = outputs - ops.mean(outputs, axis=-1, keepdims=True)
        variance = ops.mean(centred * centred, axis=-1, keepdims=True)
        normed = ops.reshape(centred * ops.rsqrt(variance + epsilon), (-1, *shape))
        bonus = ops.reshape(bonus, (num_heads, -1))
        weights = ops.sum(products * bonus, axis=-1, keepdims=True)
        added = ops.reshape(weights * values, (-1, *shape))
        return (normed * gamma + beta + added) * gates

    return finish


def _places(width: int) -> np.ndarray:
    return np.arange(width) / width


def _shift_shares(remaining: float) -> Callable[..., Any]:
    """Return the initializer of the weights of the position before, of the authors' code."""
    exponents = {"r": 0.2, "w": 0.9, "k": 0.7, "v": 0.7, "a": 0.9, "g": 0.2}

    def initialize(shape: tuple[int, ...], dtype: Any = None) -> Any:
        rows = [1.0 - _places(shape[1]) ** (exponents[name] * remaining) for name in SHIFTED]
        return ops.convert_to_tensor(np.stack(rows), dtype)

    return initialize


def _channel_shares(remaining: float) -> Callable[..., Any]:
    def initialize(shape: tuple[int, ...], dtype: Any = None) -> Any:
        return ops.convert_to_tensor(1.0 - _places(shape[0]) ** (remaining**4), dtype)

    return initialize


def _decay_ramp(depth: float) -> Callable[..., Any]:
    """Return the initializer of the decays, from slow to fast channels, of the authors' code."""

    def initialize(shape: tuple[int, ...], dtype: Any = None) -> Any:
        places = np.arange(shape[0]) / max(1, shape[0] - 1)
        return ops.convert_to_tensor(-6.5 + 5.0 * places ** (0.85 + depth**0.5), dtype)

    return initialize
