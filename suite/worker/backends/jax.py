"""Steps on JAX: pure functions of the weights, compiled by XLA."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import keras
import numpy as np

from suite.worker.data.batches import Batch, Features
from suite.worker.measure.memory import Allocator
from suite.worker.perturbation import Compute

AdamW = keras.optimizers.AdamW
KEEPS_FREED_MEMORY = True
WITHOUT_YNNPACK = {"xla_cpu_experimental_ynn_fusion_type": ""}  # no type of fusion


@cache
def _compiler_options() -> dict[str, Any]:
    """Return the options of the compiler that this version of JAX has."""
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda: 0, compiler_options=WITHOUT_YNNPACK)()
    except jax.errors.JaxRuntimeError as error:
        if "No such compile option" not in str(error):
            raise
        return {}
    return WITHOUT_YNNPACK


def compiled_by_xla(function: Callable[..., Any], donated: tuple[int, ...] = ()) -> Any:
    """Compile a pure function; the arrays of the `donated` arguments are reused for its results.

    On a processor, XLA calls the library YNNPACK for reductions and for products with what follows
    them. XLA's own kernels are faster and take less memory: a training step of Mamba-2 takes 1.9 s
    with them and 2.5 s with YNNPACK, and 1.4 GiB in place of 2.2 GiB (4,096 tokens, two cores).
    """
    return jax.jit(function, donate_argnums=donated, compiler_options=_compiler_options())


def make_update(
    model: Any,
    loss: Callable[[Any, Features, Features], Any],
    optimizer: Any,
    wrap: Callable[[Compute], Compute] = lambda compute: compute,
) -> Callable[..., Any]:
    """Return one update as a pure function of the states that `states_of` lists, and a batch.

    `wrap` gets the function of (features, targets) that calls the model and its loss; each call
    continues from the other state that the call before it left.
    """

    def update(
        weights: Any, others: Any, moments: Any, features: Features, targets: Features
    ) -> Any:
        def measure(weights: Any) -> Any:
            changed = others

            def compute(features: Features, targets: Features) -> Any:
                nonlocal changed
                outputs, changed = model.stateless_call(weights, changed, features, training=True)
                return loss(outputs, targets, features)

            value = wrap(compute)(features, targets)
            with keras.StatelessScope(list(zip(optimizer.variables, moments, strict=True))):
                return optimizer.scale_loss(value), (value, changed)

        (_, (value, changed)), gradients = jax.value_and_grad(measure, has_aux=True)(weights)
        weights, moments = optimizer.stateless_apply(moments, gradients, weights)
        return value, weights, changed, moments

    return update


def states_of(model: Any, optimizer: Any, batch: Batch) -> list[list[Any]]:
    """Create and list the variables of a step: weights, other state, the optimizer's."""
    _create_weights(model, batch)
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    return [model.trainable_variables, model.non_trainable_variables, optimizer.variables]


def value_and_gradient(function: Callable[[Any], Any], tensor: Any) -> tuple[Any, Any]:
    value, gradient = jax.value_and_grad(function)(tensor)
    return value, gradient


def make_training_step(
    model: Any,
    loss: Callable[[Any, Features, Features], Any],
    optimizer: Any,
    xla: bool,
    wrap: Callable[[Compute], Compute],
) -> Callable[[Batch], Any]:
    compiled = compiled_by_xla(make_update(model, loss, optimizer, wrap), donated=(0, 1, 2))
    groups: list[list[Any]] = []

    def step(batch: Batch) -> Any:
        if not groups:  # once, because Keras walks all layers to list them
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
    @compiled_by_xla  # type: ignore[untyped-decorator]
    def compiled(weights: Any, others: Any, features: Features, targets: Features) -> Any:
        outputs, changed = model.stateless_call(weights, others, features, training=False)
        return predict(outputs, targets, features), changed

    groups: list[list[Any]] = []

    def step(batch: Batch) -> np.ndarray:
        if not groups:
            _create_weights(model, batch)
            groups.extend([model.trainable_variables, model.non_trainable_variables])
        weights, others = ([variable.value for variable in group] for group in groups)
        arrays = _placed(batch.features), _placed(batch.targets)
        predictions, changed = compiled(weights, others, *arrays)
        if model.carries_state:
            for variable, new in zip(groups[1], changed, strict=True):
                variable.assign(new)
        return np.asarray(predictions)

    return step


def _placed(arrays: Features) -> dict[str, Any]:
    """Return a batch's arrays, split over the devices where several share the work.

    Every device computes all of a batch that is not divisible, such as a single example.
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
    """Distribute all models built from now on over several devices; each takes a part of a batch.

    Raises:
        ValueError: the machine has fewer devices.
    """
    available = keras.distribution.list_devices()
    if len(available) < num_devices:
        raise ValueError(
            f"The option `devices` exceeds the devices of this machine. Received: {num_devices}; "
            f"available: {len(available)}."
        )
    parallel = keras.distribution.DataParallel(devices=available[:num_devices])
    keras.distribution.set_distribution(parallel)


def _create_weights(model: Any, batch: Batch) -> None:
    """Create the weights by an abstract call, unless the model is built."""
    if not model.built:
        with keras.StatelessScope():
            jax.eval_shape(model, dict(batch.features))


def compile_with_weights(
    model: Any, function: Callable[..., Any], xla: bool = False
) -> Callable[..., Any]:
    variables = list(model.variables)

    @compiled_by_xla  # type: ignore[untyped-decorator]
    def pure(values: Any, *inputs: Any) -> Any:
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            return function(*inputs)

    return lambda *inputs: pure([variable.value for variable in variables], *inputs)


class HeldState:
    """A state in arrays that each call donates, so that XLA reuses their memory."""

    def __init__(self, model: Any, xla: bool) -> None:
        self._variables = list(model.variables)
        self._state: Any = None

    def replace(self, state: Any) -> None:
        self._state = state

    def arrays(self) -> list[Any]:
        return list(keras.tree.flatten(self._state))

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Compile `function(state, *inputs)` → `(result, state)` to a function of the inputs."""

        def pure(values: Any, state: Any, *inputs: Any) -> Any:
            with keras.StatelessScope(state_mapping=zip(self._variables, values, strict=True)):
                return function(state, *inputs)

        compiled = compiled_by_xla(pure, donated=(1,))

        def step(*inputs: Any) -> Any:
            values = [variable.value for variable in self._variables]
            result, self._state = compiled(values, self._state, *inputs)
            return result

        return step


def prepare_processor() -> None:
    """Do nothing: XLA's operations are repeatable already."""


def multiply_float32(*, in_tensorfloat32: bool) -> None:
    """Multiply float32 in full precision, or in TF32.

    The default of JAX is TF32 on a GPU and bfloat16 on a TPU.
    """
    precision = "tensorfloat32" if in_tensorfloat32 else "float32"
    jax.config.update("jax_default_matmul_precision", precision)


def devices() -> list[str]:
    """Return the kinds of the devices: "NVIDIA H200", "cpu"."""
    return [device.device_kind for device in jax.devices()]


def allocator() -> Allocator:
    """Return the memory counters of the first accelerator; raise a RuntimeError without any."""
    device = jax.local_devices()[0]
    if not device.memory_stats():
        raise RuntimeError(f"JAX has no memory counters for this device. Received: {device}")
    return Allocator(
        in_use=lambda: int(device.memory_stats()["bytes_in_use"]),
        peak=lambda: int(device.memory_stats()["peak_bytes_in_use"]),
        reset=None,
        method="peak of JAX's allocator since the process began, above the baseline; JAX cannot "
        "reset it, so it includes the compilation",
    )
