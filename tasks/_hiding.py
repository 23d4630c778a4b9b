"""Ids hidden in training: what is learned must not hang on single words."""

from __future__ import annotations

from typing import Any

import numpy as np


def hide(ids: Any, real: Any, share: float, unknown: int, generator: np.random.Generator) -> Any:
    """Replace a random share of the real ids by the unknown one: (batch, n) in and out."""
    hidden = (generator.random(ids.shape) < share) & real
    return np.where(hidden, unknown, ids).astype(ids.dtype)
