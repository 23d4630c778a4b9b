"""What `bench crossover` and `bench frontier` share: cells run on the way, as by `bench run`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from suite.analysis.aggregate import PHASES
from suite.api import Limits, Status
from suite.api.errors import RequestError, unknown_name
from suite.cli.sessions import run_with_display
from suite.execution.preparation import check_any_can_run, prepare
from suite.execution.session import Session
from suite.matrix.request import Request
from suite.records.schema import Record

COMMON = (
    "tokens_per_second",
    "padded_tokens_per_second",
    "step_seconds",
    "compile_seconds",
    "peak_memory_bytes",
    "compile_peak_memory_bytes",
    "model_flops_utilization",
    "other_process_cpu_share",
    "energy_joules_per_token",
)
"""What a probe measures of both phases."""
MEASURES = (
    *(f"{phase}.{name}" for phase in PHASES for name in COMMON),
    *(f"inference.latency_{which}_seconds" for which in ("p50", "p95", "p99")),
)


@dataclass(frozen=True, slots=True)
class Prober:
    """Runs a request's probes at one length at a time; what is done already is only read."""

    request: Request
    session: Session
    limits: Limits | None = None

    def probe(self, length: int, architectures: Sequence[str]) -> list[Record]:
        """Return the records of a length, in the order of the rounds."""
        request = replace(self.request, lengths=(length,), architectures=tuple(architectures))
        prepared = prepare(request, self.session.store, limits=self.limits)
        check_any_can_run(prepared)
        records = run_with_display(self.session, prepared, sys.stderr)
        return sorted(records, key=lambda record: record.cell.round)


def figures(records: Sequence[Record], architecture: str, phase: str, name: str) -> list[float]:
    """Return one architecture's figures, round by round.

    Raises:
        RequestError: a cell did not end well, or its record lacks the measure.
    """
    found = []
    for record in records:
        if record.cell.architecture != architecture:
            continue
        value = record.measured(phase, name)
        if record.status is not Status.OK or value is None:
            known = sorted(record.measurements.get(phase, {}))
            raise RequestError(
                f"{record.cell.label} has no {phase}.{name}",
                received=record.reason or f"the measures {', '.join(known)}",
                remedy="Name another measure, or lengths at which both architectures can run",
            )
        found.append(value)
    return found


def split_measure(text: str) -> tuple[str, str]:
    """Split `training.tokens_per_second`.

    Raises:
        RequestError: probes measure nothing of that name.
    """
    if text not in MEASURES:
        raise unknown_name("measure", text, MEASURES)
    phase, _, name = text.partition(".")
    return phase, name
