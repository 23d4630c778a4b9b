"""An entry at a length: the repeats in one comparison, and their figures."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from suite.analysis.estimates import (
    Estimate,
    Figure,
    mean_interval,
    pseudo_values,
    ratio_interval,
    share_of_examples,
)
from suite.analysis.ranking import Scores
from suite.analysis.sessions import (
    CostSession,
    Sessions,
    by_session,
    choose_session,
    cost_digest,
    counts,
    newest_digests,
    with_spread,
)
from suite.api import Metric, Mode, Status
from suite.records.measures import COUNTED, phase_of
from suite.records.published import StoredRecord
from suite.records.schema import PartReport, RecordSummary

UsedMachine = tuple[str, int]
"""A machine, by name, and the number of threads used on it."""


@dataclass(frozen=True)
class EntryAtLength:
    """The repeats of one entry at one length and batch size.

    `runs` holds the valid record of each repeat, `superseded` the others with the reason.
    `split` is the split that scores come from: "test", or "validation" if the test split is
    sealed; a probe has none. Costs are those of `session`; `sessions` holds the runs of all
    sessions that may count as costs.
    """

    name: str
    architecture: str
    sequence_length: int
    batch_size: int
    metric: Metric | None
    split: str
    runs: Sequence[StoredRecord]
    superseded: Sequence[tuple[StoredRecord, str]] = ()
    session: CostSession | None = None
    sessions: Sessions = field(default_factory=dict)

    @property
    def place(self) -> tuple[int, int]:
        """The length and the batch size, at which entries are compared."""
        return self.sequence_length, self.batch_size

    @cached_property
    def records(self) -> Sequence[RecordSummary]:
        """The valid records."""
        return [run.record for run in self.runs]

    @cached_property
    def good(self) -> Sequence[RecordSummary]:
        """The valid records that ended well."""
        return [record for record in self.records if record.status is Status.OK]

    @property
    def statuses(self) -> Mapping[str, int]:
        """How many valid records ended with each status."""
        return Counter(str(record.status) for record in self.records)

    @property
    def num_noisy(self) -> int:
        """How many records that ended well have a noisy phase."""
        return sum(not record.quiet for record in self.good)

    @property
    def has_tuned_rate(self) -> bool:
        """Whether every training ran with a learning rate that tuning chose."""
        return all(
            record.cell.mode is not Mode.TRAIN or record.ranking.tuning is not None
            for record in self.records
        )

    def of_runs(self, runs: Sequence[StoredRecord]) -> EntryAtLength:
        """Return an entry of these runs alone, whose costs are those of their own best session."""
        sessions = by_session(runs, newest_digests(run.record for run in runs))
        session = choose_session([sessions])
        return replace(self, runs=runs, superseded=(), session=session, sessions=sessions)

    @property
    def session_runs(self) -> Mapping[int, StoredRecord]:
        """The runs of the session that costs come from, by repeat."""
        return self.sessions.get(self.session, {}) if self.session else {}

    def costs(self, measure: str, session: CostSession | None = None) -> Mapping[int, float]:
        """Return by repeat the positive values of a measure such as "training.step_seconds".

        They are those of a session, by default of that whose costs are compared.
        """
        session = session or self.session
        return self._costs.get((session, measure), {}) if session else {}

    @cached_property
    def _costs(self) -> Mapping[tuple[CostSession, str], Mapping[int, float]]:
        """The positive values that count, by session and measure, then by repeat."""
        found: dict[tuple[CostSession, str], dict[int, float]] = {}
        for session, runs in self.sessions.items():
            for repeat, run in runs.items():
                for measure, value in run.record.costs().items():
                    if value > 0 and counts(run.record, phase_of(measure)):
                        found.setdefault((session, measure), {})[repeat] = value
        return found

    @cached_property
    def cost_digest(self) -> str | None:
        """The digest of the code whose costs count; None without a run of the session."""
        return next((cost_digest(run.record) for run in self.session_runs.values()), None)

    def like_sessions(self) -> Sequence[CostSession]:
        """Return the sessions on machines equal to that of `session`, itself included."""
        chosen = self.session
        return [one for one in self.sessions if chosen and one.is_on_machine_of(chosen)]

    def cost(self, measure: str) -> Figure | None:
        """Return the geometric mean of a measure; None where no run of the session was quiet.

        A counted size may be 0 in all runs.
        """
        if measure not in self._figures:
            self._figures[measure] = self._cost(measure)
        return self._figures[measure]

    @cached_property
    def _figures(self) -> dict[str, Figure | None]:
        """The costs that are known already: tables, boards and pages ask for the same ones."""
        return {}

    def _cost(self, measure: str) -> Figure | None:
        values = list(self.costs(measure).values())
        if not values:
            return self._counted_zero(measure) if measure in COUNTED else None
        figure = Figure.of(ratio_interval(values), values)
        found = [of for one in self.like_sessions() if (of := self.costs(measure, one))]
        return with_spread(figure, [statistics.geometric_mean(of.values()) for of in found])

    def _counted_zero(self, measure: str) -> Figure | None:
        """Return the figure of a size that every run counts as 0."""
        values = [run.record.cost(measure) for run in self.session_runs.values()]
        if not values or any(value != 0 for value in values):
            return None
        zeros = [0.0] * len(values)
        return Figure.of(mean_interval(zeros), zeros)

    def missing_cost_reason(self, measure: str) -> str | None:
        """Return why a measure has no cost; None if it has one or no run ended well."""
        if not self.good or self.cost(measure):
            return None
        if any(self.costs(measure, session) for session in self.sessions):
            return "other session"
        if not any(record.is_quiet(phase_of(measure)) for record in self.good):
            return "noisy"
        if not self.sessions:
            return "older code"
        if phase_of(measure) != "training":
            return None
        trained = [one for one in self.good if "parent" not in one.details]
        if not any(one.cell.mode is Mode.TRAIN for one in trained):
            return "not trained"
        resumed = any(one.details.get("resumed_at_steps") for one in trained)
        return "resumed" if resumed else "too few steps"

    def cost_value(self, measure: str) -> float | None:
        """Return the geometric mean of a measure as a number."""
        figure = self.cost(measure)
        return figure.value if figure else None

    def scores(self, metric: Metric | None = None) -> Scores:
        """Return a metric (by default the primary one) by seed and by part of the split."""
        if metric is None or metric == self.metric:
            return self._scores
        return scores_of(self.good, metric, self.split)

    @cached_property
    def _scores(self) -> Scores:
        return scores_of(self.good, self.metric, self.split) if self.metric else Scores({})

    def score(self) -> Figure | None:
        """Return the mean of the primary metric over seeds."""
        return self._score

    @cached_property
    def _score(self) -> Figure | None:
        values = list(self.scores().by_seed.values())
        return Figure.of(self.scores().estimate(), values) if values else None

    def scores_by_evaluation_length(self) -> Mapping[int, Figure | str]:
        """Return the primary metric at each evaluation length, or why there is none.

        The score at the training length is `score`. At other lengths an interval covers the choice
        of seeds, and that of a share the choice of examples too. If only some seeds have a score,
        `Figure.missing` says why others have none.
        """
        found: dict[int, Figure | str] = {}
        for length, by_seed in self.seeds_by_evaluation_length.items():
            seeds = [value for value in by_seed.values() if not isinstance(value, str)]
            reasons = [value for value in by_seed.values() if isinstance(value, str)]
            if not seeds:
                found[length] = "; ".join(sorted(set(reasons)))
                continue
            score = self.score() if length == self.sequence_length else None
            found[length] = replace(
                score or Figure.of(self._estimate_at(length, seeds), seeds),
                missing="; ".join(
                    f"{count} of {len(by_seed)} seeds: {reason}"
                    for reason, count in sorted(Counter(reasons).items())
                ),
            )
        return found

    @cached_property
    def seeds_by_evaluation_length(self) -> Mapping[int, Mapping[int, float | str]]:
        """The primary metric by evaluation length and seed, or why there is none."""
        name = self.metric.name if self.metric else ""
        found: dict[int, dict[int, float | str]] = {}
        for record in self.good:
            for length, figures in self._by_evaluation_length(record).items():
                value = figures if isinstance(figures, str) else figures.get(name)
                if value is not None:
                    found.setdefault(length, {})[record.repeat] = value
        return dict(sorted(found.items()))

    def reasons_by_evaluation_length(self) -> dict[str, str]:
        """Return by evaluation length why no seed, or only some seeds, have a score."""
        reasons = {
            str(length): score if isinstance(score, str) else score.missing
            for length, score in self.scores_by_evaluation_length().items()
        }
        return {length: reason for length, reason in reasons.items() if reason}

    def num_examples_at(self, evaluation_length: int) -> int | None:
        """Return the number of examples of the split at an evaluation length, if it is known."""
        for record in self.good:
            figures = self._by_evaluation_length(record).get(evaluation_length)
            if figures and not isinstance(figures, str):
                return int(figures.get("examples") or 0) or None
        return None

    def _estimate_at(self, evaluation_length: int, values: Sequence[float]) -> Estimate:
        num_examples = self.num_examples_at(evaluation_length)
        if self.metric and self.metric.share and num_examples:
            return share_of_examples(values, num_examples)
        return mean_interval(values)

    def _by_evaluation_length(
        self, record: RecordSummary
    ) -> dict[int, str | Mapping[str, float | None]]:
        report = record.reports.get(self.split, PartReport()).get("by_evaluation_length", {})
        return {int(length): figures for length, figures in report.items()}

    def log_scores(self, measure: str) -> Scores:
        """Return the logarithms of a cost by repeat, so that differences are ratios."""
        return Scores({repeat: math.log(value) for repeat, value in self.costs(measure).items()})

    @cached_property
    def worker_seconds(self) -> float | None:
        """The median time of a cell on the machine of the costs, resumed trainings left out."""
        seconds = [
            run.record.worker_seconds
            for run in self.runs
            if run.record.status is Status.OK
            and (self.session is None or used_machine(run) == self.session.used_machine)
            and run.record.worker_seconds is not None
            and not run.record.details.get("resumed_at_steps")
        ]
        return statistics.median(seconds) if seconds else None


def used_machine(stored: StoredRecord) -> UsedMachine:
    """Return the machine and the number of threads of a record."""
    return stored.machine, stored.record.cell.threads


def scores_of(records: Iterable[RecordSummary], metric: Metric, split: str = "test") -> Scores:
    """Return a metric of a split by repeat, and of its parts."""
    by_seed: dict[int, float] = {}
    parts: dict[int, Sequence[float | None]] = {}
    num_examples: set[int] = set()
    for record in records:
        value = record.metric(metric.name, split)
        if record.status is Status.OK and value is not None:
            by_seed[record.repeat] = value
            parts[record.repeat] = parts_of(record, metric.name, split)
            num_examples.add((record.data or {}).get("examples", {}).get(split, 0))
    return Scores(by_seed, parts, metric.share, min(num_examples, default=0) or None)


def parts_of(
    record: RecordSummary, metric_name: str, split: str = "test"
) -> Sequence[float | None]:
    """Return the pseudo-values of the parts of a split; none where none were kept."""
    value = record.metric(metric_name, split)
    parts = record.reports.get(split, PartReport()).get("without_part", {}).get(metric_name, ())
    return () if value is None else pseudo_values(value, parts)
