"""Measures a model for its length card: probes and decodings at lengths within a budget.

Lengths quadruple from `SHORTEST` on, as far as the time, the memory and the model allow, because
long lengths say most about growth. Then come the lengths between, and further rounds. Each length
is a cell, and leaves a record: the same command continues where it was interrupted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from suite.analysis.cost_ratios import MIN_ROUNDS, cost_ratios
from suite.api import GENERATED_TOKENS, Limits, Mode, RequestError, Status
from suite.execution.preparation import check_any_can_run, make_limits, prepare
from suite.matrix.registry import Registry
from suite.matrix.request import Request
from suite.records.benchmarks import DECODING_BENCHMARK, DEFAULT_BENCHMARK
from suite.records.schema import Record
from suite.records.store import Store
from suite.search.frontier import Budget
from suite.search.probing import RunPlan
from suite.search.trials import TunedRate
from suite.search.tuning import tune

SHORTEST = 128
STEP = 4
"""The ratio of neighbouring lengths, before those between."""
ROUNDS = 3
PAIRED_ROUNDS, MOST_PAIRED_ROUNDS = MIN_ROUNDS, 50
"""The fewest and the most rounds in which two models are compared."""
PAIRED_SHARE = 0.75
"""The share of the time for the fewest rounds of two models; the rest is for further rounds."""
PRECISE = 0.03
"""No further rounds where all intervals of mean ratios end at most this part from their middle."""
OWN_SHARE = 0.5
"""The share of the time after which lengths between others wait for those of the references."""
FIRST_SECONDS = 20.0
"""The expected time of a first cell: importing the framework and compiling."""
FIRST_GROWTH = 0.5
"""The expected growth of a cell's time after one length: most of it is starting and compiling."""
LEAST_SECONDS = 300.0
"""The least limit of a cell: the budget is no reason to stop one that has started."""


@dataclass(frozen=True, slots=True)
class CardBudget:
    """The limits of a card: seconds in all, bytes at the peak, and the longest length."""

    seconds: float
    memory_bytes: int | None
    up_to: int

    def check(self) -> None:
        """Raise a RequestError if the budget allows no card here."""
        if self.up_to < SHORTEST:
            raise RequestError(f"A card starts at {SHORTEST}", received=f"--up-to {self.up_to}")
        if self.memory_bytes:
            Budget(self.memory_bytes).check()

    def limits(self, seconds: float) -> Limits:
        """Return the limits of a cell that may take as many seconds."""
        if self.memory_bytes:
            return replace(Budget(self.memory_bytes).limits(DEFAULT_BENCHMARK), seconds=seconds)
        return make_limits(DEFAULT_BENCHMARK, seconds)


@dataclass
class Subject:
    """A model that is measured: its request without lengths, and the modes that it supports.

    `longest` is the most positions of the model, if it has a limit. The rounds of its cells begin
    with `first_round`, so that a model can be compared with itself. `ended` has the length of each
    mode from which on the model or the memory does not suffice, and `first_ended` those of the
    first round of a comparison: a failure after a good round may be chance. `left_out` are the
    lengths that the time once left out: a later round may have them.
    """

    name: str
    request: Request
    modes: Sequence[Mode]
    longest: int | None = None
    first_round: int = 0
    records: dict[tuple[Mode, int, int], Record] = field(default_factory=dict)
    ended: dict[Mode, int] = field(default_factory=dict)
    first_ended: dict[Mode, int] = field(default_factory=dict)
    left_out: dict[Mode, list[int]] = field(default_factory=dict)

    @property
    def too_late(self) -> dict[Mode, int]:
        """The length of each mode that the time left out first, beyond the measured ones."""
        found = {}
        for mode, lengths in self.left_out.items():
            longest = max((each.cell.sequence_length for each in self.of(mode)), default=0)
            tried = {length for of, length, _ in self.records if of is mode}
            if beyond := [n for n in lengths if n > longest and n not in tried]:
                found[mode] = beyond[0]
        return found

    def lost_to(self, other: Subject) -> dict[Mode, int]:
        """The length of each mode that another model was measured at, and this one ends at."""
        return {
            mode: length
            for mode, length in self.first_ended.items()
            if length < other.first_ended.get(mode, math.inf) and (mode, length, 0) in other.records
        }

    def fitted(self, mode: Mode, length: int) -> int:
        """Return a length, or the longest context that leaves positions for generated tokens."""
        if mode is not Mode.DECODE or self.longest is None:
            return length
        return min(length, self.longest - GENERATED_TOKENS)

    def of(self, mode: Mode) -> list[Record]:
        """Return the records of a mode that ended well, the shortest first."""
        found = [self.records[key] for key in sorted(self.records) if key[0] is mode]
        return [record for record in found if record.status is Status.OK]


@dataclass
class CardMeasuring:
    """Measures a model and its references within a budget; `records` of a subject has the rest."""

    store: Store
    run: RunPlan
    budget: CardBudget
    search_path: Sequence[str] | None = None
    used: float = 0.0

    def measure(self, subject: Subject, references: Sequence[Subject] = ()) -> None:
        """Measure as many lengths and rounds as the budget allows.

        Raises:
            RequestError: the model fails at the shortest length, or does not fit in the memory.
        """
        share = OWN_SHARE if references else 1.0
        lengths = list(_ladder(self.budget, subject))
        for length in lengths:
            first = length == lengths[0]
            seconds = math.inf if first else self.budget.seconds
            for mode in subject.modes:
                self._measure(subject, mode, fitted := subject.fitted(mode, length), 0, seconds)
                if first:
                    self._check_first(subject, mode, fitted)
        between = [
            round(math.sqrt(first * last))
            for first, last in pairwise(lengths)
            if last / first > STEP / 2
        ]
        self._fill(subject, between[::-1], 0, share)
        for reference in references:
            for length in lengths:
                for mode in filter(subject.modes.__contains__, reference.modes):
                    fitted = subject.fitted(mode, length)
                    if self._is_measured(subject, mode, fitted):
                        self._measure(reference, mode, fitted, 0, self.budget.seconds)
        for number in range(1, ROUNDS):
            self._fill(subject, sorted({*lengths, *between}, reverse=True), number, 1.0)

    def compare(self, subject: Subject, other: Subject) -> None:
        """Measure two models in interleaved rounds, of which every second one begins with `other`.

        The fewest rounds at all lengths are expected to fit `PAIRED_SHARE` of the budget. Further
        rounds follow until the ratios are precise or the budget is used. Their number depends on
        the width of the intervals, and not on the ratios: it raises no false alarms.

        Raises:
            RequestError: a model fails at the shortest length, or does not fit in the memory.
        """
        modes = [mode for mode in subject.modes if mode in other.modes]
        end = min(subject.longest or self.budget.up_to, other.longest or self.budget.up_to)
        lengths = list(_ladder(replace(self.budget, up_to=min(end, self.budget.up_to)), subject))
        for length in lengths:
            first = length == lengths[0]
            seconds = math.inf if first else PAIRED_SHARE * self.budget.seconds / PAIRED_ROUNDS
            for mode in modes:
                fitted = min(each.fitted(mode, length) for each in (subject, other))
                self._measure_pair([subject, other], mode, fitted, 0, seconds)
                if first:
                    self._check_first(subject, mode, fitted)
                    self._check_first(other, mode, fitted)
        subject.first_ended, other.first_ended = dict(subject.ended), dict(other.ended)
        for number in range(1, MOST_PAIRED_ROUNDS):
            if number >= PAIRED_ROUNDS and _is_precise(subject, other):
                return
            pair = [subject, other] if number % 2 == 0 else [other, subject]
            count = len(subject.records)
            for mode, length, of_round in sorted(subject.records):
                if of_round == 0 and all(self._goes_on(each, mode, length) for each in pair):
                    self._measure_pair(pair, mode, length, number, self.budget.seconds)
            if len(subject.records) == count:
                return

    def _measure_pair(
        self, pair: Sequence[Subject], mode: Mode, length: int, number: int, seconds: float
    ) -> None:
        """Measure a round of two models; both again if their records are of two sessions."""
        key = mode, length, number
        for subject in pair:
            self._measure(subject, *key, seconds)
        records = [subject.records[key] for subject in pair if key in subject.records]
        if len({record.invocation.id for record in records}) > 1:
            for subject in pair:
                self._measure(subject, *key, math.inf, rerun=True)

    def _fill(self, subject: Subject, lengths: Sequence[int], number: int, share: float) -> None:
        for length in lengths:
            for mode in subject.modes:
                fitted = subject.fitted(mode, length)
                self._measure(subject, mode, fitted, number, share * self.budget.seconds)

    def _goes_on(self, subject: Subject, mode: Mode, length: int) -> bool:
        ended = subject.ended.get(mode, math.inf)
        return length < ended and self._is_measured(subject, mode, length)

    def _is_measured(self, subject: Subject, mode: Mode, length: int) -> bool:
        record = subject.records.get((mode, length, 0))
        return record is not None and record.status is Status.OK

    def _measure(
        self,
        subject: Subject,
        mode: Mode,
        length: int,
        number: int,
        seconds: float,
        *,
        rerun: bool = False,
    ) -> None:
        """Measure one cell, if it is expected to end before `seconds` of the budget are used."""
        is_done = (mode, length, number) in subject.records and not rerun
        if is_done or length >= subject.ended.get(mode, math.inf):
            return
        if self.used + _expected_seconds(subject.of(mode), length) > seconds:
            subject.left_out.setdefault(mode, []).append(length)
            return
        cell_round = subject.first_round + number
        benchmark = DECODING_BENCHMARK if mode is Mode.DECODE else DEFAULT_BENCHMARK
        request = replace(
            subject.request,
            mode=mode,
            benchmark=benchmark,
            lengths=(length,),
            rounds=cell_round + 1,
        )
        limits = self.budget.limits(max(self.budget.seconds - self.used, LEAST_SECONDS))
        prepared = prepare(
            request,
            self.store,
            limits=limits,
            tuning=None,
            search_path=self.search_path,
            retry=(Status.FAILED,),  # the reason may be gone: a package, or a full disk
            rerun=rerun,
        )
        # The plain entry comes before those that a benchmark lists.
        planned = next(item for item in prepared.plan.cells if item.cell.round == cell_round)
        prepared = replace(prepared, plan=replace(prepared.plan, cells=[planned]))
        if math.isinf(seconds):  # without this cell there is no card
            check_any_can_run(prepared)
        (record,) = self.run(prepared)
        subject.records[mode, length, number] = record
        self.used += _seconds_of(record)
        if record.status is not Status.OK or not self._affords(record):
            subject.ended[mode] = length

    def _affords(self, record: Record) -> bool:
        peaks = [
            value
            for phase in record.measurements
            if (value := record.measured(phase, "peak_memory_bytes")) is not None
        ]
        return self.budget.memory_bytes is None or max(peaks, default=0) <= self.budget.memory_bytes

    def _check_first(self, subject: Subject, mode: Mode, length: int) -> None:
        record = subject.records[mode, length, 0]
        if record.status is Status.OK and self._affords(record):
            return
        if record.status in (Status.OK, Status.OUT_OF_MEMORY):
            limit = self.budget.memory_bytes
            raise RequestError(
                f"The model {subject.name} does not fit in the memory at {length} tokens",
                received=f"--memory of {limit:,} bytes" if limit else f"{mode}: {record.reason}",
                remedy="Give more memory, or a smaller model",
            )
        raise RequestError(
            f"The model {subject.name} cannot be measured at {length} tokens",
            received=f"{mode}: {record.status}: {record.reason}",
        )


def _is_precise(subject: Subject, other: Subject) -> bool:
    means = [ratio for ratio in cost_ratios(subject.records, other.records) if not ratio.length]
    widths = [(ratio.high or math.inf) / (ratio.low or 1.0) for ratio in means]
    return max(widths, default=math.inf) <= (1 + PRECISE) / (1 - PRECISE)


def _ladder(budget: CardBudget, subject: Subject) -> Iterator[int]:
    """Yield lengths that quadruple, then the longest one of the budget or the model."""
    end = min(budget.up_to, subject.longest or budget.up_to)
    length = SHORTEST
    while length < end:
        yield length
        length *= STEP
    yield end


def _seconds_of(record: Record) -> float:
    """Return the time of a cell; a clock that was set back meanwhile makes it no less than 1 ms."""
    return max(1e-3, (record.ended_at - record.started_at).total_seconds())


def _expected_seconds(records: Sequence[Record], length: int) -> float:
    """Return the expected time of a cell, from the times of the same mode at other lengths."""
    seconds = {record.cell.sequence_length: _seconds_of(record) for record in records}
    if not seconds:
        return FIRST_SECONDS
    *before, last = sorted(seconds)
    if length <= last:
        return max(seconds[each] for each in seconds if each <= max(length, min(seconds)))
    power = FIRST_GROWTH
    if before:
        grown = math.log(seconds[last] / seconds[before[-1]]) / math.log(last / before[-1])
        power = min(2.0, max(0.0, grown) + 0.5)
    return float(seconds[last] * (length / last) ** power)


REACH = "reach"
"""The benchmark of effective lengths: its tasks, steps and learning rates are taken."""


def needs_of_reach(registry: Registry) -> tuple[int, int]:
    """Return the most symbols, and the most training positions, of the benchmark's tasks."""
    settings = registry.benchmarks.get(REACH).each_settings
    options = ({**registry.tasks.get(name).options, **part.options} for name, part in settings)
    symbols = max(int(each.get("vocabulary", 0)) for each in options)
    return symbols, max(length for _, part in settings for length in part.lengths)


def check_reach(
    request: Request, model_size: str, store: Store, search_path: Sequence[str]
) -> None:
    """Raise a RequestError if a model cannot be trained on any task of the benchmark."""
    training = _training(request, model_size)
    check_any_can_run(prepare(training, store, tuning=None, search_path=search_path))


def _training(request: Request, model_size: str) -> Request:
    return replace(
        request,
        mode=Mode.TRAIN,
        benchmark=REACH,
        model_size=model_size,
        form=None,
        batch_size=None,
    )


def measure_reach(
    request: Request,
    model_size: str,
    store: Store,
    run: RunPlan,
    search_path: Sequence[str],
    *,
    folder: Path,
    report: Callable[[str], None] = lambda text: None,
) -> tuple[list[TunedRate], list[Record]]:
    """Return the choices of the learning rate for a model, and its final runs.

    `request` names the model, its options and where it runs. The learning rate of each task of the
    benchmark is chosen on validation; `folder` gets the choices. A task without a chosen rate has
    no final run. Records that are there are only read.
    """
    training = _training(request, model_size)
    rates = tune(training, store, run, folder=folder, search_path=search_path, report=report)
    tasks = tuple(dict.fromkeys(rate.task for rate in rates if rate.learning_rate is not None))
    if not tasks:
        return rates, []
    final = replace(training, tasks=tasks, score_test=True)
    return rates, run(prepare(final, store, tuning=folder, search_path=search_path))
