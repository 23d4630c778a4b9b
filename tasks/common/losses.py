"""Losses that several tasks share."""

from __future__ import annotations

from typing import Any

from keras import ops


def smoothed_cross_entropy(labels: Any, logits: Any, smoothing: float) -> Any:
    """Return the cross-entropy of each label, with label smoothing.

    Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision", section 7.
    Input: label ids (…) and logits (…, classes). Output: (…).
    """
    num_classes = logits.shape[-1]
    targets = ops.one_hot(labels, num_classes, dtype=logits.dtype)
    targets = targets * (1 - smoothing) + smoothing / num_classes
    return ops.categorical_crossentropy(targets, logits, from_logits=True)


def mean_where(mask: Any, losses: Any) -> Any:
    """Return the mean of losses where a mask of their shape is True, or 0 if it is True nowhere.

    Losses elsewhere change nothing, even if they are not finite.
    """
    count = ops.sum(ops.cast(mask, losses.dtype))
    return ops.sum(ops.where(mask, losses, 0.0)) / ops.maximum(count, 1.0)
