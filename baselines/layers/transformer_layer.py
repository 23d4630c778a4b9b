"""A Transformer layer around any attention, and a stack of such layers.

Vaswani et al. 2017, section 3.1: attention, then a feed-forward network at each position. Each is
LayerNorm(x + Sublayer(x)). Radford et al. 2019, section 2.3, normalise the input of the sub-layer
instead: x + Sublayer(LayerNorm(x)). Llama (Touvron et al. 2023) has RMS norms and gated
feed-forward networks. Dropout is applied to the outputs of the sub-layers (section
5.4), not to attention weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from baselines.layers.backends import backend_functions
from baselines.layers.elementwise import get_activation, make_norm
from baselines.layers.gated_feedforward import GatedFeedforward
from baselines.layers.initialization import dense, kernel
from baselines.layers.layer import Layer, build_once, extended
from baselines.layers.removal import RemovableUnits

PLACEMENTS = ("after", "before", "result")


class TransformerLayer(Layer, RemovableUnits):
    """Attention, optional cross-attention to a context, and a feed-forward network.

    d_ff is `feedforward_width`; with None the layer has no feed-forward network. `feedforward_type`
    is "plain", with the `activation` of this name in `elementwise` or Keras, or "gated"
    (`GatedFeedforward`, with `gate_activation` and `gate_bias`). `norm` is one of `NORMS`, and its
    `norm_placement` "after" or "before" each sub-layer, or that of its "result": x +
    Norm(Sublayer(x)) (OLMo 2). `attention` is any layer that mixes positions; with None the layer
    has no such sub-layer. Without `normalizes_attention` there is no norm of the attention.
    Initially, the last kernel of the feed-forward network is divided by √`num_residual_branches`.
    `use_bias` is that of a plain network. In and out: (batch, n, width); the context is (batch, m,
    width). Time and memory O(n), plus the cost of attention.

    Raises:
        ValueError: the norm, its placement, the type of network or the activation is unknown.

    Example:
        >>> layer = TransformerLayer(FullAttention(num_heads=4), feedforward_width=64)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        attention: Any,
        feedforward_width: int | None,
        *,
        feedforward_type: str = "plain",
        activation: str = "relu",
        dropout: float = 0.0,
        norm: str = "layer",
        norm_placement: str = "after",
        epsilon: float = 1e-5,
        cross_attention: Any = None,
        num_residual_branches: int = 1,
        use_bias: bool = True,
        gate_activation: str = "silu",
        gate_bias: bool = False,
        normalizes_attention: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.attention = attention
        self.cross_attention = cross_attention
        self.feedforward_width = feedforward_width
        self.feedforward_type = _checked("feedforward_type", feedforward_type, "plain", "gated")
        self.activation = activation
        self.dropout = dropout
        self.norm = norm
        self.norm_placement = _checked("norm_placement", norm_placement, *PLACEMENTS)
        self.epsilon = epsilon
        self.num_residual_branches = num_residual_branches
        self.use_bias = use_bias
        self.gate_activation = gate_activation
        self.gate_bias = gate_bias
        self.normalizes_attention = normalizes_attention
        self.adapters: dict[str, Any] = {}
        self._activate = get_activation(activation)
        self.gated: Any = None
        policy = self.dtype_policy
        # Seeds are drawn in this order: another one would move all numbers.
        is_plain = feedforward_width is not None and feedforward_type == "plain"
        if is_plain:
            self.up_projection = dense(feedforward_width, use_bias=use_bias, dtype=policy)
        if attention is not None:
            self.attention_norm, self.attention_dropout = self._norm_and_dropout()
            if not normalizes_attention:
                self.attention_norm = None
        if is_plain:
            self.feedforward_norm, self.feedforward_dropout = self._norm_and_dropout()
        if cross_attention is not None:
            self.cross_norm, self.cross_dropout = self._norm_and_dropout()
        if feedforward_width is not None and feedforward_type == "gated":
            self.gated = GatedFeedforward(
                feedforward_width,
                num_residual_branches,
                gate_activation,
                gate_bias,
                dtype=policy,
            )
            self.feedforward_norm, self.feedforward_dropout = self._norm_and_dropout()

    def add_adapters(self, make_adapter: Callable[[], Any]) -> None:
        """Put a layer after each sub-layer, before the residual addition.

        Houlsby et al. 2019, section 2.1. `make_adapter` returns a built layer, (batch, n, width) in
        and out. A config does not hold the adapters: a loaded layer needs them before its weights.
        """
        names = [
            *(["attention"] if self.attention is not None else []),
            *(["cross_attention"] if self.cross_attention is not None else []),
            *(["feedforward"] if self.feedforward_width is not None else []),
        ]
        with extended(self):
            self.adapters |= {name: make_adapter() for name in names}

    @property
    def num_removable_units(self) -> int:
        """The number of units of a plain network; a gated one is a layer of its own."""
        plain = self.feedforward_width is not None and self.gated is None
        return super().num_removable_units if plain else 0

    def _norm_and_dropout(self) -> tuple[Any, Any]:
        norm = make_norm(self.norm, self.epsilon, self.dtype_policy)
        return norm, keras.layers.Dropout(self.dropout, dtype=self.dtype_policy)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        parts = []
        is_plain = self.feedforward_width is not None and self.gated is None
        if is_plain:
            self.down_projection = dense(
                input_shape[-1],
                kernel_initializer=kernel(self.num_residual_branches),
                use_bias=self.use_bias,
                dtype=self.dtype_policy,
            )
            parts += [self.up_projection, self.feedforward_norm]
        if self.attention is not None:
            parts += [self.attention, self.attention_norm]
        if self.cross_attention is not None:
            parts += [self.cross_attention, self.cross_norm]
        if self.gated is not None:
            parts += [self.gated, self.feedforward_norm]
        for part in parts:
            build_once(part, input_shape)
        if is_plain:
            self.down_projection.build((*input_shape[:-1], self.feedforward_width))

    def call(
        self,
        hidden_states: Any,
        training: bool | None = None,
        context: Any = None,
        context_mask: Any = None,
        **masks: Any,
    ) -> Any:
        """Return the layer's output.

        `masks` are further arguments of the attention. A norm before the attention also normalises
        a segment memory among them.
        """
        if self.norm_placement == "before" and masks.get("segment_memory") is not None:
            masks["segment_memory"] = self.attention_norm(masks["segment_memory"])
        if self.attention is not None:
            hidden_states = self._add(
                "attention",
                hidden_states,
                lambda states: self.attention(states, **masks),
                self.attention_norm,
                self.attention_dropout,
                training,
            )
        return self._finish(hidden_states, context, context_mask, training)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor, with the units that a gated network has left."""
        config = super().get_config()
        return config if self.gated is None else {**config, "feedforward_width": self.gated.width}

    def init_state(self, batch_size: int, max_length: int) -> Any:
        """Return the empty state of the attention; without attention, a state without tensors."""
        return () if self.attention is None else self.attention.init_state(batch_size, max_length)

    def decode_step(
        self,
        hidden_states: Any,
        state: Any,
        position: Any,
        context: Any,
        context_mask: Any,
        training: bool | None = None,
    ) -> tuple[Any, Any]:
        """Return the output for the newest positions only, and the new state."""
        if self.attention is None:
            return self._finish(hidden_states, context, context_mask, training), state
        kept = []

        def attend(states: Any) -> Any:
            mixed, grown = self.attention.decode_step(states, state, position)
            kept.append(grown)
            return mixed

        hidden_states = self._add(
            "attention",
            hidden_states,
            attend,
            self.attention_norm,
            self.attention_dropout,
            training,
        )
        return self._finish(hidden_states, context, context_mask, training), kept[0]

    def _finish(
        self, hidden_states: Any, context: Any, context_mask: Any, training: bool | None
    ) -> Any:
        if self.cross_attention is not None:
            hidden_states = self._add(
                "cross_attention",
                hidden_states,
                lambda states: self.cross_attention(states, context_mask, context),
                self.cross_norm,
                self.cross_dropout,
                training,
            )
        if self.feedforward_width is None:
            return hidden_states
        return self._add(
            "feedforward",
            hidden_states,
            self.feedforward,
            self.feedforward_norm,
            self.feedforward_dropout,
            training,
        )

    def feedforward(self, states: Any) -> Any:
        """Return the feed-forward network's output; only activations before σ are kept."""
        if self.gated is not None:
            return self.gated(states)
        if self.down_projection.quantization_mode:  # the kernel alone is not the layer
            return self.down_projection(self._activate(self.up_projection(states)))
        project_down = backend_functions().recomputed(
            lambda wide, kernel: ops.matmul(self._activate(wide), kernel)
        )
        projected = project_down(self.up_projection(states), self.down_projection.kernel)
        return ops.add(projected, self.down_projection.bias) if self.use_bias else projected

    def _add(
        self,
        name: str,
        states: Any,
        sublayer: Callable[[Any], Any],
        norm: Any,
        dropout: Any,
        training: bool | None,
    ) -> Any:
        placement = "none" if norm is None else self.norm_placement
        added = sublayer(norm(states) if placement == "before" else states)
        if placement == "result":
            added = norm(added)
        added = dropout(added, training=training)
        if name in self.adapters:
            added = self.adapters[name](added)
        return norm(states + added) if placement == "after" else states + added


def _checked(name: str, value: str, *choices: str) -> str:
    if value not in choices:
        raise ValueError(
            f"The {name} is one of {', '.join(choices)}. Received: {name}={value!r}. Choose one."
        )
    return value


def for_each_layer(context: Any, layers: Sequence[Any]) -> Sequence[Any]:
    """Return the context of each layer: a shared one, or the projected one of that layer."""
    return context if isinstance(context, list) else [context] * len(layers)


class TransformerStack(Layer):
    """A sequence of layers, with a final norm of the kind `norm` if `final_epsilon` is given.

    In and out: (batch, n, width). Time and memory are the sum of those of the layers.

    Example:
        >>> layers = [TransformerLayer(FullAttention(num_heads=4), 64) for _ in range(2)]
        >>> layer = TransformerStack(layers)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        layers: Sequence[TransformerLayer],
        final_epsilon: float | None = None,
        norm: str = "layer",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.layers = list(layers)
        self.final_epsilon = final_epsilon
        self.norm = norm
        self.final_norm = None
        if final_epsilon is not None:
            self.final_norm = make_norm(norm, final_epsilon, self.dtype_policy)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        for layer in (*self.layers, self.final_norm):
            build_once(layer, input_shape)

    @property
    def takes_longer_input(self) -> bool:
        """Whether the layers run on a longer input than in training."""
        mixers = [layer.attention for layer in self.layers]
        return all(getattr(mixer, "takes_longer_input", True) for mixer in mixers)

    def call(self, hidden_states: Any, training: bool | None = None, **masks: Any) -> Any:
        """Return the output of the last layer."""
        for layer in self.layers:
            hidden_states = layer(hidden_states, training=training, **masks)
        return hidden_states if self.final_norm is None else self.final_norm(hidden_states)

    def init_state(self, batch_size: int, max_length: int) -> list[Any]:
        """Return the empty state of each layer."""
        return [layer.init_state(batch_size, max_length) for layer in self.layers]

    def decode_step(
        self,
        hidden_states: Any,
        state: Sequence[Any],
        position: Any,
        context: Any = None,
        context_mask: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, list[Any]]:
        """Return the output for the newest positions only, and the new state of each layer."""
        grown = []
        contexts = for_each_layer(context, self.layers)
        for layer, held, seen in zip(self.layers, state, contexts, strict=True):
            hidden_states, kept = layer.decode_step(
                hidden_states, held, position, seen, context_mask, training
            )
            grown.append(kept)
        if self.final_norm is not None:
            hidden_states = self.final_norm(hidden_states)
        return hidden_states, grown
