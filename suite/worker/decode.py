"""A decoding cell: the cost of reading a context, and of each token generated after it.

The model is the architecture with its own token embedding and a dense layer that scores each token
of the vocabulary. The context is random, and generation is greedy.

A compiled loop generates many tokens in a call. Its time gives the throughput and the mean time of
a token, but hides the times of single tokens. The percentiles therefore come from calls that
generate one token each; these include the start of a call and the transfer of its token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from suite.api import (
    GENERATED_TOKENS,
    PROBE_VOCABULARY_SIZE,
    Architecture,
    Form,
    Job,
    Status,
    build_request,
    declared_state_bytes,
    uses_xla,
)
from suite.worker.decoder import Decoder
from suite.worker.measure import warmup
from suite.worker.measure.memory import (
    PeakMemory,
    count_bytes,
    held_bytes,
    release_freed_memory,
)
from suite.worker.measure.samples import Measurements, single
from suite.worker.measure.timing import time_latency, time_repeats
from suite.worker.probe import random_batch
from suite.worker.steps import Model, PositionHead, allocator, devices, fix_randomness

STATE_METHOD = "counted from the arrays of the state"
STATE_MEMORY_METHOD = "memory in use with the state, less that without it"
NO_STATE_MEMORY_METHOD = "not measured: this system does not report a process's memory in use"


def run(
    job: Job, architecture: Architecture, report_progress: Callable[..., None]
) -> dict[str, Any]:
    """Run a decoding cell and return its outcome."""
    cell = job.cell
    fix_randomness(cell.seed)
    request = build_request(cell, job.model_size, job.recipe, None, architecture)
    xla = uses_xla(cell, architecture, request)
    tokens = random_batch(cell.batch_size, cell.sequence_length, cell.seed).features["token_ids"]
    report_progress("warming up", 0.0)
    warmup.throwaway_step(xla)
    fix_randomness(cell.seed)

    prefill_memory = PeakMemory(allocator())
    prefill_memory.start()
    model = Model(None, architecture.build(request), PositionHead(PROBE_VOCABULARY_SIZE), cell.form)
    create_weights(model)
    decodes = cell.form is Form.DECODER
    max_length = request.sequence_length if decodes else GENERATED_TOKENS
    loop_xla = cell.options.get("compile", "auto") != "graph"
    decoder = Decoder(model, cell.sequence_length, max_length, xla=xla, loop_xla=loop_xla)

    report_progress("measuring prefill", 0.0)
    prefill = time_repeats(
        lambda: decoder.read(tokens), tokens.size, tokens.size, prefill_memory, threads=cell.threads
    )
    release_freed_memory()
    before = held_bytes(prefill_memory.allocator)
    decoder.hold(tokens)
    release_freed_memory()
    after = held_bytes(prefill_memory.allocator)

    report_progress("measuring generation", 0.4)
    memory = replace(prefill_memory, highest_bytes=None, compile_bytes=None)
    memory.reset()
    generated = cell.batch_size * GENERATED_TOKENS
    generation = time_repeats(
        lambda: decoder.generate(GENERATED_TOKENS),
        generated,
        generated,
        memory,
        threads=cell.threads,
        steps_per_run=GENERATED_TOKENS,
    )
    report_progress("measuring single tokens", 0.8)
    latency, quiet_latency = time_latency(
        lambda: decoder.generate(1),
        threads=cell.threads,
        on_accelerator=memory.on_accelerator,
        about="one token of each sequence at a time",
    )
    state = state_measures(decoder, before, after)
    counts = model.parameter_counts()
    noisy = [*prefill.noisy_phases("prefill"), *generation.noisy_phases("generation")]
    declared = declared_state_bytes(cell, architecture, request, max_length)
    return {
        "status": Status.OK,
        "measurements": {
            "prefill": {**prefill.measured(), **prefill_memory.measured()},
            "generation": {**generation.measured(), **memory.measured(), **latency, **state},
        },
        "parameter_count": counts["total"],
        "parameter_counts": counts,
        "environment": {"devices": devices()},
        "details": {
            "xla": xla,
            "options": dict(request.options),
            "noisy": [*noisy, *([] if quiet_latency else ["generation.latency"])],
            "declared_state_bytes": declared and declared * cell.batch_size,
        },
    }


def create_weights(model: Model) -> None:
    """Create the weights of a model by a pass over two positions."""
    tokens = np.zeros((1, 2), "int32")
    features = {"token_ids": tokens, "padding_mask": np.ones((1, 2), bool), "target_ids": tokens}
    model(features, training=False)


def state_measures(decoder: Decoder, before: int | None, after: int | None) -> Measurements:
    """Return the size of the state, counted from its arrays and measured by memory."""
    measured = None if before is None or after is None else max(0, after - before)
    method = NO_STATE_MEMORY_METHOD if measured is None else STATE_MEMORY_METHOD
    return {
        "state_bytes": single(count_bytes(decoder.arrays()), STATE_METHOD),
        "state_memory_bytes": single(measured, method),
    }
