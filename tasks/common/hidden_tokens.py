"""Word dropout: ids of random positions are replaced in training."""

from __future__ import annotations

from typing import Any

import numpy as np


def draw_hidden(
    padding_mask: Any, share: float, generator: np.random.Generator, span: int = 1
) -> Any:
    """Draw a random share of the real positions, in runs of `span`: (batch, n) in and out."""
    batch, length = padding_mask.shape
    drawn = generator.random((batch, -(-length // span))) < share
    return np.repeat(drawn, span, axis=1)[:, :length] & padding_mask


def replace_hidden(ids: Any, hidden: Any, unknown_id: int) -> Any:
    """Return the ids, (batch, n) or (batch, n, ids), with `unknown_id` at hidden positions."""
    hidden = hidden.reshape(*hidden.shape, *[1] * (ids.ndim - hidden.ndim))
    return np.where(hidden, unknown_id, ids).astype(ids.dtype)
