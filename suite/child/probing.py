"""A probe: an architecture's speed and memory on random tokens, without task or data.

The model is the architecture's own token embedding, the architecture, and one dense layer that
sorts every position into two classes: small enough to weigh nothing, real enough that gradients
reach every weight.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from suite.child import warmup
from suite.child.batches import Batch
from suite.child.measuring import PeakMemory, give_back_freed_memory, time_repeats
from suite.child.steps import (
    Model,
    PositionHead,
    devices,
    fix_randomness,
    make_optimizer,
    make_prediction_step,
    make_training_step,
)
from suite.contracts import (
    PROBE_VOCABULARY_SIZE,
    Architecture,
    Form,
    Job,
    Recipe,
    Status,
    build_request,
)

ENDLESS_STEPS = 10**9
"""The learning rate of a probe stays in its warm-up: the weights hardly move."""


def run(job: Job, architecture: Architecture, tell: Any) -> dict[str, Any]:
    """Do a probe's work and return its outcome."""
    cell = job.cell
    fix_randomness(cell.seed)
    request = build_request(cell, job.model_size, job.recipe, None, architecture)
    xla = architecture.compile_with_xla(request)
    batch = random_batch(cell.batch_size, cell.sequence_length, cell.seed, cell.form)
    tell("warming up", 0.0)
    warmup.throwaway_step(xla)
    fix_randomness(cell.seed)

    inference_memory = PeakMemory()
    inference_memory.start()
    model = Model(None, architecture.build(request), PositionHead(2), cell.form)
    positions = batch.num_tokens
    tell("measuring inference", 0.0)
    predict = make_prediction_step(model, lambda outputs, *_: ops.argmax(outputs, -1), xla)
    inference = time_repeats(lambda: predict(batch), batch.num_tokens, positions, inference_memory)
    give_back_freed_memory()

    training_memory = PeakMemory(baseline_bytes=inference_memory.baseline_bytes)
    training_memory.reset()
    tell("measuring training", 0.5)
    step = make_training_step(model, _loss, make_optimizer(Recipe(), ENDLESS_STEPS), xla)
    training = time_repeats(
        lambda: float(step(batch)), batch.num_tokens, positions, training_memory
    )
    counts = model.parameter_counts()
    return {
        "status": Status.OK,
        "measurements": {
            "inference": {**inference.measured(), **inference_memory.measured()},
            "training": {**training.measured(), **training_memory.measured()},
        },
        "parameter_count": counts["total"],
        "parameter_counts": counts,
        "environment": {"devices": devices()},
        "details": {"xla": xla, "options": dict(request.options)},
    }


def random_batch(
    batch_size: int, sequence_length: int, seed: int, form: Form = Form.ENCODER
) -> Batch:
    """Draw token ids and two-class labels, without padding.

    An encoder-decoder gets a target as long as its source; both count as tokens.
    """
    generator = np.random.default_rng(seed)
    shape = (batch_size, sequence_length)
    features = {
        "token_ids": generator.integers(PROBE_VOCABULARY_SIZE, size=shape, dtype=np.int32),
        "padding_mask": np.ones(shape, bool),
    }
    targets = {"labels": generator.integers(2, size=shape, dtype=np.int32)}
    sides = 1
    if form is Form.ENCODER_DECODER:
        sides = 2
        features["target_ids"] = generator.integers(
            PROBE_VOCABULARY_SIZE, size=shape, dtype=np.int32
        )
    return Batch(features, targets, sides * batch_size * sequence_length, batch_size)


def _loss(outputs: Any, targets: Any, features: Any) -> Any:
    return ops.mean(
        ops.sparse_categorical_crossentropy(targets["labels"], outputs, from_logits=True)
    )
