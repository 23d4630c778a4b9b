"""Helpers of the methods that add a loss over classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suite.api import MethodRequest, task_options


def unclassed_reason(request: MethodRequest) -> str | None:
    """Return why a task scores no classes, or None."""
    reason: str | None = request.task.unclassed_reason(
        task_options(request.task, request.cell.options)
    )
    return reason


def mean_over_positions(losses: Any, features: Mapping[str, Any], scored: Any = None) -> Any:
    """Return the mean of (batch, n) losses over the real positions, or the scored ones of these."""
    from keras import ops

    mask = features["target_mask"] if "target_mask" in features else features["padding_mask"]
    if scored is not None:
        mask = ops.logical_and(mask, scored)
    count = ops.sum(ops.cast(mask, losses.dtype))
    return ops.sum(ops.where(mask, losses, 0.0)) / ops.maximum(count, 1.0)
