"""Final runs → the quality that each entry reaches within a time of training.

Other trainings on the same machine disturb the time of a final run. The seconds here are quiet:
the tokens seen until a validation, divided by the speed of a quiet training of the same task, entry
and length. The training may have other updates and another seed. All speeds are of one session.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from suite.analysis.boards import is_baseline
from suite.analysis.comparison_key import ComparisonKey, ComparisonKind, grouped
from suite.analysis.comparisons import Comparison
from suite.analysis.entry_at_length import EntryAtLength
from suite.analysis.sessions import CostSession
from suite.api import VALIDATION_OPTIONS, Metric, Mode, Status
from suite.records.measures import DEFAULT_MEASURE
from suite.records.published import StoredRecord, read_validation_curve

MIN_VALIDATIONS = 3
"""Trainings with fewer validations have no timed scores."""
MINUTES = (0.5, 1, 3, 10, 30, 100, 300)
"""The times of training for which the best entry is named, where they lie among the points."""
EntryLength = tuple[str, int]


@dataclass(frozen=True, slots=True)
class TimedScore:
    """The mean validation score over seeds after a number of tokens, in quiet seconds.

    `steps` are all updates of the training, to which its learning rates belong.
    """

    entry: str
    length: int
    steps: int
    tokens: int
    seconds: float
    score: float


@dataclass(frozen=True, slots=True)
class TrainingTimes:
    """The timed scores of one task of a benchmark; `session` measured the speeds.

    `reference` is the entry of `vanilla` without methods, if there is one. `steps` is the largest
    number of updates that all entries have.
    """

    task: str
    metric: Metric
    session: CostSession
    scores: Sequence[TimedScore]
    reference: str | None
    steps: int

    @property
    def lengths(self) -> list[int]:
        """The lengths, the shortest first."""
        return sorted({score.length for score in self.scores})

    @property
    def entries(self) -> list[str]:
        """The entries by name."""
        return sorted({score.entry for score in self.scores})

    @property
    def minutes(self) -> list[float]:
        """The times of `MINUTES` that some training has reached, and not all have passed."""
        seconds = [score.seconds for score in self.scores]
        return [time for time in MINUTES if min(seconds) <= 60 * time <= max(seconds)]

    def progress(self, entry: str, length: int) -> list[TimedScore]:
        """Return each score of an entry at a length that is better than all earlier ones."""
        own = [score for score in self.scores if (score.entry, score.length) == (entry, length)]
        best: list[TimedScore] = []
        for score in sorted(own, key=lambda score: (score.seconds, self._loss(score))):
            if not best or self._loss(score) < self._loss(best[-1]):
                best.append(score)
        return best

    def best_within(self, seconds: float) -> list[TimedScore]:
        """Return the best score of each entry within a time, over lengths and updates."""
        reached = [score for score in self.scores if score.seconds <= seconds]
        best = (min(scores, key=self._loss) for scores in _by_entry(reached).values())
        return sorted(best, key=self._loss)

    def _loss(self, score: TimedScore) -> float:
        return self._sign * score.score

    @property
    def _sign(self) -> int:
        return -1 if self.metric.higher_is_better else 1

    def target(self, length: int) -> float | None:
        """Return the score of the reference at a length after `steps` updates."""
        own = [
            score
            for score in self.scores
            if (score.entry, score.length, score.steps) == (self.reference, length, self.steps)
        ]
        return max(own, key=lambda score: score.tokens).score if own else None

    def seconds_to(self, target: float, entry: str, length: int) -> float | None:
        """Return the first time at which an entry is as good as a target; None if it never is."""
        most = self._sign * target
        good = (score for score in self.progress(entry, length) if self._loss(score) <= most)
        return next((score.seconds for score in good), None)


def training_times(comparisons: Sequence[Comparison], label: str) -> list[TrainingTimes]:
    """Return the timed scores of each task of a benchmark, by its label such as "long_text-1".

    A task without a quiet training of its final runs' entries has none.
    """
    final = [
        comparison
        for comparison in comparisons
        if comparison.key.benchmark == label and comparison.key.kind is ComparisonKind.FINAL
    ]
    trainings = [each for each in comparisons if each.key.mode is Mode.TRAIN]
    found = []
    for subject, of_subject in grouped(final, lambda each: _subject(each.key)).items():
        alike = [each for each in trainings if _subject(each.key) == subject]
        session, speeds = _quiet_speeds(alike)
        # A comparison of the open track also has the entries of the standard track.
        entries = {
            (entry.name, *entry.place, entry.cell.steps): entry
            for comparison in of_subject
            for entry in comparison.entries
        }.values()
        scores = [
            score
            for entry in entries
            if (speed := speeds.get((entry.name, entry.sequence_length)))
            for score in _timed(entry, speed)
        ]
        metric = of_subject[0].metric
        if session and scores and metric:
            common = set.intersection(
                *({score.steps for score in of} for of in _by_entry(scores).values())
            )
            plain = [entry.name for entry in entries if is_baseline(entry)]
            facts = next(iter(plain), None), max(common, default=0)
            found.append(TrainingTimes(subject.task, metric, session, scores, *facts))
    return found


def _subject(key: ComparisonKey) -> ComparisonKey:
    """Return what trainings with equal updates share, whatever their number, and validations.

    Entries with methods, which are in the open track, are timed beside the others.
    """
    words = key.task_options.split()
    options = " ".join(word for word in words if word.split("=")[0] not in VALIDATION_OPTIONS)
    return replace(
        key, task_options=options, steps=0, benchmark="", track="", split="", ranked=False
    )


def _by_entry(scores: Iterable[TimedScore]) -> dict[str, list[TimedScore]]:
    return grouped(scores, lambda score: score.entry)


def _quiet_speeds(
    trainings: Iterable[Comparison],
) -> tuple[CostSession | None, Mapping[EntryLength, float]]:
    """Return the session that measured the most entries at a length, and its tokens per second."""
    import pandas  # not at the top: commands that only list or plan do not need pandas

    costs = pandas.concat([training.costs([DEFAULT_MEASURE]) for training in trainings])
    run_ids = [run.record.run_id for run in costs["stored"]]
    once: Any = costs.assign(run_id=run_ids).drop_duplicates(["entry", "run_id"])
    place = ["entry", "sequence_length"]
    speeds = {
        session: of_session.groupby(place)["value"].agg(statistics.geometric_mean)
        for session, of_session in once.groupby("session", sort=False)
    }
    session = max(speeds, key=lambda each: (len(speeds[each]), each.started_at), default=None)
    return session, speeds[session].to_dict() if session else {}


def _timed(entry: EntryAtLength, speed: float) -> list[TimedScore]:
    """Return the means of an entry's validations at which all seeds have a score."""
    if entry.cell.options.get("validations", 0) < MIN_VALIDATIONS:
        return []  # its file need not be read
    good = [run for run in entry.runs if run.record.status is Status.OK]
    metric = entry.metric.name if entry.metric else ""
    curves = [curve for run in good if (curve := _curve(run, metric))]
    if not curves or len(curves) < len(good):
        return []
    common = sorted(set.intersection(*(set(curve) for curve in curves)))
    return [
        TimedScore(
            entry=entry.name,
            length=entry.sequence_length,
            steps=entry.cell.steps,
            tokens=tokens,
            seconds=tokens / speed,
            score=statistics.fmean(curve[tokens] for curve in curves),
        )
        for tokens in common
    ]


def _curve(run: StoredRecord, metric: str) -> dict[int, float]:
    """Return the validation scores of a run by the tokens seen; empty without a curve."""
    curve = read_validation_curve(run, metric)
    points = zip(curve["tokens"], curve["values"], strict=True) if curve else ()
    return {tokens: value for tokens, value in points if value is not None and math.isfinite(value)}
