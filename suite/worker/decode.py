"""A decoding cell: the cost of reading a context, and of each token generated after it.

The model is the architecture with its own token embedding and a dense layer that scores each token
of the vocabulary. The context is random, and generation is greedy.

A compiled loop generates many tokens in a call. Its time gives the throughput and the mean time of
a token, but hides the times of single tokens. The percentiles therefore come from calls that
generate one token each; these include the start of a call and the transfer of its token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from suite.api import (
    GENERATED_TOKENS,
    PROBE_VOCABULARY_SIZE,
    Architecture,
    Form,
    Job,
    declared_state_bytes,
)
from suite.worker.backends import backend
from suite.worker.measure.memory import Allocator, count_bytes, release_freed_memory
from suite.worker.measure.samples import single
from suite.worker.measure.timing import time_latency, time_repeats
from suite.worker.model import Model
from suite.worker.random_tokens import set_up

STATE_METHOD = "counted from the arrays of the state"
STATE_MEMORY_METHOD = "memory in use by the allocator with the state, less that without it"
NO_STATE_MEMORY_METHOD = "not measured: a process without an accelerator has no exact count"


def run(
    job: Job, architecture: Architecture, report_progress: Callable[..., None]
) -> dict[str, Any]:
    """Run a decoding cell and return its outcome."""
    setup = set_up(job, architecture, PROBE_VOCABULARY_SIZE, report_progress)
    cell, request, model = job.cell, setup.request, setup.model
    tokens = setup.batch.features["token_ids"]
    create_weights(model)
    decodes = cell.form is Form.DECODER
    max_length = request.sequence_length if decodes else GENERATED_TOKENS
    loop_xla = cell.options.get("compile", "auto") != "graph"
    decoder = Decoder(model, cell.sequence_length, max_length, xla=setup.xla, loop_xla=loop_xla)

    report_progress("measuring prefill", 0.0)
    prefill = time_repeats(
        "prefill",
        lambda: decoder.read(tokens),
        tokens.size,
        tokens.size,
        setup.memory,
        threads=cell.threads,
    )
    release_freed_memory()
    state_memory = hold(decoder, tokens, setup.memory.allocator)

    report_progress("measuring generation", 0.4)
    memory = setup.memory.next_phase()
    memory.reset()
    generated = cell.batch_size * GENERATED_TOKENS
    generation = time_repeats(
        "generation",
        lambda: decoder.generate(GENERATED_TOKENS),
        generated,
        generated,
        memory,
        threads=cell.threads,
        steps_per_run=GENERATED_TOKENS,
    )
    report_progress("measuring single tokens", 0.8)
    latency, is_quiet = time_latency(
        lambda: decoder.generate(1),
        threads=cell.threads,
        on_accelerator=memory.on_accelerator,
        about="one token of each sequence at a time",
    )
    state = {
        "state_bytes": single(count_bytes(decoder.arrays()), STATE_METHOD),
        "state_memory_bytes": state_memory,
    }
    return setup.outcome(
        [prefill, generation],
        {"generation": {**latency, **state}},
        [] if is_quiet else ["generation.latency"],
        {"declared_state_bytes": declared_state_bytes(cell, architecture, request, max_length)},
    )


def create_weights(model: Model) -> None:
    """Create the weights of a model by a pass over two positions."""
    tokens = np.zeros((1, 2), "int32")
    features = {"token_ids": tokens, "padding_mask": np.ones((1, 2), bool), "target_ids": tokens}
    model(features, training=False)


def hold(decoder: Decoder, tokens: np.ndarray, allocator: Allocator | None) -> dict[str, Any]:
    """Read a context and keep its state; return the memory that the state takes."""
    before = allocator.in_use() if allocator else 0
    decoder.hold(tokens)
    release_freed_memory()  # what only the reading needed is not part of the generation
    if allocator is None:
        return single(None, NO_STATE_MEMORY_METHOD)
    return single(max(0, allocator.in_use() - before), STATE_MEMORY_METHOD)


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
            if hasattr(backbone, "read_context"):  # it can do without scores of earlier positions
                hidden_states, own = backbone.read_context(tokens, own)
            else:
                hidden_states, own = backbone.decode(tokens, state=own, position=0, training=False)
            scores = self._model.head(hidden_states[:, -1:], {})[:, 0]
            return most_likely(scores), {"own": own, "source": ()}
        source = self._model.encode_source(tokens)
        return ops.full((batch,), START_ID, "int32"), {"own": own, "source": source}

    def _loop(self, state: State, token: Any, position: Any, count: int) -> tuple[Any, State]:
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
