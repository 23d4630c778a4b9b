"""Token-by-token generation with a decoding state that stays on the device.

Tokens are greedy. The loop over tokens is compiled: one call generates many of them, and the state
changes in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from suite.api import Form
from suite.worker.backends import backend
from suite.worker.model import Model

START_ID = 0
"""The first token of a target; all token ids are random otherwise."""
State = dict[str, Any]
"""`own` is the decoder's state, `source` what an encoder-decoder keeps of the encoder's output."""


class Decoder:
    """A model that reads a context and then generates greedily.

    A decoder reads the context itself. In the encoder-decoder form, the encoder reads the context,
    and the target starts with `START_ID`. `max_length` is the number of positions of the decoder's
    state. Generation starts after the context each time: keys and values are written again at the
    same positions, and a recurrent state continues. `xla` is whether XLA compiles the reading of
    the context on TensorFlow; `loop_xla` is whether it compiles generation.
    """

    def __init__(
        self, model: Model, context: int, max_length: int, *, xla: bool, loop_xla: bool
    ) -> None:
        self._model = model
        self._max_length = max_length
        self._first = 0 if model.form is Form.ENCODER_DECODER else context
        self._read = backend.compile_with_weights(model, self._start, xla)
        self._held = backend.HeldState(model, loop_xla)
        self._steps: dict[int, Callable[..., Any]] = {}
        self._token: Any = None

    def read(self, tokens: np.ndarray) -> tuple[Any, State]:
        """Return the token after a context (batch, n), and the state."""
        token, state = self._read(tokens)
        ops.convert_to_numpy(token)  # waits for the device
        return token, state

    def hold(self, tokens: np.ndarray) -> None:
        """Read a context, and keep the state for `generate`."""
        self._token, state = self.read(tokens)
        self._held.replace(state)

    def arrays(self) -> list[Any]:
        """Return the arrays of the held state."""
        return list(self._held.arrays())

    def generate(self, count: int) -> np.ndarray:
        """Return the next `count` tokens, (batch, count); the held state moves on."""
        if count not in self._steps:
            self._steps[count] = self._held.compile(
                lambda state, token, position: self._loop(state, token, position, count)
            )
        position = ops.convert_to_tensor(np.int32(self._first))
        tokens: np.ndarray = ops.convert_to_numpy(self._steps[count](self._token, position))
        return tokens

    def _start(self, tokens: Any) -> tuple[Any, State]:
        """Read the context; return the first generated token and the state."""
        backbone, batch = self._model.backbone, tokens.shape[0]
        own = backbone.init_state(batch, self._max_length)
        if self._model.form is Form.DECODER:
            hidden_states, own = backbone.decode(tokens, state=own, position=0, training=False)
            scores = self._model.head(hidden_states[:, -1:], {})[:, 0]
            return most_likely(scores), {"own": own, "source": ()}
        source = self._model.encode_source(tokens)
        return ops.full((batch,), START_ID, "int32"), {"own": own, "source": source}

    def _loop(self, state: State, token: Any, position: Any, count: int) -> tuple[Any, State]:
        """Return `count` tokens and the state after them."""
        source = state["source"]
        encoder = {} if self._model.form is Form.DECODER else {"encoder_output": source}
        done = ops.zeros((token.shape[0], count), "int32")

        def body(index: Any, carried: Any) -> Any:
            token, own, done = carried
            scores, own = self._model.decode_step(token, own, position + index, **encoder)
            token = most_likely(scores)
            return token, own, ops.slice_update(done, (0, index), token[:, None])

        _, own, done = repeat(count, body, (token, state["own"], done))
        return done, {"own": own, "source": source}


def most_likely(scores: Any) -> Any:
    """Return the token with the highest score: (batch,)."""
    return ops.cast(ops.argmax(scores, axis=-1), "int32")


def repeat(count: int, body: Callable[[Any, Any], Any], first: Any) -> Any:
    """Return `first` after `count` calls of `body(index, value)`, for values of any structure."""

    def flat_body(index: Any, flat: Any) -> Any:
        packed = keras.tree.pack_sequence_as(first, list(flat))
        return tuple(keras.tree.flatten(body(index, packed)))

    flat = ops.fori_loop(0, count, flat_body, tuple(keras.tree.flatten(first)))
    return keras.tree.pack_sequence_as(first, list(flat))
