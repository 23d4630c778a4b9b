"""Length limits: the longest sequence that each architecture affords on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from suite.analysis.bisection import MOST_BISECTIONS, TOLERANCE, doubled, find_frontier
from suite.api import Limits, RequestError, Status
from suite.api.errors import check_name
from suite.execution.preparation import Prepared, check_any_can_run, make_limits, prepare
from suite.execution.processor_load import describe_load, disturbing_cores
from suite.matrix.durations import durations_here
from suite.matrix.request import Request
from suite.records.environment import has_accelerator, total_memory_bytes
from suite.records.measures import DECODING_PHASES, PHASES
from suite.records.naming import cell_label
from suite.records.schema import Record
from suite.records.store import Store
from suite.search.probing import Prober, RunPlan, check_one_setting, request_measuring

ALL_PHASES = (*PHASES, *DECODING_PHASES)
SHORTEST = 128
"""The length at which a search starts."""
LONGEST = 2**20
"""The default length at which a search ends."""
FRAMEWORK_BYTES = 3 * 2**30
"""The memory that a process may hold besides the model: libraries, and the compiler for a while."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that a step may take: bytes at the peak, seconds, or both."""

    memory_bytes: int | None = None
    step_seconds: float | None = None
    phase: str = "training"

    def check(self) -> None:
        """Raise a RequestError for an unknown phase, no limit, or more memory than this machine."""
        check_name("phase", self.phase, ALL_PHASES)
        if self.memory_bytes is None and self.step_seconds is None:
            raise RequestError(
                "A frontier needs a budget", remedy="Give --memory 8GiB, --step-seconds 2, or both"
            )
        if self.memory_bytes and not has_accelerator() and self.memory_bytes > total_memory_bytes():
            raise RequestError(
                "The budget is more than this machine's memory",
                received=f"{self.memory_bytes / 2**30:g}GiB, where there are "
                f"{total_memory_bytes() / 2**30:.1f} GiB",
            )

    def limits(self, benchmark: str) -> Limits:
        """Return limits that stop a cell which cannot fit.

        The watched memory is that of the whole process, the compiler's too. On an accelerator the
        budget is of the device's memory, which the allocator bounds, and not of the process's.
        """
        limits = make_limits(benchmark)
        if self.memory_bytes and not has_accelerator():
            bound = min(limits.memory_bytes, self.memory_bytes + FRAMEWORK_BYTES)
            limits = replace(limits, memory_bytes=bound)
        return limits

    def affords(self, record: Record) -> bool:
        """Return whether a probe kept within the budget.

        Raises:
            ProbeFailed: the probe failed for another reason.
            RequestError: this machine does not measure what the budget limits.
        """
        if record.status in (Status.OUT_OF_MEMORY, Status.TIMED_OUT, Status.SKIPPED):
            return False
        if record.status is not Status.OK:
            raise ProbeFailed(
                f"{cell_label(record.cell, record.ranking)} {record.status}: {record.reason}"
            )
        within = []
        limits = {"peak_memory_bytes": self.memory_bytes, "step_seconds": self.step_seconds}
        for name, limit in limits.items():
            if limit is not None:
                value = record.measured(self.phase, name)
                if value is None and name == "peak_memory_bytes":
                    value = _bound_of_peak(record, self.phase, limit)
                if value is None:
                    raise RequestError(f"This machine does not measure {self.phase}.{name}")
                within.append(value <= limit)
        return all(within)


class ProbeFailed(Exception):
    """A probe failed in a way that does not show what fits."""


def _bound_of_peak(record: Record, phase: str, limit: float) -> float | None:
    """Return the highest peak of the other phases, if a phase is hidden by one of them."""
    peaks = (record.measured(other, "peak_memory_bytes") for other in record.measurements)
    bound = max(filter(None, peaks), default=None)
    if bound is not None and bound > limit:
        raise ProbeFailed(
            f"{cell_label(record.cell, record.ranking)}: the peak of {phase} is hidden by a higher "
            "one before it, which this device cannot reset"
        )
    return bound


@dataclass(frozen=True, slots=True)
class LengthLimit:
    """The longest length that an entry affords.

    If the first length does not fit, `taken` has its costs. `beyond` is the shortest length found
    that does not fit; None where the search met its end. `unsupported` or `failed` says why there
    is no answer.
    """

    entry: str
    longest: int | None = None
    beyond: int | None = None
    taken: dict[str, float | None] | None = None
    unsupported: str | None = None
    failed: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the limit as `bench frontier --json` prints it."""
        if self.unsupported:
            return {"unsupported": self.unsupported}
        if self.failed:
            return {"failed": self.failed}
        limit: dict[str, Any] = {"longest": self.longest, "beyond": self.beyond}
        return {**limit, "taken": self.taken} if self.taken is not None else limit

    def __str__(self) -> str:
        if self.unsupported:
            return f"unsupported: {self.unsupported}"
        if self.failed:
            return self.failed
        if self.longest is None:
            taken = self.taken or {}
            memory, step = taken.get("peak_memory_bytes"), taken.get("step_seconds")
            takes = [] if memory is None else [f"{memory / 2**20:,.0f} MiB"]
            takes += [] if step is None else [f"{step:.3g} s a step"]
            return f"not even {SHORTEST}" + (f", which takes {', '.join(takes)}" if takes else "")
        if self.beyond is None:
            return f"{self.longest:,} or more: the search ended there"
        return f"{self.longest:,} ({self.beyond:,} does not fit)"


def find_length_limits(
    request: Request,
    store: Store,
    run: RunPlan,
    budget: Budget,
    up_to: int = LONGEST,
    report: Callable[[str], None] = lambda text: None,
) -> Iterator[LengthLimit]:
    """Yield the length limit of each entry of a request.

    Each length is a probe in a fresh process, which is stopped where it exceeds the budget. Lengths
    double, then halve between the last that fits and the first that does not, to within 5%. A batch
    holds one sequence unless the request says otherwise. `report` shows, before the first probe,
    what the search does and how long it may take.

    Raises:
        RequestError: the budget or the request is invalid, or the benchmark lists probes of several
            forms and the request chooses none.
    """
    budget.check()
    if up_to < SHORTEST:
        raise RequestError(f"The search starts at {SHORTEST}", received=f"--up-to {up_to}")
    if request.lengths or request.tasks:
        raise RequestError("A frontier search chooses the lengths and takes no task and no lengths")
    request = replace(
        request_measuring(budget.phase, request),
        rounds=request.rounds or 1,
        batch_size=request.batch_size or 1,
    )
    store.prepare()
    prepared = prepare(replace(request, lengths=(SHORTEST,), rounds=1), store)
    check_one_setting("A frontier", (planned.cell for planned in prepared.plan.cells))
    check_any_can_run(prepared)
    limits = budget.limits(request.benchmark)
    report(_statement(prepared, store, limits, up_to))
    if budget.step_seconds is not None and (cores := disturbing_cores(request.threads)):
        report(f"Warning: {describe_load(cores)}. Steps take longer, and the limits are too short.")
    prober = Prober(request, store, run, limits)
    return (
        LengthLimit(planned.ranking.entry, unsupported=planned.unsupported)
        if planned.unsupported
        else _search(prober, planned.ranking.entry, budget, up_to)
        for planned in prepared.plan.cells
    )


def _statement(prepared: Prepared, store: Store, limits: Limits, up_to: int) -> str:
    """Return what a search does, the most probes of it, and how long these may take."""
    cells = [planned.cell for planned in prepared.plan.cells if not planned.unsupported]
    lengths = doubled(SHORTEST, up_to)
    probed = [replace(cell, sequence_length=length) for cell in cells for length in lengths]
    most = len(lengths) + (MOST_BISECTIONS if len(lengths) > 1 else 0)
    probes = f"{most} probe{'s' if most > 1 else ''}"
    entries = "1 entry" if len(cells) == 1 else f"{len(cells)} entries, one after another"
    return (
        f"{entries}. Lengths double from {SHORTEST} until one does "
        f"not fit or {up_to:,} is reached; further probes find the limit to within "
        f"{TOLERANCE - 1:.0%}. At most {probes} an entry, of at most {limits.seconds:,.0f} s each. "
        f"All doubled lengths together take {durations_here(store).expected(probed)}. "
        "A smaller --up-to ends earlier; the same command continues after an interruption."
    )


def _search(prober: Prober, entry: str, budget: Budget, up_to: int) -> LengthLimit:
    try:
        longest, beyond = find_frontier(
            lambda length: all(map(budget.affords, prober.probe(length, (entry,)))), SHORTEST, up_to
        )
        taken = None
        if longest is None:
            taken = _taken(prober.probe(SHORTEST, (entry,)), budget.phase)
    except ProbeFailed as failure:
        return LengthLimit(entry, failed=str(failure))
    return LengthLimit(entry, longest, beyond, taken)


def _taken(records: Sequence[Record], phase: str) -> dict[str, float | None]:
    def most(name: str) -> float | None:
        values = (record.measured(phase, name) for record in records)
        return max((value for value in values if value is not None), default=None)

    return {name: most(name) for name in ("peak_memory_bytes", "step_seconds")}
