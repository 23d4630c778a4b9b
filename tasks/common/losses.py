"""Losses that several tasks share."""

from __future__ import annotations

from typing import Any

from keras import ops


def smoothed_cross_entropy(labels: Any, logits: Any, smoothing: float) -> Any:
    """Give -log p of each label, a share of whose certainty is spread over all classes.

    In: ids (…) and logits (…, classes); out: (…). Label smoothing is that of Szegedy et al. 2016,
    "Rethinking the Inception Architecture", section 7.
    """
    num_classes = logits.shape[-1]
    spread = ops.one_hot(labels, num_classes, dtype=logits.dtype)
    spread = spread * (1 - smoothing) + smoothing / num_classes
    return ops.categorical_crossentropy(spread, logits, from_logits=True)
