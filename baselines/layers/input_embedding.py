"""The embedding of token ids, patches or a task's own embeddings for a stack."""

from __future__ import annotations

from typing import Any

import keras

from baselines.layers.elementwise import make_norm
from baselines.layers.initialization import dense, token_table
from baselines.layers.layer import Layer, build_once
from suite.api import BuildRequest, Inputs


class InputEmbedding(Layer):
    """Embeds the inputs, adds positions, optionally normalises, and applies dropout.

    `norm_type` is one of `NORMS`; without `norm_epsilon` there is no norm.

    With a `vocabulary_size`, token ids (batch, n) are looked up, and the embeddings are multiplied
    by `scale` (√width in Vaswani et al. 2017, section 3.4). Embeddings of tokens, (batch, n,
    width), are only multiplied. With `projects`, patches (batch, n, patch size) are projected.
    Otherwise, embeddings (batch, n, width) are used unchanged. `add_positions` is one of the layers
    in `positions`. Out: (batch, n, width). Time and memory O(n).

    Example:
        >>> layer = InputEmbedding(32, SinusoidalPositions(19))
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        width: int,
        add_positions: Any,
        *,
        vocabulary_size: int | None = None,
        projects: bool = False,
        scale: float = 1.0,
        norm_type: str = "layer",
        norm_epsilon: float | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.add_positions = add_positions
        self.vocabulary_size = vocabulary_size
        self.projects = projects
        self.scale = scale
        self.norm_type = norm_type
        self.norm_epsilon = norm_epsilon
        self.dropout = dropout
        policy = self.dtype_policy
        self.drop = keras.layers.Dropout(dropout, dtype=policy)
        self.tokens = self.patches = self.norm = None
        if vocabulary_size is not None:
            table = token_table(width)
            self.tokens = keras.layers.Embedding(vocabulary_size, width, table, dtype=policy)
        elif projects:
            self.patches = dense(width, name="patches", dtype=policy)
        if norm_epsilon is not None:
            self.norm = make_norm(norm_type, norm_epsilon, policy)

    @classmethod
    def of_request(cls, request: BuildRequest, add_positions: Any, **kwargs: Any) -> InputEmbedding:
        """Return the embedding of the inputs of a request."""
        vocabulary_size = request.vocabulary_size
        return cls(
            request.model_size.width,
            add_positions,
            vocabulary_size=vocabulary_size if request.inputs is Inputs.TOKEN_IDS else None,
            projects=request.inputs is Inputs.PATCHES,
            dropout=request.dropout,
            **kwargs,
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights; a token table shared with another embedding may exist already."""
        embedded = (*input_shape[:2], self.width)
        for part, shape in (
            (self.tokens, input_shape),
            (self.patches, input_shape),
            (self.add_positions, embedded),
            (self.norm, embedded),
        ):
            build_once(part, shape)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Return the shape of the embedded inputs."""
        return self.add_positions.compute_output_shape((*input_shape[:2], self.width))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the mask of the embedded inputs."""
        return self.add_positions.compute_mask(inputs, previous_mask)

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
            looked_up = self.tokens(inputs) if len(inputs.shape) == 2 else inputs
            embeddings = looked_up * self.scale
        elif self.patches is not None:
            embeddings = self.patches(inputs)
        given = {"start": start, "token_types": token_types}
        known = {name: value for name, value in given.items() if value is not None}
        embeddings = self.add_positions(embeddings, **known)
        if self.norm is not None:
            embeddings = self.norm(embeddings)
        return self.drop(embeddings, training=training)
