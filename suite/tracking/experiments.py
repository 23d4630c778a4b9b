"""Experiments as MLflow stores them: reading their runs, and writing runs of one home."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from mlflow.entities import Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

KEY = "lengthwise.key"
"""The tag that identifies a run of Lengthwise within its experiment."""
KIND = "lengthwise.kind"
"""The tag with the kind of a run: `invocation`, `cell` or `lengths`."""
CONTENT = "lengthwise.content"
"""The tag with the hash of a length run's metrics."""
WRITER = "lengthwise.writer"
"""The tag with the identity of the home that wrote the run."""
BEGUN = "lengthwise.begun"
"""The tag with the Unix time at which the home began to write the run."""
PARENT = "mlflow.parentRunId"
LEASE_SECONDS = 300.0
"""After this time another home may replace a run that is still incomplete."""
PROBE_EXPERIMENT = "probe"
TRAINING_KIND = "custom_model_development"
"""The kind of experiment for which the MLflow UI shows training runs first."""
PAGE_SIZE = 1_000
MAX_METRICS_PER_CALL = 900
MAX_PARAMS_PER_CALL = 100
MAX_TITLE_CHARACTERS = 250


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run in the MLflow store. `key` is None if Lengthwise did not write the run."""

    run_id: str
    status: str
    key: str | None = None
    content: str | None = None
    writer: str | None = None
    begun: float = 0.0
    parent: str | None = None

    @classmethod
    def from_mlflow(cls, run: Run) -> StoredRun:
        """Return the fields of an MLflow run that matter for writing."""
        tags = run.data.tags
        return cls(
            run.info.run_id,
            run.info.status,
            tags.get(KEY),
            tags.get(CONTENT),
            tags.get(WRITER),
            float(tags.get(BEGUN, 0)),
            tags.get(PARENT),
        )


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment with the runs of Lengthwise in it, by key. The home `writer` adds runs."""

    client: MlflowClient
    id: str
    writer: str
    runs: dict[str, StoredRun]
    _begun: dict[str, str] = field(default_factory=dict)
    """The ids of the runs that have not ended, by key."""

    @classmethod
    def open(
        cls, client: MlflowClient, name: str, writer: str, artifacts: str | None
    ) -> Experiment:
        """Return the experiment of a task, or of probes, and create it if it is missing.

        A new experiment keeps its files in `artifacts`, or where the store keeps them by default.
        """
        known = client.get_experiment_by_name(name)
        experiment_id = known.experiment_id if known else _create(client, name, artifacts)
        runs = {run.key: run for run in read_runs(client, experiment_id) if run.key}
        return cls(client, experiment_id, writer, runs)

    def holds(self, key: str) -> bool:
        """Return whether a run is complete, or another home is writing the run now."""
        run = self.runs.get(key)
        if run is None or run.status != "RUNNING":
            return run is not None
        return run.writer not in (None, self.writer) and time.time() - run.begun < LEASE_SECONDS

    def begin(
        self, key: str, kind: str, title: str, start: datetime, tags: Mapping[str, str]
    ) -> str:
        """Create a run, and delete an incomplete or outdated run with the same key."""
        self.delete(key)
        run = self.client.create_run(
            self.id,
            start_time=milliseconds(start),
            run_name=title[:MAX_TITLE_CHARACTERS],
            tags={KEY: key, KIND: kind, WRITER: self.writer, BEGUN: f"{time.time():.3f}", **tags},
        )
        self._begun[key] = run.info.run_id
        return self._begun[key]

    def log(self, run_id: str, metrics: Sequence[Metric], params: Sequence[Param]) -> None:
        """Add metrics and parameters to a run, in as many calls as MLflow needs."""
        while metrics or params:
            self.client.log_batch(
                run_id, metrics[:MAX_METRICS_PER_CALL], params[:MAX_PARAMS_PER_CALL]
            )
            metrics, params = metrics[MAX_METRICS_PER_CALL:], params[MAX_PARAMS_PER_CALL:]

    def end(
        self, key: str, run_id: str, status: str, end: datetime, content: str | None = None
    ) -> None:
        """Give a run its final status."""
        self.client.set_terminated(run_id, status=status, end_time=milliseconds(end))
        self.runs[key] = StoredRun(run_id, status, key, content, self.writer)
        self._begun.pop(key, None)

    def delete(self, key: str) -> None:
        """Delete the run of a key, if there is one."""
        if run := self.runs.pop(key, None):
            self.client.delete_run(run.run_id)

    def discard(self, key: str) -> None:
        """Delete the run of a key that was begun and has not ended."""
        if run_id := self._begun.pop(key, None):
            self.client.delete_run(run_id)


def read_runs(client: MlflowClient, experiment_id: str) -> Iterator[StoredRun]:
    """Yield all active runs of an experiment."""
    yield from map(StoredRun.from_mlflow, all_found(partial(client.search_runs, [experiment_id])))


def all_found(search: Callable[..., Any]) -> Iterator[Any]:
    """Yield all active runs or experiments that a search of the client finds, page by page."""
    token = None
    while token != "":
        page = search(max_results=PAGE_SIZE, page_token=token)
        yield from page
        token = page.token or ""


def _create(client: MlflowClient, name: str, artifacts: str | None) -> str:
    subject = (
        "Time and memory per architecture on random tokens, without training data."
        if name == PROBE_EXPERIMENT
        else f"Quality, time and memory per architecture on the task `{name}`."
    )
    note = (
        f"{subject}\n\n"
        f"A run is one of three kinds, which the tag `{KIND}` names:\n\n"
        "- `cell`: one training or measurement.\n"
        "- `invocation`: one command; it groups the cells that the command ran.\n"
        "- `lengths`: the mean over the cells of one model at each sequence length. The step of "
        "its metrics is the sequence length.\n\n"
        "Metrics that begin with `disturbed.` are speeds that other programs disturbed: they are "
        "not ranked. The tag `lengthwise.noisy` names their phases."
    )
    try:
        created = client.create_experiment(
            name,
            artifact_location=artifacts,
            tags={"mlflow.note.content": note, "mlflow.experimentKind": TRAINING_KIND},
        )
    except MlflowException:  # another process has just created the experiment
        created = client.get_experiment_by_name(name)
        if created is None:
            raise
        created = created.experiment_id
    return str(created)


def milliseconds(moment: datetime) -> int:
    """Return a time as MLflow stores it."""
    return int(moment.timestamp() * 1_000)
