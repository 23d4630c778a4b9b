"""Answers written token after token, greedily or by beam search, with the architecture's state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from suite.api import Generation
from suite.worker.data.batches import Batch
from suite.worker.steps import Model, compile_with_weights

NEVER = -1e9
"""The log probability of what must not be written."""


class BeamSearch:
    """Writes answers to batches of sources, at most `max_length` tokens each.

    Time O(max_length · num_beams) decoding steps of one token for each source; the state makes a
    step's cost that of one position.
    """

    def __init__(self, model: Model, rules: Generation, num_beams: int, max_length: int) -> None:
        self._model = model
        self._rules = rules
        self._num_beams = num_beams
        self._max_length = max_length
        self._begin: Callable[..., Any] | None = None
        self._advance: Callable[..., Any] | None = None

    def write(self, batch: Batch) -> np.ndarray:
        """Return (batch, max_length) token ids, padded after the last end."""
        if self._begin is None or self._advance is None:
            self._begin = compile_with_weights(self._model, self._encode)
            self._advance = compile_with_weights(self._model, self._step)
        source, mask = batch.features["token_ids"], batch.features["padding_mask"]
        count, beams = len(source), self._num_beams
        ends_wanted = ((source == self._rules.end_id) & mask).sum(axis=1).clip(min=1)
        wanted = np.repeat(ends_wanted, beams).astype(np.int32)
        encoder_output, encoder_mask, state = self._begin(source, mask)
        scores = np.full((count, beams), NEVER, np.float32)
        scores[:, 0] = 0.0  # all beams are the same at first: one goes on
        ids = np.full(count * beams, self._rules.start_id, np.int32)
        ends = np.zeros(count * beams, np.int32)
        written, came_from = [], []
        for position in range(self._max_length):
            ids, scores, parents, ends, state = self._advance(
                ids, scores, ends, wanted, state, np.int32(position), encoder_output, encoder_mask
            )
            written.append(ops.convert_to_numpy(ids))
            came_from.append(ops.convert_to_numpy(parents))
            if (ops.convert_to_numpy(ends) >= wanted).all():
                break
        return self._best(written, came_from, ops.convert_to_numpy(scores))

    def _encode(self, source: Any, mask: Any) -> tuple[Any, Any, Any]:
        """Encode the sources, and repeat them for every beam; start the state."""
        backbone, beams = self._model.backbone, self._num_beams
        encoder_output, _ = backbone.encode(source, padding_mask=mask, training=False)
        if hasattr(backbone, "project_encoder_output"):
            encoder_output = backbone.project_encoder_output(encoder_output)
        rows = source.shape[0] * beams
        state = backbone.init_state(rows, self._max_length)
        encoder_output = keras.tree.map_structure(
            lambda part: ops.repeat(part, beams, axis=0), encoder_output
        )
        return encoder_output, ops.repeat(mask, beams, axis=0), state

    def _step(
        self,
        ids: Any,
        scores: Any,
        ends: Any,
        wanted: Any,
        state: Any,
        position: Any,
        encoder_output: Any,
        encoder_mask: Any,
    ) -> tuple[Any, Any, Any, Any, Any]:
        """Write one token at each beam and keep the best beams of each source."""
        rules, beams = self._rules, self._num_beams
        hidden_states, state = self._model.backbone.decode(
            ids[:, None],
            encoder_output=encoder_output,
            encoder_mask=encoder_mask,
            state=state,
            position=position,
            training=False,
        )
        logits = self._model.head(hidden_states, {})[:, 0]
        size = logits.shape[-1]
        chances = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        tokens = ops.arange(size)
        barred = (tokens == rules.padding_id) | (tokens == rules.start_id)
        chances = ops.where(barred[None], NEVER, chances)
        padding = ops.where(tokens == rules.padding_id, 0.0, NEVER)
        chances = ops.where((ends >= wanted)[:, None], padding[None], chances)
        totals = ops.reshape(ops.reshape(scores, (-1, 1)) + chances, (-1, beams * size))
        scores, chosen = ops.top_k(totals, beams)
        chosen = ops.cast(chosen, "int32")
        first = ops.arange(totals.shape[0], dtype="int32")[:, None] * beams
        parents = ops.reshape(first + chosen // size, (-1,))
        ids = ops.reshape(chosen % size, (-1,))
        ends = ops.take(ends, parents) + ops.cast(ids == rules.end_id, "int32")
        if beams > 1:
            state = keras.tree.map_structure(lambda part: ops.take(part, parents, axis=0), state)
        return ids, scores, parents, ends, state

    def _best(
        self, written: list[np.ndarray], came_from: list[np.ndarray], scores: np.ndarray
    ) -> np.ndarray:
        """Follow the beams back; take of each source the one that scores best for its length."""
        count, beams = scores.shape
        rows = np.arange(count * beams)
        answers = np.full((count * beams, self._max_length), self._rules.padding_id, np.int32)
        for position in reversed(range(len(written))):
            answers[:, position] = written[position][rows]
            rows = came_from[position][rows]
        lengths = (answers != self._rules.padding_id).sum(axis=1).reshape(count, beams)
        penalties = ((5.0 + lengths) / 6.0) ** self._rules.length_penalty
        best = (scores / penalties).argmax(axis=1)
        chosen: np.ndarray = answers.reshape(count, beams, -1)[np.arange(count), best]
        return chosen
