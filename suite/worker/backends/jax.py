"""Steps on JAX: pure functions of the weights, compiled by XLA."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import keras
import numpy as np

from suite.worker.data.batches import Batch
from suite.worker.measure.timing import Allocator

Features = Mapping[str, Any]
AdamW = keras.optimizers.AdamW


def make_update(
    model: Any, loss: Callable[[Any, Features, Features], Any], optimizer: Any
) -> Callable[..., Any]:
    """Return one update as a pure function of the states that `states_of` lists, and a batch."""

    def update(
        weights: Any, others: Any, moments: Any, features: Features, targets: Features
    ) -> Any:
        def measure(weights: Any) -> Any:
            outputs, changed = model.stateless_call(weights, others, features, training=True)
            value = loss(outputs, targets, features)
            with keras.StatelessScope(list(zip(optimizer.variables, moments, strict=True))):
                return optimizer.scale_loss(value), (value, changed)

        (_, (value, changed)), gradients = jax.value_and_grad(measure, has_aux=True)(weights)
        weights, moments = optimizer.stateless_apply(moments, gradients, weights)
        return value, weights, changed, moments

    return update


def states_of(model: Any, optimizer: Any, batch: Batch) -> list[list[Any]]:
    """List the variables of a step: weights, the model's others, the optimizer's; create them."""
    _create_weights(model, batch)
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    return [model.trainable_variables, model.non_trainable_variables, optimizer.variables]


def make_training_step(
    model: Any, loss: Callable[[Any, Features, Features], Any], optimizer: Any, xla: bool
) -> Callable[[Batch], Any]:
    """Compile one update; calling it returns the loss as an array on the device."""
    compiled = jax.jit(make_update(model, loss, optimizer), donate_argnums=(0, 1, 2))
    groups: list[list[Any]] = []

    def step(batch: Batch) -> Any:
        if not groups:  # Keras walks all layers to list them: not at every step
            groups.extend(states_of(model, optimizer, batch))
        states = [[variable.value for variable in group] for group in groups]
        value, *states = compiled(*states, _placed(batch.features), _placed(batch.targets))
        for group, values in zip(groups, states, strict=True):
            for variable, new in zip(group, values, strict=True):
                variable.assign(new)
        return value

    return step


def make_prediction_step(
    model: Any, predict: Callable[[Any, Features, Features], Any], xla: bool
) -> Callable[[Batch], Any]:
    """Compile inference; calling it returns the reduced outputs as a NumPy array."""

    @jax.jit  # type: ignore[untyped-decorator]
    def compiled(weights: Any, others: Any, features: Features, targets: Features) -> Any:
        outputs, changed = model.stateless_call(weights, others, features, training=False)
        return predict(outputs, targets, features), changed

    groups: list[list[Any]] = []

    def step(batch: Batch) -> np.ndarray:
        if not groups:
            _create_weights(model, batch)
            groups.extend([model.trainable_variables, model.non_trainable_variables])
        weights, others = ([variable.value for variable in group] for group in groups)
        found, changed = compiled(weights, others, _placed(batch.features), _placed(batch.targets))
        if model.carries_memory:
            for variable, new in zip(groups[1], changed, strict=True):
                variable.assign(new)
        return np.asarray(found)

    return step


def _placed(arrays: Features) -> dict[str, Any]:
    """Return a batch's arrays, split over the devices where several share the work.

    A batch that does not divide, such as a single example, every device computes whole.
    """
    distribution = keras.distribution.distribution()
    if distribution is None:
        return dict(arrays)
    num_devices = distribution.device_mesh.devices.size

    def place(values: Any) -> Any:
        if len(values) % num_devices:
            return values
        layout = distribution.get_data_layout(np.shape(values))
        return keras.distribution.distribute_tensor(values, layout)

    return {name: place(values) for name, values in arrays.items()}


def share_work(num_devices: int) -> None:
    """Let what is built from now on live on several devices, each with a part of every batch.

    Raises:
        ValueError: there are not as many.
    """
    there = keras.distribution.list_devices()
    if len(there) < num_devices:
        raise ValueError(f"{num_devices} devices are asked for. Received: {len(there)} are here.")
    parallel = keras.distribution.DataParallel(devices=there[:num_devices])
    keras.distribution.set_distribution(parallel)


def _create_weights(model: Any, batch: Batch) -> None:
    """Create the weights, where no call has yet, by a call that computes nothing."""
    if not model.trainable_variables:
        with keras.StatelessScope():
            jax.eval_shape(model, dict(batch.features))


def compile_with_weights(model: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of arrays that uses a model's weights and changes none."""
    variables = list(model.variables)

    @jax.jit  # type: ignore[untyped-decorator]
    def pure(values: Any, *inputs: Any) -> Any:
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            return function(*inputs)

    return lambda *inputs: pure([variable.value for variable in variables], *inputs)


def fix_operations() -> None:
    """Do nothing: XLA's operations give the same on every run of one program on a processor."""


def keep_float32() -> None:
    """Multiply float32 as float32, where by default a GPU rounds it to TF32, a TPU to bfloat16."""
    jax.config.update("jax_default_matmul_precision", "float32")


def devices() -> list[str]:
    """Name the devices by what they are: "NVIDIA H200", "cpu"."""
    return [device.device_kind for device in jax.devices()]


def allocator() -> Allocator:
    """Return what tells of the first accelerator's memory.

    Raises:
        RuntimeError: the device does not tell.
    """
    device = jax.local_devices()[0]
    if not device.memory_stats():
        raise RuntimeError(f"JAX's device {device} does not tell its memory")
    return Allocator(
        in_use=lambda: int(device.memory_stats()["bytes_in_use"]),
        peak=lambda: int(device.memory_stats()["peak_bytes_in_use"]),
        reset=None,
        method="peak of JAX's allocator since the process began, above the baseline: it cannot "
        "begin anew, so what compiling tried is in it",
    )
