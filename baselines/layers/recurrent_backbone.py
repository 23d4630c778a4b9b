"""The backbone that carries memory from segment to segment."""

from __future__ import annotations

from typing import Any

import keras

from baselines.layers.input_embedding import InputEmbedding
from baselines.layers.segment_recurrence import RecurrentStack


class RecurrentBackbone(keras.layers.Layer):
    """Embeddings and a recurrent stack; its state is what the stack remembers.

    `encode` begins with an empty memory, or with `state`, and returns the state after its input.
    `decode` does the same, causally; its cache is the state, so the rest of a sequence can follow
    in parts of any length.
    """

    extra_positions = 0

    def __init__(self, embedding: InputEmbedding, stack: RecurrentStack, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embedding = embedding
        self.stack = stack

    def encode(
        self,
        inputs: Any,
        padding_mask: Any = None,
        state: Any = None,
        global_mask: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, Any]:
        """Give the hidden states (batch, n, width), and the state after them."""
        embedded = self.embedding(inputs, training=training)
        hidden_states, memories = self.stack(embedded, padding_mask, state or (), training=training)
        return hidden_states, memories

    def decode(
        self,
        target: Any,
        padding_mask: Any = None,
        cache: Any = None,
        position: Any = 0,
        training: bool | None = None,
    ) -> tuple[Any, Any]:
        """Give the hidden states of the target, and the memory after it.

        Distances alone count, so the number of the first position changes nothing.
        """
        return self.encode(target, padding_mask, cache, training=training)

    def start_cache(self, batch_size: int, max_length: int) -> Any:
        """Return an empty memory."""
        return ()

    @property
    def embedding_layers(self) -> list[Any]:
        """What parity does not count."""
        return [self.embedding]
