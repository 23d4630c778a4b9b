"""A probe cell: the speed and memory of an architecture on random tokens.

The model is the architecture with its own token embedding and one dense layer, which assigns every
position to one of two classes. The layer's cost is negligible, and gradients reach every weight.

Methods change this model, or its optimizer, before anything is measured. A compressed model has no
gradients: its training is not measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from suite.api import Architecture, BuildRequest, Form, Job, Recipe, Status
from suite.worker.measure.matrix_rate import is_quiet, machine_rate
from suite.worker.measure.memory import PeakMemory, measure_weight_bytes, release_freed_memory
from suite.worker.measure.samples import Measurements, single
from suite.worker.measure.timing import StepTimings, time_latency, time_repeats
from suite.worker.optimizers import make_optimizer
from suite.worker.random_tokens import Setup, random_batch, set_up
from suite.worker.steps import devices, make_prediction_step, make_training_step

SCHEDULE_STEPS = 10**9
"""A probe's steps are all at the start of the warm-up, so that the weights hardly change."""


def run(
    job: Job, architecture: Architecture, report_progress: Callable[..., None]
) -> dict[str, Any]:
    """Run a probe cell and return its outcome."""
    setup = set_up(job, architecture, 2, report_progress)
    cell, model, batch, xla = job.cell, setup.model, setup.batch, setup.xla
    inference_memory = setup.memory
    positions = batch.num_tokens
    report_progress("measuring inference", 0.0)
    predict = make_prediction_step(model, lambda outputs, *_: ops.argmax(outputs, -1), xla)
    inference = time_repeats(
        lambda: predict(batch),
        batch.num_tokens,
        positions,
        inference_memory,
        threads=cell.threads,
    )
    release_freed_memory()
    phases = {"inference": (inference, inference_memory)}
    if not setup.methods.compresses:
        report_progress("measuring training", 0.3)
        phases["training"] = _measure_training(setup, cell.threads)
    report_progress("measuring latency", 0.7)
    one = random_batch(1, cell.sequence_length, cell.seed, cell.form)
    latency, quiet_latency = time_latency(
        lambda: predict(one), threads=cell.threads, on_accelerator=inference_memory.on_accelerator
    )
    report_progress("measuring the machine", 0.9)
    rate = machine_rate(job)
    counts = model.parameter_counts()
    of_inference = {**latency, "weight_bytes": measure_weight_bytes(model)}
    operations = None
    if not cell.methods:  # these change the number of products
        operations = count_operations(architecture, setup.request, counts["mixing"])
    return {
        "status": Status.OK,
        "measurements": {
            phase: {
                **timings.measured(),
                **memory.measured(),
                **utilization(operations, phase, timings, rate),
                **(of_inference if phase == "inference" else {}),
            }
            for phase, (timings, memory) in phases.items()
        },
        "parameter_count": counts["total"],
        "parameter_counts": counts,
        "environment": {"devices": devices()},
        "details": {
            "xla": xla,
            "options": dict(setup.request.options),
            "noisy": [
                *(
                    item
                    for name, (timings, _) in phases.items()
                    for item in timings.noisy_phases(name)
                ),
                *([] if quiet_latency else ["inference.latency"]),
            ],
            "operations_per_token": operations,
            **({"methods": setup.facts} if setup.facts else {}),
            "matrix_rate": rate,
        },
    }


def _measure_training(setup: Setup, threads: int) -> tuple[StepTimings, PeakMemory]:
    """Measure updates of the model."""
    memory = setup.memory.next_phase()
    memory.reset()
    plain = make_optimizer(Recipe(), SCHEDULE_STEPS)
    optimizer = setup.methods.optimizer(plain, setup.model, SCHEDULE_STEPS)
    step = make_training_step(setup.model, _loss, optimizer, setup.xla)
    batch = setup.batch
    timings = time_repeats(
        lambda: float(step(batch)), batch.num_tokens, batch.num_tokens, memory, threads=threads
    )
    return timings, memory


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
    operations: dict[str, float] | None, phase: str, timings: StepTimings, rate: dict[str, Any]
) -> Measurements:
    """Return the share of the machine's rate of matrix products that a phase reaches."""
    name = "model_flops_utilization"
    speed = timings.measured()["tokens_per_second"]["value"]
    if operations is None or speed is None:
        return {name: single(None, "not measured: the architecture does not count its operations")}
    if not is_quiet(rate):
        return {name: single(None, "not measured: others used the machine during its matrix rate")}
    share = operations[phase] * speed / rate["operations_per_second"]
    return {name: single(share, "counted operations a second over the machine's matrix rate")}


def _loss(outputs: Any, targets: Any, features: Any) -> Any:
    return ops.mean(
        ops.sparse_categorical_crossentropy(targets["labels"], outputs, from_logits=True)
    )
