"""Reversible layers of LSH attention: activations are recomputed, not stored.

Kitaev et al. 2020, section 3; Gomez et al. 2017, "The Reversible Residual Network".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from baselines.layers.backends import backend_functions
from baselines.layers.elementwise import LayerNorm
from baselines.layers.full_attention import FullAttention
from baselines.layers.initialization import dense
from baselines.layers.key_value_state import is_start
from baselines.layers.layer import Layer, build_once, extended
from baselines.layers.lengths import cut_end, is_known, missing_to_multiple, pad_end
from baselines.layers.lsh_attention import LSHAttention
from baselines.layers.lsh_hashing import draw_rotations
from baselines.layers.removal import RemovableUnits
from baselines.layers.transformer_layer import for_each_layer

FEEDFORWARD_CHUNKS = 4
"""The number of chunks of positions in the feed-forward network (section 3)."""
EVALUATION_SEED = 0

Drop = Callable[[Any], Any]


class ReversibleLayer(Layer, RemovableUnits):
    """F and G of the paper, equation 9: attention and feed-forward network, each after a norm.

    With `cross_attention`, attention to a context comes between them. The methods depend on their
    arguments only, random draws included, so that they can be recomputed. In and out: (batch, n,
    width). Time and memory are those of the attention, and O(n) for the feed-forward network. The
    layer has no `call`: a `ReversibleStack` runs its halves.

    Example:
        >>> attention = LSHAttention(4, 8, num_hashes=2, num_buckets=6)
        >>> layer = ReversibleLayer(attention, feedforward_width=64)
        >>> layer.build((2, 24, 32))
        >>> tuple(layer.feedforward(keras.ops.ones((2, 24, 32))).shape)
        (2, 24, 32)
    """

    def __init__(
        self,
        attention: LSHAttention,
        feedforward_width: int,
        cross_attention: FullAttention | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.attention = attention
        self.feedforward_width = feedforward_width
        self.cross_attention = cross_attention
        self.adapters: dict[str, Any] = {}
        policy = self.dtype_policy
        self.up_projection = dense(feedforward_width, "relu", dtype=policy)
        self.attention_norm = LayerNorm(epsilon=1e-5, dtype=policy)
        self.feedforward_norm = LayerNorm(epsilon=1e-5, dtype=policy)
        if cross_attention is not None:
            self.cross_norm = LayerNorm(epsilon=1e-5, dtype=policy)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        self.down_projection = dense(input_shape[-1], dtype=self.dtype_policy)
        parts = [self.attention, self.up_projection, self.attention_norm, self.feedforward_norm]
        if self.cross_attention is not None:
            parts += [self.cross_attention, self.cross_norm]
        for part in parts:
            build_once(part, input_shape)
        self.down_projection.build((*input_shape[:-1], self.up_projection.units))

    def add_adapters(self, make_adapter: Callable[[], Any]) -> None:
        """Put a layer after each sub-layer, as `TransformerLayer.add_adapters` does."""
        crosses = ["cross_attention"] if self.cross_attention is not None else []
        with extended(self):
            self.adapters |= {
                name: make_adapter() for name in ("attention", *crosses, "feedforward")
            }

    def _adapted(self, name: str, states: Any) -> Any:
        return self.adapters[name](states) if name in self.adapters else states

    def attend(
        self, states: Any, buckets: Any, rotations: Any, padding_mask: Any
    ) -> tuple[Any, Any]:
        """Return F of the states, and the buckets: the given ones, or those of hashing."""
        states = self.attention_norm(states)
        mixed, buckets = self.attention.attend(states, rotations, padding_mask, buckets)
        return self._adapted("attention", mixed), buckets

    def attend_step(
        self, states: Any, state: Any, position: Any, rotations: Any
    ) -> tuple[Any, Any]:
        """Return F of the newest positions, and the new state of the attention."""
        states = self.attention_norm(states)
        mixed, kept = self.attention.decode_step(states, state, position, rotations)
        return self._adapted("attention", mixed), kept

    def cross_attend(self, states: Any, context: Any, context_mask: Any) -> Any:
        """Return attention to the context."""
        assert self.cross_attention is not None
        attended = self.cross_attention(self.cross_norm(states), context_mask, context)
        return self._adapted("cross_attention", attended)

    def feedforward(self, states: Any) -> Any:
        """Return G of the states, computed for one chunk of positions at a time."""
        length = ops.shape(states)[1]
        divides = is_known(length) and length % FEEDFORWARD_CHUNKS == 0
        parts = FEEDFORWARD_CHUNKS if divides else 1
        fed = [
            self.down_projection(self.up_projection(self.feedforward_norm(part)))
            for part in ops.split(states, parts, axis=1)
        ]
        return self._adapted("feedforward", ops.concatenate(fed, axis=1))

    def halves(
        self, rotations: Any, padding_mask: Any, context_mask: Any, make_drop: Callable[[], Drop]
    ) -> list[_Half]:
        """Return the functions that the layer adds to the streams, with this call's draws."""
        attend_drop, cross_drop, feedforward_drop = make_drop(), make_drop(), make_drop()

        def attend(states: Any, context: Any, buckets: Any) -> tuple[Any, Any]:
            mixed, buckets = self.attend(states, buckets, rotations, padding_mask)
            return attend_drop(mixed), buckets

        def cross_attend(states: Any, context: Any, kept: Any) -> tuple[Any, Any]:
            return cross_drop(self.cross_attend(states, context, context_mask)), None

        def feedforward(states: Any, context: Any, kept: Any) -> tuple[Any, Any]:
            return feedforward_drop(self.feedforward(states)), None

        halves = [_Half(attend, self._weights("attention", self.attention_norm, self.attention))]
        if self.cross_attention is not None:
            weights = self._weights("cross_attention", self.cross_norm, self.cross_attention)
            halves.append(_Half(cross_attend, weights))
        projections = self.up_projection, self.down_projection
        weights = self._weights("feedforward", self.feedforward_norm, *projections)
        return [*halves, _Half(feedforward, weights)]

    def _weights(self, name: str, *parts: Any) -> list[Any]:
        """Return the weights of a half; the backends differentiate the trained ones."""
        adapters = [self.adapters[name]] if name in self.adapters else []
        return [weight for part in (*parts, *adapters) for weight in part.weights]


@dataclass(frozen=True)
class _Half:
    """One half of a reversible layer: a function of one stream, added to the other stream."""

    run: Callable[[Any, Any, Any], tuple[Any, Any]]
    weights: list[Any]


class ReversibleStack(Layer):
    """A sequence of reversible layers, with a norm over the mean of the two streams.

    Both streams start as the input. Training draws new rotations at every step. In evaluation each
    layer has fixed rotations of its own. `reversible=False` stores all activations, for comparison.

    In and out: (batch, n, width), any n: the stack pads to whole chunks. The context is (batch, m,
    width). The memory for the gradient holds the two streams and the buckets of each layer, not its
    activations. Time is that of the layers, which the gradient computes once more.

    Example:
        >>> attentions = [LSHAttention(4, 8, num_hashes=2, num_buckets=6) for _ in range(2)]
        >>> layer = ReversibleStack([ReversibleLayer(part, 64) for part in attentions])
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        layers: list[ReversibleLayer],
        dropout: float = 0.0,
        reversible: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.layers = list(layers)
        self.dropout = dropout
        self.reversible = reversible
        self.seeds = keras.random.SeedGenerator()
        self.norm = LayerNorm(epsilon=1e-5, dtype=self.dtype_policy)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        for layer in (*self.layers, self.norm):
            build_once(layer, input_shape)

    def call(
        self,
        hidden_states: Any,
        padding_mask: Any = None,
        training: bool | None = None,
        context: Any = None,
        context_mask: Any = None,
    ) -> Any:
        """Return the output of the last layer."""
        length = ops.shape(hidden_states)[1]
        padding = missing_to_multiple(length, self.layers[0].attention.chunk_length)
        if padding_mask is None and not (is_known(padding) and padding == 0):
            padding_mask = ops.ones_like(hidden_states[:, :, 0], dtype="bool")
        hidden_states = pad_end(hidden_states, padding, axis=1)
        if padding_mask is not None:
            padding_mask = pad_end(padding_mask, padding, axis=1)
        halves = [
            half
            for index, layer in enumerate(self.layers)
            for half in layer.halves(
                self._rotations(index, training),
                padding_mask,
                context_mask,
                self._dropper if training and self.dropout else lambda: _identity,
            )
        ]
        run = backend_functions().run_reversibly if self.reversible else run_storing_activations
        first, second = run(halves, hidden_states, hidden_states, context)
        return cut_end(self.norm((first + second) / 2), length, axis=1)

    @property
    def takes_longer_input(self) -> bool:
        """Whether the layers run on a longer input than in training."""
        return True

    def init_state(self, batch_size: int, max_length: int) -> list[Any]:
        """Return the empty state of each layer."""
        return [layer.attention.init_state(batch_size, max_length) for layer in self.layers]

    def decode_step(
        self,
        hidden_states: Any,
        state: list[Any],
        position: Any,
        context: Any = None,
        context_mask: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, list[Any]]:
        """Return the output for the newest positions, and the new state.

        Several positions from 0 on are computed together, as `call` does, and keep the buckets of
        that pass. Later ones are computed one by one. The rotations are those of evaluation, and no
        dropout is applied, whatever `training` is.
        """
        if is_start(position) and hidden_states.shape[1] > 1:
            return self._decode_step(hidden_states, state, position, context, context_mask)
        done = []
        for index in range(hidden_states.shape[1]):
            newest = hidden_states[:, index : index + 1]
            states, state = self._decode_step(
                newest, state, position + index, context, context_mask
            )
            done.append(states)
        return ops.concatenate(done, axis=1), state

    def _decode_step(
        self, states: Any, state: list[Any], position: Any, context: Any, context_mask: Any
    ) -> tuple[Any, list[Any]]:
        first, second, grown = states, states, []
        contexts = for_each_layer(context, self.layers)
        for index, layer in enumerate(self.layers):
            rotations = self._rotations(index, False)
            mixed, kept = layer.attend_step(second, state[index], position, rotations)
            grown.append(kept)
            first, second = second, first + mixed
            if layer.cross_attention is not None:
                attended = layer.cross_attend(second, contexts[index], context_mask)
                first, second = second, first + attended
            first, second = second, first + layer.feedforward(second)
        return self.norm((first + second) / 2), grown

    def _rotations(self, index: int, training: bool | None) -> Any:
        """Return the rotations of one layer: new ones in training, its fixed ones otherwise."""
        shape = self.layers[index].attention.rotations_shape
        if training:
            return backend_functions().draw_normal(shape, self.seeds.next())
        return ops.convert_to_tensor(draw_rotations(shape, (EVALUATION_SEED, index)))

    def _dropper(self) -> Drop:
        """Return dropout with a seed drawn now: recomputing drops the same elements."""
        seed = self.seeds.next()
        drop = backend_functions().drop
        return lambda states: drop(states, self.dropout, seed)


def _identity(states: Any) -> Any:
    return states


def run_storing_activations(
    halves: list[_Half], first: Any, second: Any, context: Any
) -> tuple[Any, Any]:
    """Return the same as the backends' `run_reversibly`, storing all activations."""
    for half in halves:
        first, second = second, first + half.run(second, context, None)[0]
    return first, second
