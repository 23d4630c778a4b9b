"""The backbone of most architectures: embeddings, and one or two stacks of layers."""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.class_token import extend_mask
from baselines.layers.input_embedding import InputEmbedding
from baselines.layers.layer import Layer, build_once, extended, finite_padding
from baselines.layers.prefixed_stack import PrefixedStack
from baselines.layers.transformer_layer import TransformerStack
from suite.api import Form, Unsupported


class Backbone(Layer):
    """An encoder stack, a decoder stack, or both, each with its embedding.

    `encode` returns hidden states (batch, n, width) of the whole input. The architecture's own
    `extra_positions` (a class token) come first. `decode` returns those of a target: each position
    attends to itself, to earlier ones, and to the encoder's output if there is one. With a state
    from `init_state`, the target is the newest positions only. `carries_state` states that the
    decoder's state can be carried from one input to the next, at a fixed size.

    Calling the layer returns the hidden states alone: those of `encode`, or of `decode` if there is
    a decoder. Inputs are token ids (batch, n), embeddings or patches (batch, n, size). Time and
    memory are those of the stacks.

    Example:
        >>> layers = [TransformerLayer(FullAttention(num_heads=4), 64) for _ in range(2)]
        >>> embedding = InputEmbedding(32, SinusoidalPositions(19), vocabulary_size=100)
        >>> layer = Backbone(encoder=TransformerStack(layers), encoder_embedding=embedding)
        >>> tuple(layer(keras.ops.ones((2, 19), "int32")).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        *,
        encoder: TransformerStack | None = None,
        encoder_embedding: InputEmbedding | None = None,
        decoder: TransformerStack | None = None,
        decoder_embedding: InputEmbedding | None = None,
        takes_global_mask: bool = False,
        extra_positions: int = 0,
        carries_state: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.encoder = encoder
        self.encoder_embedding = encoder_embedding
        self.decoder = decoder
        self.decoder_embedding = decoder_embedding
        self.takes_global_mask = takes_global_mask
        self.extra_positions = extra_positions
        self.carries_state = carries_state

    @property
    def form(self) -> Form:
        """The form of the backbone, given by its stacks."""
        if self.decoder is None:
            return Form.ENCODER
        return Form.DECODER if self.encoder is None else Form.ENCODER_DECODER

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights of both stacks for inputs of one shape."""
        for embedding, stack in (
            (self.encoder_embedding, self.encoder),
            (self.decoder_embedding, self.decoder),
        ):
            if embedding is not None:
                build_once(embedding, input_shape)
                build_once(stack, (*input_shape[:2], embedding.width))

    def call(
        self,
        inputs: Any,
        target: Any = None,
        padding_mask: Any = None,
        target_mask: Any = None,
        global_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        """Return the hidden states of the input, or of the target if there is a decoder."""
        masks = (padding_mask, target_mask, global_mask)
        return run_form(self, self.form, inputs, target, *masks, training=training)

    def compute_output_shape(
        self, inputs_shape: tuple[int | None, ...], target_shape: Any = None
    ) -> Any:
        """Return the shape of the hidden states of the input, or of the target if there is one."""
        batch, length = (target_shape or inputs_shape)[:2]
        extra = self.extra_positions
        return batch, None if length is None else length + extra, self.embedding_layers[0].width

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the mask of the inputs' hidden states; `call` attaches that of a target."""
        if self.form is Form.ENCODER_DECODER:
            return None
        return extend_mask(previous_mask, self.extra_positions)

    def encode(
        self,
        inputs: Any,
        padding_mask: Any = None,
        state: Any = None,
        global_mask: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, Any]:
        """Return the hidden states of the input, and None: there is no state."""
        assert self.encoder is not None and self.encoder_embedding is not None
        inputs = finite_padding(inputs, padding_mask)
        embedded = self.encoder_embedding(inputs, training=training)
        masks = {"padding_mask": extend_mask(padding_mask, self.extra_positions)}
        if self.takes_global_mask:
            masks["global_mask"] = global_mask
        return self.encoder(embedded, training=training, **masks), None

    def decode(
        self,
        target: Any,
        encoder_output: Any = None,
        encoder_mask: Any = None,
        padding_mask: Any = None,
        state: Any = None,
        position: Any = 0,
        training: bool | None = None,
    ) -> tuple[Any, Any]:
        """Return the hidden states of the target, and the state with its keys and values.

        With a state, the target has the positions from `position` on; otherwise it has all
        positions.

        Raises:
            ValueError: there are a state and a padding mask, which the state does not hold.
        """
        assert self.decoder is not None and self.decoder_embedding is not None
        if state is None:
            target = finite_padding(target, padding_mask)
            embedded = self.decoder_embedding(target, training=training)
            hidden_states = self.decoder(
                embedded,
                training=training,
                context=encoder_output,
                context_mask=encoder_mask,
                padding_mask=padding_mask,
            )
            return hidden_states, None
        check_unmasked(padding_mask)
        embedded = self.decoder_embedding(target, training=training, start=position)
        if not self.decoder.built:  # calls of `decode_step` do not build a layer
            self.decoder.build(embedded.shape)
        return self.decoder.decode_step(
            embedded, state, position, encoder_output, encoder_mask, training
        )

    def embed(self, token_ids: Any) -> Any:
        """Return the embeddings of the input's token ids, which the backbone takes in their place.

        Out: (batch, n, width), before they are scaled and get positions.
        """
        return self.embedding_layers[0].tokens(token_ids)

    def project_encoder_output(self, encoder_output: Any) -> Any:
        """Return each layer's cross-attention keys and values of the encoder's output.

        `decode` takes them as `encoder_output`; many decoding steps then share one projection. A
        layer without cross-attention has an empty tuple.
        """
        assert self.decoder is not None
        attentions = [layer.cross_attention for layer in self.decoder.layers]
        return [
            () if attention is None else attention.project_context(encoder_output)
            for attention in attentions
        ]

    def summarize(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Return one vector per input, (batch, width).

        It is the hidden state of the class token, or without one the mean over real positions. The
        mean of no positions is 0. The mean is computed in float32.
        """
        if self.extra_positions:
            return hidden_states[:, 0]
        states = ops.cast(hidden_states, "float32")
        if padding_mask is None:
            mean = ops.mean(states, axis=1)
        else:
            real = ops.cast(padding_mask, "bool")[:, :, None]
            count = ops.sum(ops.cast(real, "float32"), axis=1)
            mean = ops.sum(ops.where(real, states, 0.0), axis=1) / ops.maximum(count, 1.0)
        return ops.cast(mean, hidden_states.dtype)

    def init_state(self, batch_size: int, max_length: int) -> Any:
        """Return an empty state for `max_length` positions."""
        assert self.decoder is not None
        return self.decoder.init_state(batch_size, max_length)

    def tie_embeddings(self) -> Any:
        """Share one token embedding between source and target, and return it: (ids, width).

        Source and target must have one vocabulary (Vaswani et al. 2017, section 3.4). Call this
        before the first input.
        """
        tables = [part.tokens for part in self.embedding_layers]
        for part in self.embedding_layers:
            part.tokens = tables[0]
        return tables[0]

    def add_prefix(self, length: int) -> None:
        """Put learned vectors before the embedded input of the encoder, or of a decoder alone.

        The backbone is built. Positions, hidden states and masks of the input stay the same: see
        `PrefixedStack`.

        Raises:
            Unsupported: the layers take no longer input.
        """
        name = "decoder" if self.encoder is None else "encoder"
        stack, embedding = getattr(self, name), getattr(self, f"{name}_embedding")
        if stack is None or not getattr(stack, "takes_longer_input", False):
            raise Unsupported("The layers take no vectors before the embedded input.")
        is_scaled = embedding.tokens is not None and embedding.norm is None
        stddev = embedding.scale * embedding.width**-0.5 if is_scaled else 1.0
        prefixed = PrefixedStack(stack, length, stddev, dtype=self.dtype_policy)
        prefixed.build((None, None, embedding.width))
        with extended(self):
            setattr(self, name, prefixed)

    @property
    def embedding_layers(self) -> list[Any]:
        """The token embeddings and positions, which parameter parity leaves out."""
        return [part for part in (self.encoder_embedding, self.decoder_embedding) if part]


def run_form(
    backbone: Any,
    form: Form,
    inputs: Any,
    target: Any = None,
    padding_mask: Any = None,
    target_mask: Any = None,
    global_mask: Any = None,
    training: bool | None = None,
) -> Any:
    """Return the hidden states of a backbone of any kind, without its state.

    Raises:
        ValueError: the target is missing, or the form takes no target.
    """
    check_target(form, target)
    if form is Form.DECODER:
        return backbone.decode(inputs, padding_mask=padding_mask, training=training)[0]
    hidden_states, _ = backbone.encode(
        inputs, padding_mask=padding_mask, global_mask=global_mask, training=training
    )
    if form is Form.ENCODER:
        return hidden_states
    return backbone.decode(
        target,
        encoder_output=hidden_states,
        encoder_mask=padding_mask,
        padding_mask=target_mask,
        training=training,
    )[0]


def check_unmasked(padding_mask: Any) -> None:
    """Raise a ValueError if a step of decoding has a padding mask: states hold no masks."""
    if padding_mask is not None:
        raise ValueError(
            "Decoding with a state does not support a padding mask: later steps would see the "
            f"padded positions. Received: a padding mask of shape {tuple(padding_mask.shape)}. "
            "Decode sequences without padding, or the whole padded sequence without a state."
        )


def check_target(form: Form, target: Any) -> None:
    """Raise a ValueError if a target is missing, or is given to a form that takes none."""
    if (target is not None) is not (form is Form.ENCODER_DECODER):
        raise ValueError(
            "The encoder-decoder form takes a target, and the other forms take none. Received: "
            f"form={form}, {'no target' if target is None else 'a target'}. Change either."
        )
