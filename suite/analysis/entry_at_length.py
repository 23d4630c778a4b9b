"""An entry at a length: the repeats in one comparison, their scores, and the facts about them."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

from suite.analysis.estimates import (
    Estimate,
    Figure,
    mean_interval,
    pseudo_values,
    share_of_examples,
)
from suite.analysis.ranking import Scores
from suite.analysis.sessions import CostSession, Sessions, cost_digest, counts, used_machine
from suite.api import Cell, Metric, Mode, Status
from suite.records.measures import phase_of, tabled_costs
from suite.records.published import StoredRecord
from suite.records.schema import PartReport, RecordSummary
from suite.records.validity import versions_of

OTHER_SESSION = "other session"
"""Why an entry has no cost in a comparison: it was measured in another session than the others."""


@dataclass(frozen=True)
class EntryAtLength:
    """The repeats of one entry at one length and batch size.

    `runs` holds the valid record of each repeat. Superseded records of one version and reason are
    an entry of their own: `superseded_by` is the reason. `split` is the split of the scores, "test"
    or "validation"; a probe has none. Costs are those of `session`; `runs_by_session` holds the
    runs of all sessions that may count as costs. `suite.analysis.frame` fills in `costs`, the
    figure of each cost that counts, `cost_values`, its values by repeat, and `disturbed`, the
    figures of noisy runs.
    """

    name: str
    architecture: str
    sequence_length: int
    batch_size: int
    metric: Metric | None
    split: str
    runs: Sequence[StoredRecord]
    session: CostSession | None = None
    runs_by_session: Sessions = field(default_factory=dict, repr=False)
    superseded_by: str = ""
    costs: dict[str, Figure] = field(default_factory=dict, repr=False)
    cost_values: dict[str, dict[int, float]] = field(default_factory=dict, repr=False)
    disturbed: dict[str, Figure] = field(default_factory=dict, repr=False)

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
    def cell(self) -> Cell:
        """The cell of the first repeat."""
        return self.records[0].cell

    @property
    def statuses(self) -> Mapping[str, int]:
        """How many valid records ended with each status."""
        return Counter(str(record.status) for record in self.records)

    @property
    def reasons(self) -> list[str]:
        """The reasons that the records state, each once."""
        return sorted({record.reason for record in self.records if record.reason})

    @property
    def failures(self) -> list[str]:
        """The statuses of the records that did not end well with their reasons, each once."""
        ends = {(record.status, record.reason) for record in self.records}
        failed = [(status, reason) for status, reason in ends if status is not Status.OK]
        return sorted(f"{status}: {reason}" if reason else str(status) for status, reason in failed)

    @property
    def has_tuned_rate(self) -> bool:
        """Whether every training ran with a learning rate that tuning chose."""
        return all(
            record.cell.mode is not Mode.TRAIN or record.ranking.tuning is not None
            for record in self.records
        )

    @property
    def session_runs(self) -> Mapping[int, StoredRecord]:
        """The runs of the session that costs come from, by repeat."""
        return self.runs_by_session.get(self.session, {}) if self.session else {}

    @cached_property
    def cost_digest(self) -> str | None:
        """The digest of the code whose costs count; None without a run of the session."""
        return next((cost_digest(run.record) for run in self.session_runs.values()), None)

    def cost(self, measure: str) -> Figure | None:
        """Return the geometric mean of a measure; None where no run of the session was quiet."""
        return self.costs.get(measure)

    def shown_cost(self, measure: str) -> Figure | None:
        """Return the geometric mean of a measure; without a quiet run, that of the noisy ones."""
        return self.costs.get(measure) or self.disturbed.get(measure)

    def log_scores(self, measure: str) -> Scores:
        """Return the logarithms of a cost by repeat, so that differences are ratios."""
        values = self.cost_values.get(measure, {})
        return Scores({repeat: math.log(value) for repeat, value in values.items()})

    def missing_cost_reason(self, measure: str) -> str | None:
        """Return why a measure has no cost; None if it has one or no run ended well."""
        if not self.good or measure in self.costs:
            return None
        phase = phase_of(measure)
        if any(
            counts(run.record, phase) and (run.record.cost(measure) or 0) > 0
            for runs in self.runs_by_session.values()
            for run in runs.values()
        ):
            return OTHER_SESSION
        if not any(record.is_quiet(phase) for record in self.good):
            return "noisy"
        if not self.runs_by_session:
            return "older code"
        if not phase.startswith("training"):
            return None
        trained = [record for record in self.good if "parent" not in record.details]
        if not any(record.cell.mode is Mode.TRAIN for record in trained):
            return "not trained"
        resumed = any(record.details.get("resumed_at_steps") for record in trained)
        return "resumed" if resumed else "too few steps"

    @property
    def figures(self) -> dict[str, Figure | None]:
        """The score and the costs of a row of a table."""
        score = {f"{self.split}.{self.metric.name}": self.score} if self.metric else {}
        return {**score, **{cost: self.shown_cost(cost) for cost in tabled_costs(self.cell.mode)}}

    @property
    def missing(self) -> dict[str, str]:
        """Why costs of a table have no figure; a noisy cost has one, unless it was not measured."""
        costs = [cost for cost in tabled_costs(self.cell.mode) if not self.shown_cost(cost)]
        reasons = {cost: self.missing_cost_reason(cost) for cost in costs}
        return {cost: reason for cost, reason in reasons.items() if reason not in (None, "noisy")}

    def scores(self, metric: Metric | None = None) -> Scores:
        """Return a metric (by default the primary one) by seed and by part of the split."""
        if metric is None or metric == self.metric:
            return self._scores
        return scores_of(self.good, metric, self.split)

    @cached_property
    def _scores(self) -> Scores:
        return scores_of(self.good, self.metric, self.split) if self.metric else Scores({})

    @cached_property
    def score(self) -> Figure | None:
        """The mean of the primary metric over seeds."""
        values = list(self._scores.by_seed.values())
        return Figure.of(self._scores.estimate(), values) if values else None

    @cached_property
    def by_evaluation_length(self) -> Mapping[int, Figure | str]:
        """The primary metric at each evaluation length, or why there is none.

        An interval covers the choice of seeds, and that of a share the choice of examples too. If
        only some seeds have a score, `Figure.missing` says why others have none.
        """
        scores: dict[int, Figure | str] = {}
        for length, by_seed in self.seeds_by_evaluation_length.items():
            seeds = [value for value in by_seed.values() if not isinstance(value, str)]
            reasons = Counter(value for value in by_seed.values() if isinstance(value, str))
            if not seeds:
                scores[length] = "; ".join(sorted(reasons))
                continue
            score = self.score if length == self.sequence_length else None
            scores[length] = replace(
                score or Figure.of(self._estimate_at(length, seeds), seeds),
                missing="; ".join(
                    f"{count} of {len(by_seed)} seeds: {reason}"
                    for reason, count in sorted(reasons.items())
                ),
            )
        return scores

    @cached_property
    def seeds_by_evaluation_length(self) -> Mapping[int, Mapping[int, float | str]]:
        """The primary metric by evaluation length and seed, or why there is none."""
        name = self.metric.name if self.metric else ""
        scores: dict[int, dict[int, float | str]] = {}
        for record in self.good:
            for length, figures in _by_evaluation_length(record, self.split).items():
                value = figures if isinstance(figures, str) else figures.get(name)
                if value is not None:
                    scores.setdefault(length, {})[record.repeat] = value
        return dict(sorted(scores.items()))

    @property
    def reasons_by_evaluation_length(self) -> dict[str, str]:
        """Why no seed, or only some seeds, have a score at an evaluation length."""
        reasons = {
            str(length): score if isinstance(score, str) else score.missing
            for length, score in self.by_evaluation_length.items()
        }
        return {length: reason for length, reason in reasons.items() if reason}

    def num_examples_at(self, evaluation_length: int) -> int | None:
        """Return the number of examples of the split at an evaluation length, if it is known."""
        for record in self.good:
            figures = _by_evaluation_length(record, self.split).get(evaluation_length)
            if figures and not isinstance(figures, str):
                return int(figures.get("examples") or 0) or None
        return None

    def _estimate_at(self, evaluation_length: int, values: Sequence[float]) -> Estimate:
        num_examples = self.num_examples_at(evaluation_length)
        if self.metric and self.metric.share and num_examples:
            return share_of_examples(values, num_examples)
        return mean_interval(values)

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

    @property
    def parameter_count(self) -> int | None:
        """The number of weights."""
        return next((record.parameter_count for record in self.good), None)

    @property
    def mixing_parameters(self) -> int:
        """The number of weights without embedding and head; 0 if no record states it."""
        return next((record.parameter_counts.get("mixing", 0) for record in self.good), 0)

    @property
    def measured_on(self) -> date:
        """The day of the latest record."""
        return max(record.ended_at for record in self.records).date()

    @property
    def versions(self) -> str:
        """The versions that the records ran under."""
        return versions_of(self.records[0])

    @property
    def machines(self) -> list[str]:
        """The machines of the records."""
        return sorted({run.machine for run in self.runs})

    @property
    def run_ids(self) -> list[str]:
        """The ids of the records."""
        return [record.run_id for record in self.records]


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


def _by_evaluation_length(
    record: RecordSummary, split: str
) -> dict[int, str | Mapping[str, float | None]]:
    report = record.reports.get(split, PartReport()).get("by_evaluation_length", {})
    return {int(length): figures for length, figures in report.items()}
