"""The mixer of Mamba-3: states with complex eigenvalues, fed by a trapezoidal rule.

Lahoti et al. 2026, "Mamba-3: Improved Sequence Modeling using State Space Principles".
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from baselines.layers.chunked_scan import scan_in_chunks
from baselines.layers.decays import accumulate_exactly
from baselines.layers.directed_mixer import DirectedMixer
from baselines.layers.elementwise import RMSNorm
from baselines.layers.flops import CHUNK_LENGTH
from baselines.layers.fusing import fused
from baselines.layers.initialization import add_dense, step_size_bias
from baselines.layers.layer import build_once


class TrapezoidalStateSpace(DirectedMixer):
    """A projection, norms of keys and queries, a rotated state space, gates, a projection.

    H is `num_heads`, P `head_size`, S `state_size`, G `num_groups`, R `rank` and A `num_angles`.
    `input_projection` makes gates z and values x (H·P each), keys B and queries C (R·G·S each),
    step sizes Δ, rates a and shares λ (H each), and angles (A). B and C pass RMS norms over S, are
    shared by the consecutive heads of a group, and get biases of the head. They are rotated by the
    sum of π tanh(angle) Δ so far. With α = exp(Δ A), a state follows h_t = α_t h_{t−1} + (1 − λ_t)
    Δ_t α_t x_{t−1} B_{t−1}ᵀ + λ_t Δ_t x_t B_tᵀ, and y_t = h_t C_t + D x_t. A is −softplus(a), or
    with `heavy_tail_decay` −(1 + a) for a ≥ 0 and −1 / (1 − a) below, and at most −`decay_floor`.
    SiLU of the gates multiplies y, after an RMS norm of each head with `output_norm`. The first A
    channels of B and C turn against the next A. (The authors' code has the pairs elsewhere.)

    With R > 1, values and gates have R versions, each multiplied by weights of its own, and the
    outputs of all versions are summed with weights (the form with several inputs and outputs).
    Padded positions do not change the state.

    In: hidden states (batch, n, width); the padding mask (batch, n), True where real. Out: (batch,
    n, width). Time O(n · R · (R · c · (S + P) + S · P)) per head for chunks of c positions, memory
    O(n). The decoding state has O(1) size: (batch, H, S, P) numbers, and the last key, value and
    angle of each head, in float32.

    Raises:
        ValueError: the heads are not a multiple of the groups, or there are more angles than pairs.

    Example:
        >>> layer = TrapezoidalStateSpace(num_heads=4, head_size=16, state_size=8, num_angles=2)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        num_heads: int,
        head_size: int,
        state_size: int,
        num_angles: int,
        num_groups: int = 1,
        rank: int = 1,
        output_norm: bool = False,
        heavy_tail_decay: bool = False,
        decay_floor: float = 1e-4,
        backward: bool = False,
        epsilon: float = 1e-5,
        chunk_length: int = CHUNK_LENGTH,
        **kwargs: Any,
    ) -> None:
        super().__init__(backward, **kwargs)
        if num_heads % num_groups or not 0 <= 2 * num_angles <= state_size:
            raise ValueError(
                "The heads are a multiple of the groups, and angles turn pairs of the state's "
                f"channels. Received: num_heads={num_heads}, num_groups={num_groups}, "
                f"num_angles={num_angles}, state_size={state_size}. Change either."
            )
        self.num_heads = num_heads
        self.head_size = head_size
        self.state_size = state_size
        self.num_angles = num_angles
        self.num_groups = num_groups
        self.rank = rank
        self.output_norm = output_norm
        self.heavy_tail_decay = heavy_tail_decay
        self.decay_floor = decay_floor
        self.epsilon = epsilon
        self.chunk_length = chunk_length
        self.key_norm, self.query_norm = (
            RMSNorm(epsilon=epsilon, name=f"{name}_norm", dtype=self.dtype_policy)
            for name in ("key", "query")
        )
        self.norm = None
        if output_norm:
            self.norm = RMSNorm(epsilon, num_heads, name="norm", dtype=self.dtype_policy)

    @property
    def inner_width(self) -> int:
        """The channels of x: H · P."""
        return self.num_heads * self.head_size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        batch, length, width = input_shape
        heads, inner, size = (self.num_heads,), self.inner_width, self.state_size
        shared = self.rank * self.num_groups * size
        units = 2 * inner + 2 * shared + 3 * self.num_heads + self.num_angles
        add_dense(self, "input_projection", width, units)
        add_dense(self, "output_projection", inner, width)
        build_once(self.key_norm, (batch, length, size))
        build_once(self.query_norm, (batch, length, size))
        build_once(self.norm, (batch, length, inner))
        self.step_bias = self.add_float32_weight(heads, step_size_bias(), "step_bias")
        self.skip_gamma = self.add_float32_weight(heads, "ones", "skip_gamma")
        by_rank = (*heads, self.rank, size)
        self.key_bias = self.add_float32_weight(by_rank, "ones", "key_bias")
        self.query_bias = self.add_float32_weight(by_rank, "ones", "query_bias")
        self.value_weights = self.gate_weights = self.output_weights = None
        if self.rank > 1:
            by_channel = (*heads, self.rank, self.head_size)
            self.value_weights, self.gate_weights, self.output_weights = (
                self.add_float32_weight(by_channel, start, f"{name}_gamma")
                for name, start in (
                    ("value", _shares(self.rank)),
                    ("gate", "ones"),
                    ("output", _shares(self.rank)),
                )
            )

    def init_state(self, batch_size: int, max_length: int) -> tuple[Any, Any, Any, Any]:
        """Return zeros for the state, and for the last key, value and angle of each head."""
        heads = batch_size, self.num_heads
        shapes = (
            (self.state_size, self.head_size),
            (self.rank, self.state_size),
            (self.head_size,),
            (self.num_angles,),
        )
        state, key, value, angle = (ops.zeros((*heads, *shape), "float32") for shape in shapes)
        return state, key, value, angle

    def _run(self, hidden_states: Any, padding_mask: Any, state: Any) -> tuple[Any, Any]:
        length = ops.shape(hidden_states)[1]
        inner, heads = self.inner_width, self.num_heads
        shared = self.rank * self.num_groups * self.state_size
        ends = np.cumsum([inner, inner, shared, shared, heads, heads, heads])
        gates, value, key, query, sizes, rates, shares, angles = ops.split(
            self.input_projection(hidden_states), [int(end) for end in ends], axis=-1
        )
        sizes, rates, shares, angles = (
            ops.cast(part, "float32") for part in (sizes, rates, shares, angles)
        )
        sizes = ops.softplus(sizes + self.step_bias)
        if padding_mask is not None:
            sizes = ops.where(ops.cast(padding_mask, "bool")[:, :, None], sizes, 0.0)
        rates = fused(_heavy_tail if self.heavy_tail_decay else ops.softplus)(rates)
        log_decay = -ops.maximum(rates, self.decay_floor) * sizes
        shares = ops.sigmoid(shares)
        held, last_key, last_value, last_turns = state or (None,) * 4
        turns = accumulate_turns(0.5 * ops.tanh(angles)[:, :, None, :] * sizes[..., None])
        if last_turns is not None:
            turns = turns + last_turns[:, None] / (2 * math.pi)
        key = self._rotate(self._by_head(key, self.key_norm, self.key_bias), turns)
        query = self._rotate(self._by_head(query, self.query_norm, self.query_bias), turns)
        value = ops.reshape(ops.cast(value, "float32"), (-1, length, heads, self.head_size))
        values = self._versions(value, self.value_weights)
        # The weight of a position's input at later positions, and at its own.
        own, added = shares * sizes, (1.0 - shares) * sizes
        later = own + ops.concatenate([added[:, 1:], ops.zeros_like(added[:, :1])], axis=1)
        if last_value is not None:
            before = self._versions(last_value[:, None], self.value_weights)[:, 0]
            held = held + ops.einsum("bh,bhrs,bhrp->bhsp", added[:, 0], last_key, before)
        read, held = scan_in_chunks(
            self._rows(query),
            self._rows(key),
            self._rows(values * later[..., None, None]),
            self._first_rows(log_decay),
            held,
            self.chunk_length,
            self.rank,
            sees_itself=False,
        )
        by_position = (-1, heads, length, self.rank, self.head_size)
        read = ops.transpose(ops.reshape(read, by_position), (0, 2, 1, 3, 4))
        products = ops.einsum("bnhrs,bnhqs->bnhrq", query, key) * own[..., None, None]
        skip = ops.convert_to_tensor(self.skip_gamma)[:, None, None]
        outputs = read + ops.matmul(products, values) + skip * values
        mixed = self.output_projection(self._gated(outputs, gates, length))
        last = key[:, -1], value[:, -1], 2 * math.pi * ops.mod(turns[:, -1], 1.0)
        return mixed, (held, *last)

    def _by_head(self, part: Any, norm: Any, bias: Any) -> Any:
        """Return keys or queries (batch, n, H, R, S), normalised and with their biases."""
        shape = (-1, ops.shape(part)[1], self.rank, self.num_groups, self.state_size)
        normed = ops.cast(norm(ops.reshape(part, shape)), "float32")
        normed = ops.transpose(normed, (0, 1, 3, 2, 4))
        return ops.repeat(normed, self.num_heads // self.num_groups, axis=2) + bias

    def _rotate(self, part: Any, turns: Any) -> Any:
        """Return keys or queries with their first channels rotated against the next ones."""
        angles, count = 2 * math.pi * turns[:, :, :, None], self.num_angles
        cosines, sines = ops.cos(angles), ops.sin(angles)
        first, second, rest = ops.split(part, [count, 2 * count], axis=-1)
        return ops.concatenate(
            [first * cosines - second * sines, first * sines + second * cosines, rest], axis=-1
        )

    def _versions(self, part: Any, weights: Any) -> Any:
        """Return the R versions of values or gates: (…, H, P) to (…, H, R, P)."""
        part = part[..., None, :]
        return part if weights is None else part * weights

    def _rows(self, part: Any) -> Any:
        """Return (batch, n, H, R, …) as the rows of a scan: (batch, H, n · R, …)."""
        length, size = ops.shape(part)[1], part.shape[-1]
        shape = (-1, self.num_heads, length * self.rank, size)
        return ops.reshape(ops.transpose(part, (0, 2, 1, 3, 4)), shape)

    def _first_rows(self, log_decay: Any) -> Any:
        """Return log decays (batch, n, H) of the first row of each position, and 0 of others."""
        by_head = ops.transpose(log_decay, (0, 2, 1))
        if self.rank == 1:
            return by_head
        rows = ops.pad(by_head[..., None], [(0, 0)] * 3 + [(0, self.rank - 1)])
        return ops.reshape(rows, (-1, self.num_heads, ops.shape(log_decay)[1] * self.rank))

    def _gated(self, outputs: Any, gates: Any, length: Any) -> Any:
        """Return the outputs (batch, n, H, R, P), normalised, gated and summed over versions."""
        gates = ops.reshape(gates, (-1, length, self.num_heads, self.head_size))
        gates = self._versions(ops.cast(gates, "float32"), self.gate_weights)
        if self.norm is not None:
            rows = ops.transpose(outputs, (0, 1, 3, 2, 4))
            rows = self.norm(ops.reshape(rows, (-1, length, self.rank, self.inner_width)))
            shape = (-1, length, self.rank, self.num_heads, self.head_size)
            outputs = ops.transpose(ops.reshape(rows, shape), (0, 1, 3, 2, 4))
            outputs = ops.cast(outputs, "float32")
        gated = fused(_gate)(outputs, gates)
        if self.output_weights is not None:
            gated = gated * self.output_weights
        summed = ops.reshape(ops.sum(gated, axis=3), (-1, length, self.inner_width))
        return ops.cast(summed, self.compute_dtype)


def accumulate_turns(turns: Any) -> Any:
    """Return the sums of turns along the second axis, up to whole turns, at any length.

    The sums of the coarse parts are exact, as those of decays (`accumulate_decays`).
    """
    coarse, fine = accumulate_exactly(turns, axis=1)
    return ops.mod(coarse, 1.0) + fine


def _shares(rank: int) -> Any:
    """Return the initializer of weights whose sum over versions is 1."""
    return keras.initializers.Constant(1.0 / rank)


def _heavy_tail(rates: Any) -> Any:
    """Return 1 + a for a ≥ 0, and 1 / (1 − a) below."""
    return ops.where(rates >= 0, 1.0 + rates, 1.0 / (1.0 + ops.maximum(-rates, 0.0)))


def _gate(outputs: Any, gates: Any) -> Any:
    """Return outputs times SiLU of their gates."""
    return outputs * ops.silu(gates)
