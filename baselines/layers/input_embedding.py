"""The embedding of token ids, patches or a task's own embeddings for a stack."""

from __future__ import annotations

from typing import Any

import keras

from baselines.layers.elementwise import LayerNorm
from baselines.layers.initialization import dense, token_table
from suite.api import BuildRequest, Inputs


class InputEmbedding(keras.layers.Layer):
    """Embeds the inputs, adds positions, optionally normalises, and applies dropout.

    Token ids (batch, n) are looked up, patches (batch, n, patch size) are projected, and embeddings
    (batch, n, width) are used unchanged. Token embeddings are multiplied by `scale`.
    `add_positions` is one of the layers in `positions`. Time and memory O(n).
    """

    def __init__(
        self,
        request: BuildRequest,
        add_positions: Any,
        *,
        scale: float = 1.0,
        norm_epsilon: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width = width = request.model_size.width
        self.scale = scale
        self.add_positions = add_positions
        self.dropout = keras.layers.Dropout(request.dropout)
        self.tokens = self.patches = self.norm = None
        if request.inputs is Inputs.TOKEN_IDS:
            assert request.vocabulary_size is not None
            self.tokens = keras.layers.Embedding(
                request.vocabulary_size,
                width,
                embeddings_initializer=token_table(width),
            )
        elif request.inputs is Inputs.PATCHES:
            self.patches = dense(width, name="patches")
        if norm_epsilon is not None:
            self.norm = LayerNorm(epsilon=norm_epsilon)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights; a token table shared with another embedding may exist already."""
        embedded = (*input_shape[:2], self.width)
        for part, shape in (
            (self.tokens, input_shape),
            (self.patches, input_shape),
            (self.add_positions, embedded),
            (self.norm, embedded),
        ):
            if part is not None and not part.built:
                part.build(shape)

    def call(
        self,
        inputs: Any,
        training: bool | None = None,
        start: Any = None,
        token_types: Any = None,
    ) -> Any:
        """Return the embedded inputs.

        `start` is the index of the first position if the input continues a sequence. `token_types`
        (batch, n) are for `TypedPositions`.
        """
        embeddings = inputs
        if self.tokens is not None:
            embeddings = self.tokens(inputs) * self.scale
        elif self.patches is not None:
            embeddings = self.patches(inputs)
        given = {"start": start, "token_types": token_types}
        known = {name: value for name, value in given.items() if value is not None}
        embeddings = self.add_positions(embeddings, **known)
        if self.norm is not None:
            embeddings = self.norm(embeddings)
        return self.dropout(embeddings, training=training)
