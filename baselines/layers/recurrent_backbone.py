"""The backbone that carries a segment memory from segment to segment."""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.backbone import Backbone
from baselines.layers.layer import finite_padding


class RecurrentBackbone(Backbone):
    """Embeddings and recurrent stacks; the state is the segment memory of each layer.

    Dai et al. 2019, "Transformer-XL", section 3.2. `encode` starts from `state`, or from an empty
    segment memory, and returns the state after its input. `decode` does the same causally, and
    attends to the encoder's output if there is one. The rest of a sequence can follow in parts of
    any length.

    In: token ids (batch, n) or embeddings (batch, n, width). Out: (batch, n, width). Time and
    memory are those of the stacks (`RecurrentStack`), and the state has O(1) size.

    Example:
        >>> attentions = [RelativeAttention(4, True, 8, 4) for _ in range(2)]
        >>> stack = RecurrentStack([TransformerLayer(part, 64) for part in attentions])
        >>> embedding = InputEmbedding(32, NoPositions())
        >>> layer = RecurrentBackbone(32, decoder=stack, decoder_embedding=embedding)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(self, width: int, carries_state: bool = True, **kwargs: Any) -> None:
        super().__init__(carries_state=carries_state, **kwargs)
        self.width = width

    def encode(
        self,
        inputs: Any,
        padding_mask: Any = None,
        state: Any = None,
        global_mask: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, Any]:
        """Return the hidden states (batch, n, width) and the state after them."""
        assert self.encoder is not None and self.encoder_embedding is not None
        inputs = finite_padding(inputs, padding_mask)
        embedded = self.encoder_embedding(inputs, training=training)
        hidden_states, segment_memories = self.encoder(
            embedded, padding_mask, state or (), training=training
        )
        return hidden_states, segment_memories

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
        """Return the hidden states of the target and the state after it.

        `position` changes nothing, because attention depends on distances only.
        """
        assert self.decoder is not None and self.decoder_embedding is not None
        target = finite_padding(target, padding_mask)
        embedded = self.decoder_embedding(target, training=training)
        hidden_states, segment_memories = self.decoder(
            embedded,
            padding_mask,
            state or (),
            training=training,
            context=encoder_output,
            context_mask=encoder_mask,
        )
        return hidden_states, segment_memories

    def init_state(self, batch_size: int, max_length: int) -> Any:
        """Return an empty segment memory for each layer of the decoder.

        It has the size and the type of a full one, and all of it is masked. Size and type therefore
        never change.
        """
        assert self.decoder is not None
        dtype = self.decoder.compute_dtype
        shapes = [
            (batch_size, layer.attention.segment_memory_length) for layer in self.decoder.layers
        ]
        return [
            (ops.zeros((*shape, self.width), dtype), ops.zeros(shape, "bool")) for shape in shapes
        ]
