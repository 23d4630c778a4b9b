"""A model with random weights on random tokens: what probes and decodings measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.api import (
    PROBE_VOCABULARY_SIZE,
    Architecture,
    BuildRequest,
    Form,
    Job,
    Status,
    build_request,
    uses_xla,
)
from suite.worker.backends import backend
from suite.worker.composition import Composition, compose, find_methods
from suite.worker.data.batches import Batch
from suite.worker.measure.memory import PeakMemory
from suite.worker.measure.samples import Measurements
from suite.worker.measure.timing import Phase
from suite.worker.measure.warmup import warm_up
from suite.worker.model import Model, PositionHead
from suite.worker.steps import fix_randomness


@dataclass(frozen=True)
class Setup:
    """The model of a cell without a task, its methods and batch, and its memory above a baseline.

    The baseline was taken before the model was built. The methods have changed the model already;
    `facts` are theirs. `xla` is whether XLA compiles its passes on TensorFlow.
    """

    request: BuildRequest
    model: Model
    methods: Composition
    facts: Mapping[str, Any]
    batch: Batch
    memory: PeakMemory
    xla: bool

    def outcome(
        self,
        phases: Sequence[Phase],
        others: Mapping[str, Measurements],
        noisy: Sequence[str],
        details: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Return the outcome of the cell.

        `others` holds measurements of a phase beside its own, and `noisy` those of them with too
        much interference.
        """
        counts = self.model.parameter_counts()
        return {
            "status": Status.OK,
            "measurements": {
                phase.name: {**phase.measured(), **others.get(phase.name, {})} for phase in phases
            },
            "parameter_count": counts["total"],
            "parameter_counts": counts,
            "environment": {"devices": list(backend.devices())},
            "details": {
                "xla": self.xla,
                "options": dict(self.request.options),
                "noisy": [*(name for phase in phases for name in phase.noisy), *noisy],
                **details,
            },
        }


def set_up(
    job: Job, architecture: Architecture, num_classes: int, report_progress: Callable[..., None]
) -> Setup:
    """Draw the batch of a cell, warm up, and build its model with a head of `num_classes`.

    A backbone may have a head of its own, `own_head`.
    """
    cell = job.cell
    fix_randomness(cell.seed, cell.precision)
    request = build_request(cell, job.model_size, job.recipe, None, architecture)
    xla = uses_xla(cell, architecture, request)
    batch = random_batch(cell.batch_size, cell.sequence_length, cell.seed, cell.form)
    architecture.import_libraries()
    memory = warm_up(cell, xla, report_progress)
    backbone = architecture.build(request)
    head = getattr(backbone, "own_head", None) or PositionHead(num_classes)
    model = Model(None, backbone, head, cell.form)
    applied = find_methods(cell, job.search_path)
    methods = compose(applied, cell, None, request, job.recipe, {}, {})
    # Methods change a built model. A pass over all positions would leave memory behind.
    short = random_batch(1, 2, cell.seed, cell.form)
    model = methods.model(model, short)
    facts = methods.facts(model, training=True)
    model = methods.compress(model)
    facts |= methods.facts(model, training=False)
    return Setup(request, model, methods, facts, batch, memory, xla)


def random_batch(
    batch_size: int, sequence_length: int, seed: int, form: Form = Form.ENCODER
) -> Batch:
    """Return a batch of random token ids and two-class labels, without padding.

    An encoder-decoder gets a target as long as its source; both count as tokens.
    """
    generator = np.random.default_rng(seed)
    shape = (batch_size, sequence_length)
    features = {
        "token_ids": generator.integers(PROBE_VOCABULARY_SIZE, size=shape, dtype=np.int32),
        "padding_mask": np.ones(shape, bool),
    }
    targets = {"labels": generator.integers(2, size=shape, dtype=np.int32)}
    num_tokens = batch_size * sequence_length
    if form is Form.ENCODER_DECODER:
        num_tokens *= 2
        features["target_ids"] = generator.integers(
            PROBE_VOCABULARY_SIZE, size=shape, dtype=np.int32
        )
    return Batch(features, targets, num_tokens, batch_size)
