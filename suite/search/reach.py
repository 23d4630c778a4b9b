"""Trains one model on recall, retrieval and states, to find up to which length it carries them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from suite.api import Mode
from suite.execution.preparation import prepare
from suite.matrix.request import Request
from suite.records.schema import Record
from suite.records.store import Store
from suite.search.probing import RunPlan
from suite.search.tuning import tune

BENCHMARK = "reach"
"""The benchmark whose tasks, steps and learning rates are taken."""


def measure_reach(
    request: Request,
    model_size: str,
    store: Store,
    run: RunPlan,
    search_path: Sequence[str],
    *,
    folder: Path,
    report: Callable[[str], None] = lambda text: None,
) -> list[Record]:
    """Return the final runs of a model on the tasks of the benchmark.

    `request` names the model, its options and where it runs. The learning rate of each task is
    chosen on validation; `folder` gets the choices. Records that are there are only read.

    Raises:
        RequestError: the model cannot run any of the tasks.
    """
    training = replace(
        request,
        mode=Mode.TRAIN,
        benchmark=BENCHMARK,
        model_size=model_size,
        form=None,
        batch_size=None,
    )
    tune(training, store, run, folder=folder, search_path=search_path, report=report)
    final = replace(training, score_test=True)
    return run(prepare(final, store, tuning=folder, search_path=search_path))
