"""Reversible layers of LSH attention: activations are computed again, not kept.

Kitaev et al. 2020, section 3; Gomez et al. 2017, "The Reversible Residual Network".
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from baselines.layers.lsh_attention import LshAttention, draw_rotations

FEEDFORWARD_CHUNK = 2_048
"""How many positions pass through the feed-forward network at a time (section 3)."""
EVALUATION_SEED = 0


def backend_functions() -> Any:
    """Return the module of what Keras's present backend does its own way."""
    return importlib.import_module(f"baselines.layers.backends.{keras.backend.backend()}")


class ReversibleLayer(keras.layers.Layer):
    """F and G of the paper, equation 9: attention and feed-forward, each after a norm.

    Its methods work on what they are given alone, draws included, so that they can be run again.
    In and out: (batch, n, width).
    """

    def __init__(self, attention: LshAttention, feedforward_width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = attention
        self.expand = keras.layers.Dense(feedforward_width, "relu")
        self.attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.feedforward_norm = keras.layers.LayerNormalization(epsilon=1e-5)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        self.contract = keras.layers.Dense(input_shape[-1])
        for part in (self.attention, self.expand, self.attention_norm, self.feedforward_norm):
            part.build(input_shape)
        self.contract.build((*input_shape[:-1], self.expand.units))

    def attend(
        self,
        states: Any,
        buckets: Any,
        rotations: Any,
        padding_mask: Any,
        drop: Callable[[Any], Any],
    ) -> tuple[Any, Any]:
        """Return F of the states, and the buckets it used: those given, or what hashing found."""
        normed = self.attention_norm(states)
        mixed, buckets = self.attention.attend(normed, rotations, padding_mask, buckets)
        return drop(mixed), buckets

    def feed(self, states: Any, drop: Callable[[Any], Any]) -> Any:
        """Return G of the states, a chunk of positions at a time."""
        length = states.shape[1]
        fed = [
            self.contract(
                self.expand(self.feedforward_norm(states[:, start : start + FEEDFORWARD_CHUNK]))
            )
            for start in range(0, length, FEEDFORWARD_CHUNK)
        ]
        return drop(fed[0] if len(fed) == 1 else ops.concatenate(fed, axis=1))

    @property
    def attend_weights(self) -> list[Any]:
        """The weights of F."""
        return [*self.attention_norm.trainable_weights, *self.attention.trainable_weights]

    @property
    def feed_weights(self) -> list[Any]:
        """The weights of G."""
        parts = (self.feedforward_norm, self.expand, self.contract)
        return [weight for part in parts for weight in part.trainable_weights]


class _Bound:
    """A layer with one call's draws and mask, as the backend's `run_reversibly` takes it."""

    def __init__(self, layer: ReversibleLayer, rotations: Any, mask: Any, drops: Any) -> None:
        self._layer, self._rotations, self._mask, self._drops = layer, rotations, mask, drops
        self.attend_weights, self.feed_weights = layer.attend_weights, layer.feed_weights

    def attend(self, states: Any, buckets: Any) -> tuple[Any, Any]:
        return self._layer.attend(states, buckets, self._rotations, self._mask, self._drops[0])

    def feed(self, states: Any) -> Any:
        return self._layer.feed(states, self._drops[1])


class ReversibleStack(keras.layers.Layer):
    """Reversible layers one after another, and a norm over the mean of the two streams.

    Both streams begin as the input. Training draws new rotations at every step, evaluation uses
    fixed ones. `reversible=False` keeps all activations, for comparison.

    In and out: (batch, n, width), any n: padding to whole chunks happens inside. Memory for the
    gradient: the two streams and the buckets of each layer, not its activations.
    """

    def __init__(
        self,
        stacked: list[ReversibleLayer],
        num_buckets: int,
        dropout: float,
        reversible: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stacked = stacked
        self.num_buckets = num_buckets
        self.dropout_rate = dropout
        self.reversible = reversible
        self.seeds = keras.random.SeedGenerator()
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        for layer in (*self.stacked, self.norm):
            layer.build(input_shape)

    def call(
        self, hidden_states: Any, padding_mask: Any = None, training: bool | None = None
    ) -> Any:
        """Pass through all layers."""
        length = hidden_states.shape[1]
        padding = -length % self.stacked[0].attention.chunk_length
        if padding_mask is None and padding:
            padding_mask = ops.ones_like(hidden_states[:, :, 0], dtype="bool")
        if padding:
            hidden_states = ops.pad(hidden_states, ((0, 0), (0, padding), (0, 0)))
            padding_mask = ops.pad(padding_mask, ((0, 0), (0, padding)))
        blocks = [self._bind(layer, padding_mask, training) for layer in self.stacked]
        run = backend_functions().run_reversibly if self.reversible else _run_plainly
        first, second = run(blocks, hidden_states, hidden_states)
        return self.norm((first + second) / 2)[:, :length]

    def _bind(self, layer: ReversibleLayer, mask: Any, training: bool | None) -> _Bound:
        attention = layer.attention
        width = attention.query_key.units
        shape = (
            attention.num_heads,
            width // attention.num_heads,
            attention.num_hashes,
            self.num_buckets // 2,
        )
        if not training:
            rotations = draw_rotations(*shape[:3], self.num_buckets, EVALUATION_SEED)
            return _Bound(layer, ops.convert_to_tensor(rotations), mask, (_keep, _keep))
        rotations = backend_functions().draw_normal(shape, self.seeds.next())
        return _Bound(layer, rotations, mask, (self._dropper(), self._dropper()))

    def _dropper(self) -> Callable[[Any], Any]:
        """Return dropout by a seed drawn now, so that it drops the same when run again."""
        if not self.dropout_rate:
            return _keep
        seed = self.seeds.next()
        drop = backend_functions().drop
        return lambda states: drop(states, self.dropout_rate, seed)


def _keep(states: Any) -> Any:
    return states


def _run_plainly(blocks: list[_Bound], first: Any, second: Any) -> tuple[Any, Any]:
    for block in blocks:
        first = first + block.attend(second, None)[0]
        second = second + block.feed(first)
    return first, second
