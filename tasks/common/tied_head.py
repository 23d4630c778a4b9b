"""An output layer that shares its weights with the token embedding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops


class TiedHead(keras.layers.Layer):
    """Scores token ids at every position with the token embedding's table and a bias.

    Press and Wolf 2017, "Using the Output Embedding to Improve Language Models". Input: hidden
    states (batch, n, width). Output: (batch, n, token ids). Time and memory O(n).
    """

    def tie(self, table: Any) -> None:
        """Share the weights of an embedding layer."""
        self._tables = [table]
        self.bias = self.add_weight((table.input_dim,), "zeros", name="bias")

    def call(self, hidden_states: Any, features: Mapping[str, Any]) -> Any:
        """Return the scores of every position."""
        tokens = self._tables[0]
        if tokens.quantization_mode:  # the stored values alone are not the table
            table = tokens(ops.arange(tokens.input_dim))
        else:
            table = tokens.embeddings
        table = ops.cast(table, hidden_states.dtype)
        return ops.matmul(hidden_states, ops.transpose(table)) + ops.cast(self.bias, table.dtype)
