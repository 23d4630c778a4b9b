"""Each architecture's learning rate on a task: chosen on validation, kept with its evidence.

One file for each pair, `results/tuning/<task>/<architecture>.json`. Every architecture of a task
begins with the same three rates and goes on by the same rule, under the same budget, so none loses
by neglect.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.api import PROTOCOL, Cell, Metric, Status
from suite.api.files import CHECKOUT, atomic_write_bytes
from suite.records.schema import Record, TuningChoice

FOLDER = CHECKOUT / "results" / "tuning"
LEARNING_RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
"""What there is to try, each about three times the one before."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One learning rate on validation: the mean over the seeds, None where none came through."""

    learning_rate: float
    validation: float | None
    runs: Sequence[Mapping[str, Any]]


def read_choices(folder: Path = FOLDER) -> dict[tuple[str, int, str, str], TuningChoice]:
    """Return the choice for each task, its version, source and architecture."""
    found = {}
    for path in sorted(folder.glob("*/*.json")):
        chosen = json.loads(path.read_text())
        setting = chosen["setting"]
        key = chosen["task"], setting["task_version"], setting["source"], chosen["architecture"]
        fields = {name: chosen[name] for name in ("learning_rate", "metric", "setting", "trials")}
        found[key] = TuningChoice(**fields)
    return found


def first_rates(own: float) -> Sequence[float]:
    """Return the three to begin with: the nearest to the task's own rate, and its neighbours."""
    inner = range(1, len(LEARNING_RATES) - 1)
    middle = min(inner, key=lambda place: abs(math.log(LEARNING_RATES[place] / own)))
    return LEARNING_RATES[middle - 1 : middle + 2]


def next_rate(runs: Mapping[float, Sequence[Record]], metric: Metric) -> float | None:
    """Return what to try beyond the best of one architecture's rates, where it is their end.

    Where no rate came through, a smaller one. None where the best lies between others, or there is
    no rate beyond.
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
    """Choose among the learning rates of one architecture, by validation alone.

    None where no rate came through with all its seeds.
    """
    trials = [_try(rate, records, metric) for rate, records in sorted(runs.items())]
    able = [trial for trial in trials if trial.validation is not None]
    if not able:
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
    # A rate with which one seed diverges is no rate to choose.
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


def write(
    cell: Cell,
    learning_rate: float,
    trials: Sequence[Trial],
    metric: Metric,
    folder: Path = FOLDER,
) -> Path:
    """Write down a choice and what it rests on; `cell` is any of those tried."""
    content = {
        "task": cell.task,
        "architecture": cell.architecture,
        "learning_rate": learning_rate,
        "metric": f"validation {metric.name}",
        "protocol": PROTOCOL,
        "setting": {
            "source": cell.source,
            "sequence_length": cell.sequence_length,
            "batch_size": cell.batch_size,
            "model_size": cell.model_size,
            "budget": cell.budget,
            "task_version": cell.task_version,
            "architecture_version": cell.architecture_version,
        },
        "trials": [
            {
                "learning_rate": trial.learning_rate,
                "validation": trial.validation,
                "runs": list(trial.runs),
            }
            for trial in trials
        ],
    }
    path = folder / str(cell.task) / f"{cell.architecture}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(path, (json.dumps(content, indent=1) + "\n").encode())
    return path
