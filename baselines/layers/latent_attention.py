"""Attention whose keys and values come from a latent vector of each position.

DeepSeek 2024, "DeepSeek-V2: A Strong, Economical, and Efficient Mixture-of-Experts Language Model",
section 2.1: multi-head latent attention.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.attention import attention
from baselines.layers.attention_blocks import BLOCK_BYTES
from baselines.layers.attention_positions import RotaryPositions
from baselines.layers.elementwise import RMSNorm
from baselines.layers.full_attention import merge_heads, split_heads
from baselines.layers.initialization import add_dense
from baselines.layers.key_value_state import (
    State,
    attend_with_state,
    is_start,
    require_room,
    write_state,
)
from baselines.layers.layer import Layer, build_once, zero_padding


class LatentAttention(Layer):
    """Causal attention, of which decoding keeps a latent vector and one rotary key a position.

    p is `plain_size`, r `rotary_size` and v `value_size`; h is `num_heads`. `latent` makes
    `latent_rank` numbers, which pass `latent_norm`, and a rotary key of r channels that all heads
    share. `key_value` makes p key channels and v values of each head from the latent vector.
    The queries of a head have p plain and r rotary channels. With a `query_rank`, they come from a
    bottleneck of this width, which passes `query_norm`. Scores are divided by √(p + r). Channel i
    of the rotary ones turns against i + r/2. (The authors' code turns neighbours.)

    In: hidden states (batch, n, width); the padding mask (batch, n), True where real. Out: (batch,
    n, width). Time O(n²), memory O(n). The decoding state holds `latent_rank` + r numbers for each
    position. A step compares queries with the latent vectors themselves: O(max_length) time.

    Example:
        >>> layer = LatentAttention(4, latent_rank=16, plain_size=8, rotary_size=4, value_size=8)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        num_heads: int,
        latent_rank: int,
        plain_size: int,
        rotary_size: int,
        value_size: int,
        query_rank: int | None = None,
        rotary_base: float = 10_000.0,
        epsilon: float = 1e-6,
        block_bytes: int | None = BLOCK_BYTES,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.latent_rank = latent_rank
        self.plain_size = plain_size
        self.rotary_size = rotary_size
        self.value_size = value_size
        self.query_rank = query_rank
        self.rotary_base = rotary_base
        self.epsilon = epsilon
        self.block_bytes = block_bytes
        self.positions = RotaryPositions(rotary_base)
        self.latent_norm = RMSNorm(epsilon=epsilon, name="latent_norm", dtype=self.dtype_policy)
        self.query_norm = None
        if query_rank is not None:
            self.query_norm = RMSNorm(epsilon=epsilon, name="query_norm", dtype=self.dtype_policy)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the projections and the norms."""
        batch, length, width = input_shape
        heads, rank = self.num_heads, self.latent_rank
        key_size = self.plain_size + self.rotary_size
        projections = [
            ("query", self.query_rank or width, heads * key_size),
            ("latent", width, rank + self.rotary_size),
            ("key_value", rank, heads * (self.plain_size + self.value_size)),
            ("output_projection", heads * self.value_size, width),
        ]
        if self.query_rank is not None:
            projections.append(("query_latent", width, self.query_rank))
        for name, inputs, units in projections:
            add_dense(self, name, inputs, units)
        build_once(self.latent_norm, (batch, length, rank))
        build_once(self.query_norm, (batch, length, self.query_rank))
        self.positions.build((None, heads, None, self.rotary_size))

    def call(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Return the projected attention; keys at padded positions are masked."""
        attended = zero_padding(hidden_states, padding_mask)
        query = ops.concatenate(self._queries(hidden_states, 0), axis=-1)
        return self._attend(query, *self._kept(attended, 0), padding_mask)

    def init_state(self, batch_size: int, max_length: int) -> State:
        """Return zeros for the latent vectors and rotary keys of `max_length` positions."""
        latents, keys = (
            ops.zeros((batch_size, 1, max_length, size), self.compute_dtype)
            for size in (self.latent_rank, self.rotary_size)
        )
        return latents, keys

    def decode_step(self, hidden_states: Any, state: State, position: Any) -> tuple[Any, State]:
        """Return the output for positions `position`, `position` + 1, … and the new state.

        The output, (batch, m, width), equals that of `call` on all positions so far.

        Raises:
            ValueError: the state has no place for a position; see `require_places`.
        """
        hidden_states = require_room(hidden_states, state, position)
        plain, rotary = self._queries(hidden_states, position)
        newest = self._kept(hidden_states, position)
        if is_start(position):
            query = ops.concatenate([plain, rotary], axis=-1)
            return self._attend(query, *newest), write_state(state, newest, position)
        to_key, to_value = self._weights_by_head()
        query = ops.concatenate([ops.einsum("bhmp,rhp->bhmr", plain, to_key), rotary], axis=-1)
        query = query * (self.plain_size + self.rotary_size) ** -0.5
        heads, state = attend_with_state(
            (query, *newest),
            state,
            position,
            lambda distances, places: distances >= 0,
            read=lambda latents, keys: (ops.concatenate([latents, keys], axis=-1), latents),
        )
        heads = ops.einsum("bhmr,rhv->bhmv", heads, to_value)
        return self.output_projection(merge_heads(heads)), state

    def _queries(self, hidden_states: Any, start: Any) -> tuple[Any, Any]:
        """Return the plain and the rotated channels of queries: (batch, h, n, p or r)."""
        if self.query_norm is not None:
            hidden_states = self.query_norm(self.query_latent(hidden_states))
        query = split_heads(self.query(hidden_states), self.num_heads)
        plain, rotary = ops.split(query, [self.plain_size], axis=-1)
        return plain, self.positions.rotate(rotary, start)

    def _kept(self, hidden_states: Any, start: Any) -> State:
        """Return the latent vectors and the rotary keys: (batch, 1, n, rank or r)."""
        both = self.latent(hidden_states)[:, None]
        latents, keys = ops.split(both, [self.latent_rank], axis=-1)
        return self.latent_norm(latents), self.positions.rotate(keys, start)

    def _attend(self, query: Any, latents: Any, keys: Any, padding_mask: Any = None) -> Any:
        """Return the output of queries that see the latent vectors of the same positions."""
        expanded = split_heads(self.key_value(latents[:, 0]), self.num_heads)
        plain, value = ops.split(expanded, [self.plain_size], axis=-1)
        shared = ops.repeat(keys, self.num_heads, axis=1)
        heads = attention(
            query,
            ops.concatenate([plain, shared], axis=-1),
            value,
            padding_mask=padding_mask,
            causal=True,
            block_bytes=self.block_bytes,
        )
        return self.output_projection(merge_heads(heads))

    def _weights_by_head(self) -> list[Any]:
        """Return the kernels of keys and values by head: (rank, h, p) and (rank, h, v)."""
        kernel = ops.cast(self.key_value.kernel, self.compute_dtype)
        by_head = ops.reshape(kernel, (self.latent_rank, self.num_heads, -1))
        return list(ops.split(by_head, [self.plain_size], axis=-1))
