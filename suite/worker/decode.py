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

import numpy as np

from suite.api import (
    GENERATED_TOKENS,
    PROBE_VOCABULARY_SIZE,
    Architecture,
    Form,
    Job,
    declared_state_bytes,
)
from suite.worker.decoder import Decoder
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
