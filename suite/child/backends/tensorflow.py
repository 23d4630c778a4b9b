"""Steps on TensorFlow: graphs, with oneDNN or XLA."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from suite.child.batches import Batch
from suite.child.measuring import Allocator

Features = Mapping[str, Any]


def make_training_step(
    model: Any, loss: Callable[[Any, Features, Features], Any], optimizer: Any, xla: bool
) -> Callable[[Batch], Any]:
    """Compile one update; calling it returns the loss as a tensor on the device."""

    @tf.function(jit_compile=xla, autograph=False)  # type: ignore[untyped-decorator]
    def step(features: Features, targets: Features) -> Any:
        with tf.GradientTape() as tape:
            value = loss(model(features, training=True), targets, features)
            scaled = optimizer.scale_loss(value)
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(scaled, weights), weights)
        return value

    return lambda batch: step(dict(batch.features), dict(batch.targets))


def make_prediction_step(
    model: Any, predict: Callable[[Any, Features, Features], Any], xla: bool
) -> Callable[[Batch], Any]:
    """Compile inference; calling it returns the reduced outputs as a NumPy array."""

    @tf.function(jit_compile=xla, autograph=False)  # type: ignore[untyped-decorator]
    def step(features: Features, targets: Features) -> Any:
        return predict(model(features, training=False), targets, features)

    return lambda batch: step(dict(batch.features), dict(batch.targets)).numpy()


def compile_with_weights(model: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of tensors that uses a model's weights and changes none."""
    compiled: Callable[..., Any] = tf.function(function, autograph=False)
    return compiled


def fix_operations() -> None:
    """Let every operation give the same on every run."""
    tf.config.experimental.enable_op_determinism()


def keep_float32() -> None:
    """Multiply float32 as float32, where by default a GPU rounds it to TF32."""
    tf.config.experimental.enable_tensor_float_32_execution(False)


def devices() -> list[str]:
    """Name the devices."""
    return [device.name for device in tf.config.list_logical_devices()]


def allocator() -> Allocator:
    """Return what tells of the first accelerator's memory."""
    name = next(
        device.name for device in tf.config.list_logical_devices() if "CPU" not in device.name
    )
    name = name.removeprefix("/device:")

    def told(what: str) -> Callable[[], int]:
        return lambda: int(tf.config.experimental.get_memory_info(name)[what])

    return Allocator(
        in_use=told("current"),
        peak=told("peak"),
        reset=lambda: tf.config.experimental.reset_memory_stats(name),
        method=f"peak of TensorFlow's allocator on {name} once compiled, above the baseline",
    )
