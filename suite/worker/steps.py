"""Compiled steps on the backend of Keras, and the optimizer of a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

from suite.api import PRECISIONS, Recipe
from suite.worker.backends import backend
from suite.worker.data.batches import Batch, Features
from suite.worker.measure.memory import PeakMemory
from suite.worker.model import Model
from suite.worker.perturbation import Compute, at_zero

Loss = Callable[[Any, Features, Features], Any]
"""A function of outputs, targets and features."""


def make_training_step(
    model: Model,
    loss: Loss,
    optimizer: Any,
    xla: bool,
    wrap: Callable[[Compute, Compute], Compute] | None = None,
) -> Callable[[Batch], Any]:
    """Compile one update; calling it returns the loss as a tensor on the device.

    `xla` applies to TensorFlow alone: JAX always compiles by XLA, PyTorch never does. If the model
    `exposes_hidden_states`, the loss finds them in `features["hidden_states"]`. `wrap` gets two
    functions of (features, targets) and returns the one that is minimized. The first calls the
    model and returns its loss. The second returns the loss, and its gradient at the perturbation 0.
    """
    if model.exposes_hidden_states:
        loss = _with_hidden_states(loss)

    def minimize(compute: Compute) -> Compute:
        if wrap is None:
            return compute
        return wrap(compute, at_zero(model, compute, backend.value_and_gradient))

    return _resetting(model, backend.make_training_step(model, loss, optimizer, xla, minimize))


def _with_hidden_states(loss: Loss) -> Loss:
    def of_both(both: tuple[Any, Any], targets: Features, features: Features) -> Any:
        outputs, states = both
        return loss(outputs, targets, {**features, "hidden_states": states})

    return of_both


def make_prediction_step(model: Model, predict: Loss, xla: bool) -> Callable[[Batch], Any]:
    """Compile inference; calling it returns the reduced outputs as a NumPy array."""
    return _resetting(model, backend.make_prediction_step(model, predict, xla))


def make_gradient_step(model: Model, loss: Loss, xla: bool) -> Callable[[Features, Features], Any]:
    """Compile the gradient of a batch's loss at the perturbation 0; it is a NumPy array.

    The function takes features and targets by name. The model infers: there is no dropout.
    """

    def compute(features: Features, targets: Features) -> Any:
        return loss(model(features, training=False), targets, features)

    measure = at_zero(model, compute, backend.value_and_gradient)
    compiled = backend.compile_with_weights(model, lambda *batch: measure(*batch)[1], xla)

    def step(features: Features, targets: Features) -> Any:
        arrays = (
            {k: ops.convert_to_tensor(v) for k, v in of.items()} for of in (features, targets)
        )
        return ops.convert_to_numpy(compiled(*arrays))

    return step


def _resetting(model: Model, step: Callable[[Batch], Any]) -> Callable[[Batch], Any]:
    """Reset the carried state before each batch that does not continue the previous."""
    if not model.carries_state:
        return step

    def run(batch: Batch) -> Any:
        if batch.fresh:
            model.reset_state()
        return step(batch)

    return run


def fix_randomness(seed: int, precision: str = PRECISIONS[0]) -> None:
    """Make all later random numbers repeatable, and on a processor all operations too.

    On an accelerator, operations are the fastest of each library: repeatable ones would slow JAX
    down too much, and a comparison of backends treats all alike. Products of float32 numbers have
    full precision there, unless `precision` is `tensorfloat32`.
    """
    keras.utils.set_random_seed(seed)
    if has_accelerator():
        backend.multiply_float32(in_tensorfloat32=precision == "tensorfloat32")
    else:
        backend.prepare_processor()


@contextmanager
def default_policy(name: str) -> Iterator[None]:
    """Make a dtype policy Keras's default in this context."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def peak_memory() -> PeakMemory:
    """Return the measure of memory: of the first accelerator, or of this process without one.

    Raises:
        RuntimeError: the backend has no memory counters for the accelerator.
    """
    if has_accelerator():
        return PeakMemory(backend.allocator())
    return PeakMemory(keeps_freed=backend.KEEPS_FREED_MEMORY)


def has_accelerator() -> bool:
    """Whether the backend sees a device other than the processor."""
    return not all("CPU" in name.upper() for name in backend.devices())


class LinearWarmupAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises linearly to `peak`, then falls linearly to zero at `total_steps`."""

    def __init__(self, peak: float, warmup_steps: int, total_steps: int) -> None:
        super().__init__()
        self.peak = peak
        self.warmup_steps = max(1, warmup_steps)
        self.total_steps = max(total_steps, self.warmup_steps + 1)

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, counted from 0."""
        position = ops.cast(step, "float32") + 1.0
        rising = position / self.warmup_steps
        falling = (self.total_steps - position) / (self.total_steps - self.warmup_steps)
        return self.peak * ops.clip(ops.minimum(rising, falling), 0.0, 1.0)


def make_optimizer(recipe: Recipe, total_steps: int) -> Any:
    """Build AdamW with the recipe's settings and without weight decay on biases and norms."""
    schedule = LinearWarmupAndDecay(
        recipe.learning_rate, round(recipe.warmup_share * total_steps), total_steps
    )
    optimizer = backend.AdamW(
        schedule, weight_decay=recipe.weight_decay, global_clipnorm=recipe.clip_norm
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if keras.config.dtype_policy().compute_dtype == "float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)  # small gradients would underflow
    return optimizer
