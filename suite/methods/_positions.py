"""The mean of losses over the positions that a task scores, for methods that add a loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mean_over_positions(losses: Any, features: Mapping[str, Any], scored: Any = None) -> Any:
    """Return the mean of (batch, n) losses over the real positions, or the scored ones of these."""
    from keras import ops

    mask = features["target_mask"] if "target_mask" in features else features["padding_mask"]
    if scored is not None:
        mask = ops.logical_and(mask, scored)
    count = ops.sum(ops.cast(mask, losses.dtype))
    return ops.sum(ops.where(mask, losses, 0.0)) / ops.maximum(count, 1.0)
