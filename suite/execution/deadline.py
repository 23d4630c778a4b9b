"""The deadline of a run: the moment by which all of its cells have to end."""

from __future__ import annotations

import time
from dataclasses import dataclass

from suite.api import Cell, Limits
from suite.matrix.durations import Durations

MARGIN = 1.2
"""A cell may take this many times its expected time before a deadline."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment, on the monotonic clock, by which all cells of a run have to end."""

    at: float
    durations: Durations

    def allows(self, cell: Cell, limits: Limits) -> bool:
        """Return whether a cell that starts now ends in time.

        The expected time counts with a margin. The time limit bounds a cell of unknown duration.
        """
        expected = self.durations.expected_seconds(cell)
        seconds = limits.seconds if expected is None else min(MARGIN * expected, limits.seconds)
        return time.monotonic() + seconds <= self.at
