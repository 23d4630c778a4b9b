"""An additive perturbation of a model's embedded inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from suite.api import PERTURBATION
from suite.worker.data.batches import Features

Compute = Callable[[Features, Features], Any]
"""A function of features and targets that calls a model and returns its loss."""


def perturbed(embedded: Any, perturbation: Any, padding_mask: Any) -> Any:
    """Return embedded inputs (batch, n, width) plus a perturbation of the same shape.

    Its unit is the standard deviation of the embedded inputs of each example, over the real
    positions and the width. No gradient flows through that deviation.
    """
    real = ops.cast(padding_mask, "float32")[:, :, None]
    values = ops.where(padding_mask[:, :, None], ops.cast(embedded, "float32"), 0.0)
    count = ops.sum(real, axis=(1, 2), keepdims=True) * values.shape[-1]
    mean = ops.sum(values, axis=(1, 2), keepdims=True) / count
    variance = ops.sum(ops.square(values - mean) * real, axis=(1, 2), keepdims=True) / count
    deviation = ops.stop_gradient(ops.sqrt(variance))
    return embedded + ops.cast(perturbation * deviation * real, embedded.dtype)


def at_zero(
    model: Any, compute: Compute, value_and_gradient: Callable[..., tuple[Any, Any]]
) -> Compute:
    """Return a function that returns the loss of a batch and its gradient at the perturbation 0."""

    def measure(features: Features, targets: Features) -> Any:
        def disturbed(perturbation: Any) -> Any:
            return compute({**features, PERTURBATION: perturbation}, targets)

        none = ops.zeros(model.embed(features).shape, "float32")
        return value_and_gradient(disturbed, none)

    return measure
