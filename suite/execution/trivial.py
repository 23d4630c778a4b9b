"""The scores of trivial predictors on the data of a benchmark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from suite.api import DataError, Job, Mode
from suite.execution.executors.local import child_environment
from suite.execution.jobs import make_job
from suite.execution.preparation import prepare
from suite.matrix.benchmarks import Benchmark
from suite.matrix.request import Request
from suite.records.store import Store

ARCHITECTURE = "vanilla"
"""A trivial predictor has no architecture; a cell needs one that supports every task."""


def trivial_scores(
    benchmark: Benchmark, store: Store, data_dir: str | None = None
) -> dict[str, dict[int, float]]:
    """Return the test score of the trivial predictor of each task, by length.

    Tasks without a trivial predictor are left out. Nothing is trained.

    Raises:
        DataError: data is missing, or a task failed.
    """
    request = Request(
        mode=Mode.TRAIN,
        benchmark=benchmark.name,
        architectures=(ARCHITECTURE,),
        seeds=benchmark.seeds[:1],
        data_dir=data_dir,
        score_test=True,
    )
    prepared = prepare(request, store, tuning=None)
    found: dict[str, dict[int, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, planned in enumerate(prepared.plan.cells):
            job = make_job(
                planned,
                prepared.tasks,
                prepared.digests,
                prepared.search_path,
                folder=Path(folder) / str(number),
                cache=store.cache,
                checkpoint=Path(folder) / "checkpoint.npz",
            )
            score = _score(job)
            if score is not None:
                found.setdefault(str(planned.cell.task), {})[planned.cell.sequence_length] = score
    return found


def _score(job: Job) -> float | None:
    """Score the trivial predictor in a separate process, since tasks may import a framework."""
    job.folder.mkdir()
    (job.folder / "job.json").write_text(job.to_json())
    result = subprocess.run(
        [sys.executable, "-m", "suite.worker.trivial", str(job.folder)],
        env={**os.environ, **child_environment(job.cell)},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DataError("The trivial predictor could not be scored", received=last)
    score: float | None = json.loads(result.stdout.strip().splitlines()[-1])
    return score
