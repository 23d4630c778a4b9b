"""Records between which a crossover lies."""

from __future__ import annotations

from dataclasses import replace

from suite.api import Mode
from suite.execution.preparation import prepare
from suite.matrix.request import Request
from suite.records.schema import TuningChoice
from tests.builders.records import make_record, stored

PAIR = Request(mode=Mode.PROBE, architectures=("vanilla", "bert"), lengths=(128, 512, 2_048))


LEARNED = Request(
    tasks=("language_modeling",),
    architectures=("vanilla", "gpt"),
    lengths=(64, 256),
    seeds=(0, 1),
    score_test=True,
)


def learned(store, figures, metric="perplexity", rates=(None,)):
    """Return records by architecture and length with the figure of each seed, at each rate."""
    records = []
    for rate in rates:
        for planned in prepare(LEARNED, store).plan.cells:
            cell, ranking = planned.cell, planned.ranking
            value = figures[cell.architecture][cell.sequence_length][cell.seed]
            if rate is not None:
                cell = replace(cell, options={"learning_rate": rate})
                tuning = TuningChoice(learning_rate=rate, metric=metric, setting={})
                ranking = ranking.model_copy(update={"tuning": tuning})
                value = value / 10
            metrics = {"test": {metric: value}}
            record = make_record(cell=cell, metrics=metrics, ranking=ranking)
            records.append(stored(record))
    return records
