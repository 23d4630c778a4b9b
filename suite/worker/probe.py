"""A probe cell: the speed and memory of an architecture on random tokens.

The model is the architecture with its own token embedding and one dense layer, which assigns every
position to one of two classes. The layer's cost is negligible, and gradients reach every weight.

Methods change this model, or its optimizer, before anything is measured. A compressed model has no
gradients: its training is not measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from keras import ops

from suite.api import Architecture, BuildRequest, Form, Job, Recipe
from suite.worker.measure.matrix_rate import is_quiet_rate, machine_rate
from suite.worker.measure.memory import PeakMemory, measure_weight_bytes, release_freed_memory
from suite.worker.measure.samples import Measurements, single
from suite.worker.measure.timing import Phase, time_latency, time_repeats
from suite.worker.model import mean_cross_entropy
from suite.worker.random_tokens import random_batch, set_up
from suite.worker.steps import make_optimizer, make_prediction_step, make_training_step

SCHEDULE_STEPS = 10**9
"""A probe's steps are all at the start of the warm-up, so that the weights hardly change."""


def run(
    job: Job, architecture: Architecture, report_progress: Callable[..., None]
) -> dict[str, Any]:
    """Run a probe cell and return its outcome."""
    setup = set_up(job, architecture, 2, report_progress)
    cell, model, batch, memory = job.cell, setup.model, setup.batch, setup.memory
    positions = batch.num_tokens

    def measure(name: str, run: Callable[[], object], memory: PeakMemory) -> Phase:
        return time_repeats(name, run, batch.num_tokens, positions, memory, threads=cell.threads)

    report_progress("measuring inference", 0.0)
    predict = make_prediction_step(model, lambda outputs, *_: ops.argmax(outputs, -1), setup.xla)
    phases = [measure("inference", lambda: predict(batch), memory)]
    release_freed_memory()
    if model.trainable_weights and not setup.methods.compresses:
        report_progress("measuring training", 0.3)
        memory = memory.next_phase()
        memory.reset()
        plain = make_optimizer(Recipe(), SCHEDULE_STEPS)
        optimizer = setup.methods.optimizer(plain, model, SCHEDULE_STEPS)
        step = make_training_step(model, mean_cross_entropy, optimizer, setup.xla)
        phases.append(measure("training", lambda: float(step(batch)), memory))
    report_progress("measuring latency", 0.7)
    example = random_batch(1, cell.sequence_length, cell.seed, cell.form)
    latency, is_quiet = time_latency(
        lambda: predict(example), threads=cell.threads, on_accelerator=memory.on_accelerator
    )
    if cell.batch_size == 1:  # the same step as before, some seconds later
        answers = latency["latency_p50_seconds"]["samples"]
        phases[0].fastest_step_seconds = min(phases[0].fastest_step_seconds or math.inf, *answers)
    report_progress("measuring the machine", 0.9)
    rate = machine_rate(job)
    operations = None
    if not cell.methods:  # these change the number of products
        mixing_parameters = model.parameter_counts()["mixing"]
        operations = count_operations(architecture, setup.request, mixing_parameters)
    others = {phase.name: utilization(operations, phase, rate) for phase in phases}
    others["inference"] |= {**latency, "weight_bytes": measure_weight_bytes(model)}
    details: dict[str, Any] = {"operations_per_token": operations, "matrix_rate": rate}
    if setup.facts:
        details["methods"] = setup.facts
    return setup.outcome(phases, others, [] if is_quiet else ["inference.latency"], details)


def count_operations(
    architecture: Architecture, request: BuildRequest, mixing_parameters: int
) -> dict[str, float] | None:
    """Return the floating-point operations per token, by phase; None if the count is unknown.

    The forward pass takes one multiplication and one addition per weight and token, plus the
    operations that mix positions. The weights of norms and biases, about 1 in 100, are counted like
    those of products. Training takes three times the forward pass; recomputation for the sake of
    memory is not counted (Chowdhery et al. 2022, "PaLM", appendix B).
    """
    mixing = architecture.mixing_operations(request)
    if mixing is None:
        return None
    sides = 2 if request.form is Form.ENCODER_DECODER else 1
    weights = 2.0 * mixing_parameters * request.sequence_length
    forward = (weights + mixing) / (sides * request.sequence_length)
    return {"inference": forward, "training": 3 * forward}


def utilization(
    operations: dict[str, float] | None, phase: Phase, rate: dict[str, Any]
) -> Measurements:
    """Return the share of the machine's rate of matrix products that a phase reaches."""
    name = "model_flops_utilization"
    speed = phase.measured()["tokens_per_second"]["value"]
    if operations is None or speed is None:
        return {name: single(None, "not measured: the architecture does not count its operations")}
    if not is_quiet_rate(rate):
        return {name: single(None, "not measured: others used the machine during its matrix rate")}
    share = operations[phase.name] * speed / rate["operations_per_second"]
    return {name: single(share, "counted operations a second over the machine's matrix rate")}
