"""Steps on TensorFlow: graphs with oneDNN kernels, or compiled by XLA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from suite.worker.data.batches import Batch, Features
from suite.worker.measure.memory import Allocator
from suite.worker.perturbation import Compute

KEEPS_FREED_MEMORY = False


class AdamW(keras.optimizers.AdamW):
    """AdamW by TensorFlow's fused kernel, equal to Keras's AdamW up to rounding.

    The kernel passes over a weight once. Keras's AdamW passes about ten times and takes a third of
    the compilation of a step.
    """

    def _apply_weight_decay(self, variables: Any) -> None:
        """Do nothing: the update step applies the decay with its learning rate."""

    def _backend_update_step(
        self, grads: Any, trainable_variables: Any, learning_rate: Any
    ) -> None:
        step = tf.cast(self.iterations.value + 1, "float32")
        powers = {"beta1_power": self.beta_1**step, "beta2_power": self.beta_2**step}
        for gradient, weight in zip(grads, trainable_variables, strict=True):
            index, variable = self._get_variable_index(weight), weight.value
            if self._use_weight_decay(variable):
                variable.assign_sub(variable * (learning_rate * self.weight_decay))
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=self._momentums[index].value.handle,
                v=self._velocities[index].value.handle,
                **powers,
                lr=learning_rate,
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=gradient,
            )


def make_training_step(
    model: Any,
    loss: Callable[[Any, Features, Features], Any],
    optimizer: Any,
    xla: bool,
    wrap: Callable[[Compute], Compute],
) -> Callable[[Batch], Any]:
    def compute(features: Features, targets: Features) -> Any:
        return loss(model(features, training=True), targets, features)

    minimized = wrap(compute)

    @tf.function(jit_compile=xla, autograph=False)  # type: ignore[untyped-decorator]
    def step(features: Features, targets: Features) -> Any:
        with tf.GradientTape() as tape:
            value = minimized(features, targets)
            scaled = optimizer.scale_loss(value)
        weights = model.trainable_variables
        # The sparse gradient of an embedding becomes dense once, not again at every use.
        gradients = [
            gradient if gradient is None else tf.convert_to_tensor(gradient)
            for gradient in tape.gradient(scaled, weights)
        ]
        optimizer.apply(gradients, weights)
        return value

    def run(batch: Batch) -> Any:
        if not optimizer.built:
            _create_weights(model, batch)
            optimizer.build(model.trainable_variables)
        return step(dict(batch.features), dict(batch.targets))

    return run


def value_and_gradient(function: Callable[[Any], Any], tensor: Any) -> tuple[Any, Any]:
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        value = function(tensor)
    return value, tape.gradient(value, tensor)


def make_prediction_step(
    model: Any, predict: Callable[[Any, Features, Features], Any], xla: bool
) -> Callable[[Batch], Any]:
    @tf.function(jit_compile=xla, autograph=False)  # type: ignore[untyped-decorator]
    def step(features: Features, targets: Features) -> Any:
        return predict(model(features, training=False), targets, features)

    def run(batch: Batch) -> Any:
        _create_weights(model, batch)
        return step(dict(batch.features), dict(batch.targets)).numpy()

    return run


def _create_weights(model: Any, batch: Batch) -> None:
    """Create the weights of a model that has none, by a pass that computes nothing.

    A compiled function that creates variables is traced twice, and each variable takes as long to
    initialize there as many operations.
    """
    if not model.built:
        shapes = {
            name: keras.KerasTensor(values.shape, str(values.dtype))
            for name, values in batch.features.items()
        }
        model(shapes, training=False)


def compile_with_weights(
    model: Any, function: Callable[..., Any], xla: bool = False
) -> Callable[..., Any]:
    compiled: Callable[..., Any] = tf.function(function, jit_compile=xla, autograph=False)
    return compiled


class HeldState:
    """A state in variables: XLA updates a variable in the memory that it has."""

    def __init__(self, model: Any, xla: bool) -> None:
        self._xla = xla
        self._structure: Any = None
        self._variables: list[Any] = []

    def replace(self, state: Any) -> None:
        tensors = keras.tree.flatten(state)
        if not self._variables:
            self._structure = keras.tree.map_structure(lambda tensor: 0, state)
            self._variables = [tf.Variable(tensor, trainable=False) for tensor in tensors]
        else:
            for variable, tensor in zip(self._variables, tensors, strict=True):
                variable.assign(tensor)

    def arrays(self) -> list[Any]:
        return self._variables

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @tf.function(jit_compile=self._xla, autograph=False)  # type: ignore[untyped-decorator]
        def step(*inputs: Any) -> Any:
            tensors = [variable.value() for variable in self._variables]
            state = keras.tree.pack_sequence_as(self._structure, tensors)
            result, state = function(state, *inputs)
            for variable, value in zip(self._variables, keras.tree.flatten(state), strict=True):
                variable.assign(value)
            return result

        compiled: Callable[..., Any] = step
        return compiled


def prepare_processor() -> None:
    """Make every operation repeatable."""
    tf.config.experimental.enable_op_determinism()


def multiply_float32(*, in_tensorfloat32: bool) -> None:
    """Multiply float32 in full precision, or in TF32, the default of TensorFlow on a GPU."""
    tf.config.experimental.enable_tensor_float_32_execution(in_tensorfloat32)


def devices() -> list[str]:
    """Return the names of the accelerators ("NVIDIA H200"), or "CPU" without any."""
    devices = tf.config.list_physical_devices()
    details = tf.config.experimental.get_device_details
    return [
        details(device).get("device_name", device.name)
        for device in devices
        if device.device_type != "CPU"
    ] or ["CPU"]


def allocator() -> Allocator:
    """Return the memory counters of the first accelerator."""
    name = next(
        device.name for device in tf.config.list_logical_devices() if "CPU" not in device.name
    )
    name = name.removeprefix("/device:")

    def counter(key: str) -> Callable[[], int]:
        return lambda: int(tf.config.experimental.get_memory_info(name)[key])

    return Allocator(
        in_use=counter("current"),
        peak=counter("peak"),
        reset=lambda: tf.config.experimental.reset_memory_stats(name),
        method=f"peak of TensorFlow's allocator on {name} once compiled, above the baseline",
    )
