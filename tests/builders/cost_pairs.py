"""Records of the costs of two entries."""

from __future__ import annotations

from suite.records.measures import COSTS
from tests.builders.costs import cost

SPEED, SERVING, MEMORY, _ = COSTS


DRIFT = (1.0, 1.4, 0.8)
"""The machine's drift over three rounds, which both entries of a round see."""


def measured(entry, speed, memory, session=1, noise=(1.0, 1.01, 0.99), **fields):
    """Return three rounds of an entry; serving is twice as fast as training."""
    return [
        cost(
            entry, 0.0, session, round=number,
            measures={
                SPEED: speed * drift * factor,
                SERVING: 2 * speed * drift,
                MEMORY: memory,
                "inference.peak_memory_bytes": memory / 4,
            },
            **fields,
        )
        for number, (drift, factor) in enumerate(zip(DRIFT, noise, strict=True))
    ]  # fmt: skip
