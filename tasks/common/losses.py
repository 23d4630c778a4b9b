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
