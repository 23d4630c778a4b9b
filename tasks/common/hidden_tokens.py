"""Hidden tokens: their ids are replaced by the unknown one."""

from __future__ import annotations

from typing import Any

import numpy as np


def replace_hidden(ids: Any, hidden: Any, unknown_id: int) -> Any:
    """Return the ids, (batch, n) or (batch, n, ids), with `unknown_id` at hidden positions."""
    hidden = hidden.reshape(*hidden.shape, *[1] * (ids.ndim - hidden.ndim))
    return np.where(hidden, unknown_id, ids).astype(ids.dtype)
