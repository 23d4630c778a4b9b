"""Token-by-token generation, greedy or by beam search, with the architecture's decoding state."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from suite.api import Generation
from suite.worker.backends import backend
from suite.worker.data.batches import Batch
from suite.worker.model import Model

MASKED_LOG_PROBABILITY = -1e9
"""The log probability of tokens and beams that must not be chosen."""


class BeamSearch:
    """Beam search over an encoder-decoder; one beam is greedy decoding.

    A source of `n` end tokens gets an answer of at most `n` end tokens and `max_length` tokens.
    The search takes O(max_length · num_beams) decoding steps for each source. The decoding state
    reduces the cost of a step to that of one position.
    """

    def __init__(self, model: Model, rules: Generation, num_beams: int, max_length: int) -> None:
        self._model = model
        self._rules = rules
        self._num_beams = num_beams
        self._max_length = max_length
        self._compiled_start = backend.compile_with_weights(model, self._start)
        self._compiled_step = backend.compile_with_weights(model, self._step)

    def search(self, batch: Batch) -> np.ndarray:
        """Return (batch, max_length) token ids, padded after the last end token."""
        source, mask = batch.features["token_ids"], batch.features["padding_mask"]
        count, beams = len(source), self._num_beams
        ends_wanted = ((source == self._rules.end_id) & mask).sum(axis=1).clip(min=1)
        wanted = np.repeat(ends_wanted, beams).astype(np.int32)
        global_mask = batch.features.get("global_mask")
        encoder_output, encoder_mask, state = self._compiled_start(source, mask, global_mask)
        scores = np.full((count, beams), MASKED_LOG_PROBABILITY, np.float32)
        scores[:, 0] = 0.0  # all beams are equal at first, so only one counts
        ids = np.full(count * beams, self._rules.start_id, np.int32)
        ends = np.zeros(count * beams, np.int32)
        tokens, parent_beams = [], []
        for position in range(self._max_length):
            ids, scores, parents, ends, state = self._compiled_step(
                ids, scores, ends, wanted, state, np.int32(position), encoder_output, encoder_mask
            )
            tokens.append(ops.convert_to_numpy(ids))
            parent_beams.append(ops.convert_to_numpy(parents))
            if (ops.convert_to_numpy(ends) >= wanted).all():
                break
        return self._best_answers(tokens, parent_beams, ops.convert_to_numpy(scores))

    def _start(self, source: Any, mask: Any, global_mask: Any) -> tuple[Any, Any, Any]:
        backbone, beams = self._model.backbone, self._num_beams
        encoder_output = self._model.encode_source(source, mask, global_mask)
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
        """Extend every beam by one token and keep the best beams of each source."""
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
        log_probabilities = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        tokens = ops.arange(size)
        forbidden = (tokens == rules.padding_id) | (tokens == rules.start_id)
        log_probabilities = ops.where(forbidden[None], MASKED_LOG_PROBABILITY, log_probabilities)
        padding = ops.where(tokens == rules.padding_id, 0.0, MASKED_LOG_PROBABILITY)
        log_probabilities = ops.where((ends >= wanted)[:, None], padding[None], log_probabilities)
        totals = ops.reshape(ops.reshape(scores, (-1, 1)) + log_probabilities, (-1, beams * size))
        scores, chosen = ops.top_k(totals, beams)
        chosen = ops.cast(chosen, "int32")
        first = ops.arange(totals.shape[0], dtype="int32")[:, None] * beams
        parents = ops.reshape(first + chosen // size, (-1,))
        ids = ops.reshape(chosen % size, (-1,))
        ends = ops.take(ends, parents) + ops.cast(ids == rules.end_id, "int32")
        if beams > 1:
            state = keras.tree.map_structure(lambda part: ops.take(part, parents, axis=0), state)
        return ids, scores, parents, ends, state

    def _best_answers(
        self, tokens: list[np.ndarray], parent_beams: list[np.ndarray], scores: np.ndarray
    ) -> np.ndarray:
        """Trace the beams back; return each source's best answer by length-normalized score."""
        count, beams = scores.shape
        rows = np.arange(count * beams)
        answers = np.full((count * beams, self._max_length), self._rules.padding_id, np.int32)
        for position in reversed(range(len(tokens))):
            answers[:, position] = tokens[position][rows]
            rows = parent_beams[position][rows]
        lengths = (answers != self._rules.padding_id).sum(axis=1).reshape(count, beams)
        penalties = ((5.0 + lengths) / 6.0) ** self._rules.length_penalty
        best = (scores / penalties).argmax(axis=1)
        chosen: np.ndarray = answers.reshape(count, beams, -1)[np.arange(count), best]
        return chosen
