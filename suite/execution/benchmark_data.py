"""The data of a benchmark: its fingerprints, and the scores of trivial predictors on it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from suite.api import DataError, Job, Mode, RequestError
from suite.execution.executors.local import child_environment
from suite.execution.executors.process import run_module, why_ended
from suite.execution.jobs import make_job
from suite.execution.preparation import prepare
from suite.matrix.request import Request
from suite.records.benchmarks import Benchmark
from suite.records.store import Store

ARCHITECTURE = "vanilla"
"""Data has no architecture; a cell needs one that supports every task."""


@dataclass(frozen=True, slots=True)
class DataFacts:
    """The facts about the data of a task at a length.

    `fingerprint` is the hash of the raw examples; `trivial` is the test score of the trivial
    predictor.
    """

    fingerprint: str
    trivial: float | None


def describe_data(
    benchmark: Benchmark, store: Store, data_dir: str | None = None
) -> dict[str, dict[int, DataFacts]]:
    """Return the facts about the data of each task, by length. Nothing is trained.

    Raises:
        DataError: data is missing, or a task failed.
        RequestError: a task has other data at the same length.
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
    with tempfile.TemporaryDirectory() as folder:
        jobs = [
            make_job(
                planned,
                prepared,
                folder=Path(folder) / str(number),
                cache=store.cache,
                checkpoint=Path(folder) / "checkpoint.npz",
            )
            for number, planned in enumerate(prepared.plan.cells)
        ]
        facts = _describe(jobs)
    facts_by_task: dict[str, dict[int, DataFacts]] = {}
    for job, job_facts in zip(jobs, facts, strict=True):
        by_length = facts_by_task.setdefault(str(job.cell.task), {})
        if by_length.setdefault(length := job.cell.sequence_length, job_facts) != job_facts:
            raise RequestError(
                f"Several settings of the task '{job.cell.task}' have the length {length} and "
                "other data, so that [data] cannot state one value for the length",
                received=benchmark.path.name,
                remedy="Give the settings other lengths, or write ranked = false",
            )
    return facts_by_task


def _describe(jobs: Sequence[Job]) -> list[DataFacts]:
    """Read the data in a separate process, since tasks may import a framework."""
    for job in jobs:
        job.folder.mkdir()
        (job.folder / "job.json").write_text(job.to_json())
    first = jobs[0].cell
    folders = [job.folder for job in jobs]
    environment = child_environment(first.backend, first.threads)
    result = run_module("suite.worker.benchmark_data", *folders, environment=environment)
    if result.returncode:
        raise DataError("The data of the benchmark could not be read", received=why_ended(result))
    return [DataFacts(**facts) for facts in json.loads(result.stdout.strip().splitlines()[-1])]
