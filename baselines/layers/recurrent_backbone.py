"""The backbone that carries memory from segment to segment."""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.backbone import Backbone


class RecurrentBackbone(Backbone):
    """Embeddings and recurrent stacks; a state is what a stack remembers.

    `encode` begins with an empty memory, or with `state`, and returns the state after its input.
    `decode` does the same, causally, and looks at the encoder's output where there is one; its
    cache is the state, so the rest of a sequence can follow in parts of any length.
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width

    def encode(
        self,
        inputs: Any,
        padding_mask: Any = None,
        state: Any = None,
        global_mask: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, Any]:
        """Give the hidden states (batch, n, width), and the state after them."""
        assert self.encoder is not None and self.encoder_embedding is not None
        embedded = self.encoder_embedding(inputs, training=training)
        hidden_states, memories = self.encoder(
            embedded, padding_mask, state or (), training=training
        )
        return hidden_states, memories

    def decode(
        self,
        target: Any,
        memory: Any = None,
        memory_mask: Any = None,
        padding_mask: Any = None,
        cache: Any = None,
        position: Any = 0,
        training: bool | None = None,
    ) -> tuple[Any, Any]:
        """Give the hidden states of the target, and the memory after it.

        Distances alone count, so the number of the first position changes nothing.
        """
        assert self.decoder is not None and self.decoder_embedding is not None
        embedded = self.decoder_embedding(target, training=training)
        hidden_states, memories = self.decoder(
            embedded,
            padding_mask,
            cache or (),
            training=training,
            context=memory,
            context_mask=memory_mask,
        )
        return hidden_states, memories

    def start_cache(self, batch_size: int, max_length: int) -> Any:
        """Return an empty memory."""
        return ()

    def start_memory(self, batch_size: int) -> Any:
        """Return the decoder's memory before anything is read, as large as it gets: all masked.

        For streams whose parts must have memories of one shape.
        """
        assert self.decoder is not None
        rooms = [layer.attention.memory_length for layer in self.decoder.stacked]
        return [
            (ops.zeros((batch_size, room, self.width)), ops.zeros((batch_size, room), "bool"))
            for room in rooms
        ]
