"""BERT's encoder with the heads of its pre-training.

Devlin et al. 2019, section 3.1.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.backbone import Backbone
from baselines.layers.elementwise import LayerNorm, gelu
from baselines.layers.initialization import dense
from baselines.layers.layer import Layer, finite_padding


class BertBackbone(Backbone):
    """An encoder with pre-training heads (Devlin et al. 2019, section 3.1).

    The weights of a head are created at its first use; a loaded model needs them before it loads.

    `summarize` is the pooler: tanh of a dense layer over the first position, [CLS].
    `score_next_sentence` scores two classes from it. `score_tokens` scores the vocabulary at each
    position with the transposed token embedding and a bias.

    In: token ids (batch, n). Out: (batch, n, width); of the heads (batch, width), (batch, 2) and
    (batch, n, vocabulary size). Time and memory are those of the stack, and O(n) for the scores.

    Example:
        >>> layers = [TransformerLayer(FullAttention(num_heads=4), 64) for _ in range(2)]
        >>> embedding = InputEmbedding(32, TypedPositions(19), vocabulary_size=100)
        >>> stack = TransformerStack(layers)
        >>> layer = BertBackbone(1e-12, encoder=stack, encoder_embedding=embedding)
        >>> tuple(layer(keras.ops.ones((2, 19), "int32")).shape)
        (2, 19, 32)
    """

    def __init__(self, epsilon: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        policy = self.dtype_policy
        self.pooler = _Head(activation="tanh", name="pooler", dtype=policy)
        self.next_sentence = _Head(2, name="next_sentence", dtype=policy)
        self.token_transform = _TokenTransform(epsilon, dtype=policy)

    def encode(
        self,
        inputs: Any,
        padding_mask: Any = None,
        state: Any = None,
        global_mask: Any = None,
        training: bool | None = None,
        token_types: Any = None,
    ) -> tuple[Any, Any]:
        """Return the hidden states; `token_types` (batch, n) separate two input segments."""
        assert self.encoder is not None and self.encoder_embedding is not None
        inputs = finite_padding(inputs, padding_mask)
        embedded = self.encoder_embedding(inputs, training=training, token_types=token_types)
        return self.encoder(embedded, training=training, padding_mask=padding_mask), None

    def summarize(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Return the pooled first position: (batch, width)."""
        return self.pooler(hidden_states[:, 0])

    def score_next_sentence(self, hidden_states: Any) -> Any:
        """Return the scores of whether the second segment follows the first: (batch, 2)."""
        return self.next_sentence(self.summarize(hidden_states))

    def score_tokens(self, hidden_states: Any) -> Any:
        """Return the scores of every word at every position: (batch, n, vocabulary size)."""
        assert self.encoder_embedding is not None
        tokens = self.encoder_embedding.tokens
        if tokens is None:
            raise ValueError(
                "Scoring words needs the token embedding. Received: a backbone that takes no token "
                "ids. Build it with inputs=token_ids."
            )
        if tokens.quantization_mode:  # the stored values alone are not the table
            return self.token_transform(hidden_states, tokens(ops.arange(tokens.input_dim)))
        return self.token_transform(hidden_states, ops.convert_to_tensor(tokens.embeddings))


class _Head(Layer):
    """A dense layer, by default as wide as its input; it draws no initial values before `build`."""

    def __init__(
        self, units: int | None = None, activation: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.activation = activation

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        units = self.units or input_shape[-1]
        self.dense = dense(units, self.activation, dtype=self.dtype_policy)
        self.dense.build(input_shape)

    def call(self, hidden_states: Any) -> Any:
        """Return the layer's output."""
        return self.dense(hidden_states)


class _TokenTransform(Layer):
    """A dense layer, GELU and a norm before the transposed embedding, and a bias after it."""

    def __init__(self, epsilon: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.norm = LayerNorm(epsilon=epsilon, dtype=self.dtype_policy)

    def build(
        self, hidden_states_shape: tuple[int | None, ...], embeddings_shape: tuple[int, ...]
    ) -> None:
        """Create the weights."""
        self.dense = dense(hidden_states_shape[-1], dtype=self.dtype_policy)
        self.dense.build(hidden_states_shape)
        self.norm.build(hidden_states_shape)
        self.bias = self.add_weight((embeddings_shape[0],), "zeros", name="bias")

    def call(self, hidden_states: Any, embeddings: Any) -> Any:
        """Return the scores of the words of an embedding, (vocabulary size, width)."""
        states = self.norm(gelu(self.dense(hidden_states)))
        return ops.matmul(states, ops.transpose(embeddings)) + self.bias
