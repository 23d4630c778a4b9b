"""Steps on PyTorch, in eager mode."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import torch
from keras import ops
from torch.optim.adamw import adamw

from suite.worker.data.batches import Batch, Features
from suite.worker.measure.memory import Allocator
from suite.worker.perturbation import Compute

KEEPS_FREED_MEMORY = True


class AdamW(keras.optimizers.AdamW):
    """AdamW by PyTorch's fused kernel, equal to Keras's AdamW up to rounding.

    The kernel passes over a weight once, Keras's AdamW about ten times.
    """

    def _apply_weight_decay(self, variables: Any) -> None:
        """Do nothing: the kernel applies the decay with its learning rate."""

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _backend_update_step(
        self, grads: Any, trainable_variables: Any, learning_rate: Any
    ) -> None:
        steps = int(self.iterations.value)
        given = list(zip(trainable_variables, grads, strict=True))
        for decays in (True, False):
            chosen = [pair for pair in given if self._use_weight_decay(pair[0]) == decays]
            if not chosen:
                continue
            counts = torch.full((len(chosen),), float(steps), device=chosen[0][1].device)
            indices = [self._get_variable_index(variable) for variable, _ in chosen]
            adamw(
                [variable.value for variable, _ in chosen],
                [gradient for _, gradient in chosen],
                [self._momentums[index].value for index in indices],
                [self._velocities[index].value for index in indices],
                [],
                list(counts.unbind()),
                fused=True,
                amsgrad=False,
                beta1=self.beta_1,
                beta2=self.beta_2,
                lr=float(learning_rate),
                weight_decay=self.weight_decay if decays else 0.0,
                # The kernel adds ε to the corrected root, Keras to the root before.
                eps=self.epsilon / math.sqrt(1 - self.beta_2 ** (steps + 1)),
                maximize=False,
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

    def step(batch: Batch) -> Any:
        value = minimized(_tensors(batch.features), _tensors(batch.targets))
        optimizer.scale_loss(value).backward()
        variables = model.trainable_weights
        weights = [variable.value for variable in variables]
        with torch.no_grad():
            optimizer.apply([weight.grad for weight in weights], variables)
        # The model's zero_grad does not serve: in mixed precision it knows only cast copies of the
        # weights of layers built within a call, so the weights' own gradients would accumulate.
        for weight in weights:
            weight.grad = None
        return value.detach()

    return step


def value_and_gradient(function: Callable[[Any], Any], tensor: Any) -> tuple[Any, Any]:
    with torch.enable_grad():
        tensor = tensor.detach().requires_grad_()
        value = function(tensor)
        # The update differentiates the value too.
        (gradient,) = torch.autograd.grad(value, tensor, retain_graph=True)
    return value, gradient


def make_prediction_step(
    model: Any, predict: Callable[[Any, Features, Features], Any], xla: bool
) -> Callable[[Batch], Any]:
    def step(batch: Batch) -> Any:
        with torch.no_grad():  # inference_mode would create weights that cannot be trained
            features, targets = _tensors(batch.features), _tensors(batch.targets)
            outputs = model(features, training=False)
            return ops.convert_to_numpy(predict(outputs, targets, features))

    return step


def _tensors(arrays: Features) -> dict[str, Any]:
    return {name: ops.convert_to_tensor(values) for name, values in arrays.items()}


def compile_with_weights(
    model: Any, function: Callable[..., Any], xla: bool = False
) -> Callable[..., Any]:
    """Return a function of tensors that reads a model's weights, without gradients."""

    def run(*inputs: Any) -> Any:
        with torch.no_grad():
            return function(*inputs)

    return run


class HeldState:
    """A state in tensors that eager operations change in place, without gradients."""

    def __init__(self, model: Any, xla: bool) -> None:
        self._state: Any = None

    def replace(self, state: Any) -> None:
        self._state = state

    def arrays(self) -> list[Any]:
        return list(keras.tree.flatten(self._state))

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*inputs: Any) -> Any:
            with torch.no_grad():
                result, self._state = function(self._state, *inputs)
            return result

        return step


def prepare_processor() -> None:
    """Make every operation repeatable."""
    torch.use_deterministic_algorithms(True)
    # Deterministic algorithms fill new tensors with NaN by default, which only costs time.
    torch.utils.deterministic.fill_uninitialized_memory = False


def multiply_float32(*, in_tensorfloat32: bool) -> None:
    """Multiply float32 in full precision, or in TF32.

    The default of PyTorch on a GPU is TF32 in convolutions alone.
    """
    precision = "tf32" if in_tensorfloat32 else "ieee"
    torch.backends.cuda.matmul.fp32_precision = precision
    torch.backends.cudnn.conv.fp32_precision = precision


def devices() -> list[str]:
    """Return the names of the GPUs, or "CPU" without any."""
    if torch.cuda.is_available():
        return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return ["CPU"]


def allocator() -> Allocator:
    """Return the memory counters of the first accelerator."""
    return Allocator(
        in_use=torch.cuda.memory_allocated,
        peak=torch.cuda.max_memory_allocated,
        reset=torch.cuda.reset_peak_memory_stats,
        method="peak of PyTorch's allocator on the first device, above the baseline",
    )
