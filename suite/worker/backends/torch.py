"""Steps on PyTorch, eager."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import torch
from keras import ops

from suite.worker.data.batches import Batch
from suite.worker.measure.timing import Allocator

Features = Mapping[str, Any]
AdamW = keras.optimizers.AdamW


def make_training_step(
    model: Any, loss: Callable[[Any, Features, Features], Any], optimizer: Any, xla: bool
) -> Callable[[Batch], Any]:
    """Return one update; calling it returns the loss as a tensor on the device."""

    def step(batch: Batch) -> Any:
        features, targets = _tensors(batch.features), _tensors(batch.targets)
        value = loss(model(features, training=True), targets, features)
        optimizer.scale_loss(value).backward()
        variables = model.trainable_weights
        weights = [variable.value for variable in variables]
        with torch.no_grad():
            optimizer.apply([weight.grad for weight in weights], variables)
        # Not by the model's zero_grad: of layers built within a call in mixed precision it knows
        # cast copies of the weights, and the weights' own gradients would add up step by step.
        for weight in weights:
            weight.grad = None
        return value.detach()

    return step


def make_prediction_step(
    model: Any, predict: Callable[[Any, Features, Features], Any], xla: bool
) -> Callable[[Batch], Any]:
    """Return inference; calling it returns the reduced outputs as a NumPy array."""

    def step(batch: Batch) -> Any:
        with torch.no_grad():  # weights created here must be trainable later
            features, targets = _tensors(batch.features), _tensors(batch.targets)
            outputs = model(features, training=False)
            return ops.convert_to_numpy(predict(outputs, targets, features))

    return step


def _tensors(arrays: Features) -> dict[str, Any]:
    return {name: ops.convert_to_tensor(values) for name, values in arrays.items()}


def compile_with_weights(model: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Run a function of tensors that uses a model's weights and changes none."""

    def run(*inputs: Any) -> Any:
        with torch.no_grad():
            return function(*inputs)

    return run


def fix_operations() -> None:
    """Let every operation give the same on every run."""
    torch.use_deterministic_algorithms(True)
    # New tensors are filled with NaN otherwise, which costs time and no number rests on.
    torch.utils.deterministic.fill_uninitialized_memory = False


def keep_float32() -> None:
    """Multiply float32 as float32, where by default a GPU rounds convolutions to TF32."""
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    torch.backends.cudnn.conv.fp32_precision = "ieee"


def devices() -> list[str]:
    """Name the devices."""
    if torch.cuda.is_available():
        return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return ["CPU"]


def allocator() -> Allocator:
    """Return what tells of the first accelerator's memory."""
    return Allocator(
        in_use=torch.cuda.memory_allocated,
        peak=torch.cuda.max_memory_allocated,
        reset=torch.cuda.reset_peak_memory_stats,
        method="peak of PyTorch's allocator on the first device, above the baseline",
    )
