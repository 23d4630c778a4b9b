"""BERT's encoder with the heads of its pre-training.

Devlin et al. 2019, section 3.1.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from baselines.layers.backbone import Backbone
from baselines.layers.elementwise import LayerNorm, gelu
from baselines.layers.initialization import dense


class BertBackbone(Backbone):
    """An encoder with pre-training heads, whose weights are created at their first use.

    `summarize` is the pooler: tanh of a dense layer over the first position, [CLS].
    `score_next_sentence` scores two classes from it. `score_tokens` scores the vocabulary at each
    position with the transposed token embedding and a bias.
    """

    def __init__(self, epsilon: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._epsilon = epsilon
        self.pooler: Any = None
        self.next_sentence: Any = None
        self.token_transform: Any = None

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
        embedded = self.encoder_embedding(inputs, training=training, token_types=token_types)
        return self.encoder(embedded, training=training, padding_mask=padding_mask), None

    def summarize(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Return the pooled first position: (batch, width)."""
        if self.pooler is None:
            self.pooler = dense(hidden_states.shape[-1], "tanh", name="pooler")
        return self.pooler(hidden_states[:, 0])

    def score_next_sentence(self, hidden_states: Any) -> Any:
        """Return the scores of whether the second segment follows the first: (batch, 2)."""
        if self.next_sentence is None:
            self.next_sentence = dense(2, name="next_sentence")
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
        if self.token_transform is None:
            self.token_transform = _TokenTransform(tokens.input_dim, self._epsilon)
        states, bias = self.token_transform(hidden_states)
        return ops.matmul(states, ops.transpose(tokens.embeddings)) + bias


class _TokenTransform(keras.layers.Layer):
    """A dense layer, GELU and a norm before the transposed embedding, and its bias."""

    def __init__(self, vocabulary_size: int, epsilon: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._vocabulary_size = vocabulary_size
        self.norm = LayerNorm(epsilon=epsilon)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        self.dense = dense(input_shape[-1])
        self.dense.build(input_shape)
        self.norm.build(input_shape)
        self.bias = self.add_weight((self._vocabulary_size,), "zeros", name="bias")

    def call(self, hidden_states: Any) -> tuple[Any, Any]:
        """Return the transformed hidden states and the bias."""
        return self.norm(gelu(self.dense(hidden_states))), self.bias
