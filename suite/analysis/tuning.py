"""Tune the learning rate of each architecture on validation, and keep the evidence.

All architectures of a task start with the same three rates, continue by the same rule and train
under the same budget, so that no architecture is under-tuned. A rate is valid for exactly one
setting: see `suite.matrix.tuned_rates`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from suite.analysis.probing import RunPlan
from suite.api import PROTOCOL, Cell, Limits, Metric, Mode, RequestError, Status
from suite.api.files import atomic_write_bytes
from suite.execution.preparation import check_any_can_run, prepare
from suite.matrix.request import Request
from suite.matrix.tuned_rates import TUNING, tuning_path, tuning_setting
from suite.records.schema import Record
from suite.records.store import Store

LEARNING_RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
"""The rates that may be tried; each is about three times the one before."""

Point = tuple[str, int]
"""An architecture and a sequence length, for which a rate is tuned."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A learning rate and its mean score on validation; None if a seed failed."""

    learning_rate: float
    validation: float | None
    runs: Sequence[Mapping[str, Any]]

    def __str__(self) -> str:
        score = "—" if self.validation is None else f"{self.validation:.4f}"
        return f"{self.learning_rate:g}: {score}"


@dataclass(frozen=True, slots=True)
class TunedRate:
    """The result of tuning one architecture at one length.

    Without a choice (see `choose`) there is no `learning_rate` and no `path`.
    """

    architecture: str
    sequence_length: int
    metric: str
    learning_rate: float | None
    trials: Sequence[Trial]
    path: Path | None

    def __str__(self) -> str:
        point = f"{self.architecture:16} {self.sequence_length:6,}"
        if self.learning_rate is None:
            scores = ", ".join(map(str, self.trials))
            return f"{point}  no rate chosen   validation {self.metric} at {scores}"
        scores = ", ".join(map(str, self.trials))
        rate = f"{self.learning_rate:g}"
        return f"{point}  {rate}   validation {self.metric} at {scores}   {self.path}"


def tune(
    request: Request,
    store: Store,
    run: RunPlan,
    *,
    limits: Limits | None = None,
    folder: Path = TUNING,
    on_rate: Callable[[float, int], None] = lambda rate, length: None,
) -> list[TunedRate]:
    """Tune each architecture of a request at each length that it supports.

    Args:
        request: a training request of one task, on one backend and in one precision.
        store: the home of the trials' records; trials that are done are only read.
        run: runs a plan.
        limits: the limits of each trial; by default those of the benchmark.
        folder: gets a file for each rate; runs use the files in `TUNING`.
        on_rate: called before the trials of a rate and a length.

    Raises:
        RequestError: the request is not one of tuning.
    """
    _check(request)
    assert request.tasks is not None
    own = {**request.options, "learning_rate": str(LEARNING_RATES[0])}
    prepared = prepare(replace(request, options=own), store)
    check_any_can_run(prepared)
    task = prepared.tasks[request.tasks[0]]
    points = dict.fromkeys(
        (planned.cell.architecture, planned.cell.sequence_length)
        for planned in prepared.plan.cells
        if not planned.unsupported
    )
    tried: dict[Point, dict[float, list[Record]]] = {point: {} for point in points}
    wanted = {rate: tuple(points) for rate in first_rates(task.recipe.learning_rate)}
    while wanted:
        for rate, length, names in _batches(wanted):
            on_rate(rate, length)
            prepared = prepare(_at_rate(request, rate, length, names), store, limits=limits)
            for record in run(prepared):
                point = record.cell.architecture, record.cell.sequence_length
                tried[point].setdefault(rate, []).append(record)
        wanted = _next_rates(tried, task.primary_metric)
    # A source that was downloaded by the first trial has a digest only now.
    digest = prepare(_at_rate(request, rate, length, names), store).digests[request.tasks[0]]
    assert digest is not None
    return [
        _keep(point, runs, task.primary_metric, digest, folder)
        for point, runs in sorted(tried.items())
    ]


def _check(request: Request) -> None:
    if request.mode is not Mode.TRAIN:
        raise RequestError(
            "Tuning trains", received=f"mode {request.mode}", remedy="Use mode train"
        )
    if not request.tasks or len(request.tasks) != 1:
        raise RequestError("Tuning needs exactly one task", remedy="Name it: --task ner")
    if request.score_test:
        raise RequestError(
            "Tuning scores validation alone, so that no rate is chosen by test scores",
            received="--test",
            remedy="Omit --test",
        )
    if "learning_rate" in request.options:
        raise RequestError(
            "Tuning chooses the learning rate",
            received=f"learning_rate={request.options['learning_rate']}",
            remedy="Omit the option",
        )


def _batches(
    wanted: Mapping[float, Sequence[Point]],
) -> Iterator[tuple[float, int, tuple[str, ...]]]:
    """Yield each rate and length with all its architectures, which run side by side."""
    for rate, points in sorted(wanted.items()):
        for length in sorted({length for _, length in points}):
            yield rate, length, tuple(name for name, at in points if at == length)


def _at_rate(request: Request, rate: float, length: int, architectures: tuple[str, ...]) -> Request:
    options = {**request.options, "learning_rate": str(rate)}
    return replace(request, options=options, lengths=(length,), architectures=architectures)


def _next_rates(
    tried: Mapping[Point, Mapping[float, Sequence[Record]]], metric: Metric
) -> dict[float, tuple[Point, ...]]:
    wanted: dict[float, tuple[Point, ...]] = {}
    for point, runs in tried.items():
        if beyond := next_rate(runs, metric):
            wanted[beyond] = (*wanted.get(beyond, ()), point)
    return wanted


def _keep(
    point: Point,
    runs: Mapping[float, Sequence[Record]],
    metric: Metric,
    source_digest: str,
    folder: Path,
) -> TunedRate:
    chosen = choose(runs, metric)
    if chosen is None:
        trials = [_try(rate, records, metric) for rate, records in sorted(runs.items())]
        return TunedRate(*point, metric.name, None, trials, None)
    rate, trials = chosen
    path = write_choice(runs[rate][0].cell, source_digest, rate, trials, metric, folder)
    return TunedRate(*point, metric.name, rate, trials, path)


def first_rates(own: float) -> Sequence[float]:
    """Return the first three rates: the nearest to the recipe's rate, and its neighbours."""
    inner = range(1, len(LEARNING_RATES) - 1)
    middle = min(inner, key=lambda place: abs(math.log(LEARNING_RATES[place] / own)))
    return LEARNING_RATES[middle - 1 : middle + 2]


def next_rate(runs: Mapping[float, Sequence[Record]], metric: Metric) -> float | None:
    """Return the next rate to try, or None if the best rate lies between others.

    If the best rate is the smallest or the largest so far, the next rate lies outside it. If no
    rate succeeded, the next rate is a smaller one. None also at the end of `LEARNING_RATES`.
    """
    chosen = choose(runs, metric)
    if chosen is None or chosen[0] == min(runs):
        return max((rate for rate in LEARNING_RATES if rate < min(runs)), default=None)
    if chosen[0] == max(runs):
        return min((rate for rate in LEARNING_RATES if rate > max(runs)), default=None)
    return None


def choose(
    runs: Mapping[float, Sequence[Record]], metric: Metric
) -> tuple[float, list[Trial]] | None:
    """Return the rate with the best mean on validation, and all trials.

    Returns None if no rate succeeded with all its seeds, or if several rates scored exactly the
    same: then nothing was learned, and validation prefers no rate.
    """
    trials = [_try(rate, records, metric) for rate, records in sorted(runs.items())]
    able = [trial for trial in trials if trial.validation is not None]
    if not able or (len(able) > 1 and len({trial.validation for trial in able}) == 1):
        return None
    sign = 1.0 if metric.higher_is_better else -1.0
    best = max(able, key=lambda trial: sign * (trial.validation or 0.0))
    return best.learning_rate, trials


def _try(rate: float, records: Sequence[Record], metric: Metric) -> Trial:
    figures = [
        record.metrics.get("validation", {}).get(metric.name)
        for record in records
        if record.status is Status.OK
    ]
    able = [figure for figure in figures if figure is not None]
    # A rate at which a seed diverged cannot be chosen.
    mean = sum(able) / len(able) if able and len(able) == len(records) else None
    runs = [
        {
            "cell_id": record.cell_id,
            "run_id": record.run_id,
            "seed": record.cell.seed,
            "status": str(record.status),
            "validation": record.metrics.get("validation", {}).get(metric.name),
        }
        for record in records
    ]
    return Trial(rate, mean, runs)


def write_choice(
    cell: Cell,
    source_digest: str,
    learning_rate: float,
    trials: Sequence[Trial],
    metric: Metric,
    folder: Path = TUNING,
) -> Path:
    """Write a choice with its evidence, and return the file; `cell` is any of the cells tried."""
    content = {
        "task": cell.task,
        "architecture": cell.architecture,
        "learning_rate": learning_rate,
        "metric": f"validation {metric.name}",
        "protocol": PROTOCOL,
        "setting": tuning_setting(cell, source_digest),
        "trials": [
            {
                "learning_rate": trial.learning_rate,
                "validation": trial.validation,
                "runs": list(trial.runs),
            }
            for trial in trials
        ],
    }
    path = tuning_path(cell, source_digest, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(path, (json.dumps(content, indent=1) + "\n").encode())
    return path
