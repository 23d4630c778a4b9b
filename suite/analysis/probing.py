"""Probes that a search runs on the way, one sequence length at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from suite.api import Limits
from suite.execution.preparation import Prepared, check_any_can_run, prepare
from suite.matrix.request import Request
from suite.records.schema import Record
from suite.records.store import Store

RunPlan = Callable[[Prepared], list[Record]]
"""Runs a plan and returns the records of its cells, as `Session.run` does."""


@dataclass(frozen=True, slots=True)
class Prober:
    """Probes the architectures of a request; probes that are done are only read."""

    request: Request
    store: Store
    run: RunPlan
    limits: Limits | None = None

    def probe(self, length: int, architectures: Sequence[str]) -> list[Record]:
        """Return the records of a length, in the order of the rounds."""
        request = replace(self.request, lengths=(length,), architectures=tuple(architectures))
        prepared = prepare(request, self.store, limits=self.limits)
        check_any_can_run(prepared)
        return sorted(self.run(prepared), key=lambda record: record.cell.round)
