"""The last position that a decoding state, or a table of positions, can hold."""

from __future__ import annotations

from typing import Any

from baselines.layers.backends import backend_functions


def require_places(states: Any, position: Any, count: int, num_places: int) -> Any:
    """Return states of `count` positions from `position` on, all of which must have a place.

    A compiled loop does not know the position and cannot raise a ValueError. There, states past the
    end are NaN, on every backend. TensorFlow without XLA raises an InvalidArgumentError.

    Raises:
        ValueError: the last position is not below `num_places`.
    """
    functions, end = backend_functions(), position + count
    known = functions.known_number(end)
    if known is None:
        return functions.nan_unless(
            end <= num_places, states, f"A position is not below {num_places}."
        )
    if known > num_places:
        raise ValueError(
            f"There are places for {num_places} positions. Received: positions up to {known - 1}. "
            "Start from a state, or build a model, for more positions."
        )
    return states
