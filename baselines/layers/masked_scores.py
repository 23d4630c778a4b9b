"""Scores of attention in which masked keys get no weight, for any values of the other scores."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

LEAST = {
    "float16": float(np.finfo("float16").min),
    "bfloat16": -(2.0 - 2.0**-7) * 2.0**127,
    "float32": float(np.finfo("float32").min),
    "float64": float(np.finfo("float64").min),
}
"""The least finite number of each type: the score of a masked key. NumPy knows no bfloat16."""


def least_score(scores: Any) -> float:
    """Return the least finite number of the type of some scores."""
    return LEAST[keras.backend.standardize_dtype(scores.dtype)]


def mask_scores(scores: Any, visible: Any) -> Any:
    """Return scores with the least number of their type where `visible` is False.

    None means that all keys are visible. A softmax then gives masked keys the weight 0 exactly. If
    all keys of a row are masked, they have equal weights, which are finite.
    """
    return scores if visible is None else ops.where(visible, scores, least_score(scores))


def softmax(scores: Any) -> Any:
    """Return the softmax over the last axis.

    The sum of more than 65,504 equal weights exceeds float16, so larger numbers of scores use
    float32.
    """
    count, dtype = scores.shape[-1], keras.backend.standardize_dtype(scores.dtype)
    if dtype != "float16" or (count is not None and count <= -LEAST[dtype]):
        return ops.softmax(scores, axis=-1)
    return ops.cast(ops.softmax(ops.cast(scores, "float32"), axis=-1), dtype)
