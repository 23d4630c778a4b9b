"""Ids hidden in training: what is learned must not hang on single words."""

from __future__ import annotations

from typing import Any

import numpy as np


def draw_hidden(real: Any, share: float, generator: np.random.Generator, span: int = 1) -> Any:
    """Choose a random share of the real positions, `span` by `span`: (batch, n) in and out."""
    batch, length = real.shape
    chosen = generator.random((batch, -(-length // span))) < share
    return np.repeat(chosen, span, axis=1)[:, :length] & real


def hide(ids: Any, hidden: Any, unknown: int) -> Any:
    """Replace all ids of hidden positions, (batch, n) or (batch, n, ids), by the unknown one."""
    everywhere = hidden.reshape(*hidden.shape, *[1] * (ids.ndim - hidden.ndim))
    return np.where(everywhere, unknown, ids).astype(ids.dtype)
