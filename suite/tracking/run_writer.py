"""Writes runs to an MLflow store, one at a time: begun, filled, ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

from suite.tracking.experiments import BEGUN, KEY, KIND, WRITER, Experiment, StoredRun, milliseconds

MAX_METRICS_PER_CALL = 900
MAX_PARAMS_PER_CALL = 100
MAX_TITLE_CHARACTERS = 250


@dataclass
class RunWriter:
    """Writes the runs of one home, whose identity is `writer`."""

    client: MlflowClient
    writer: str
    _begun: dict[str, str] = field(default_factory=dict)
    """The ids of the runs that have not ended, by key."""

    def begin(
        self,
        experiment: Experiment,
        key: str,
        kind: str,
        title: str,
        start: datetime,
        tags: Mapping[str, str],
    ) -> str:
        """Create a run, and delete an incomplete or outdated run with the same key."""
        if former := experiment.runs.pop(key, None):
            self.client.delete_run(former.run_id)
        run = self.client.create_run(
            experiment.id,
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
        self,
        experiment: Experiment,
        key: str,
        run_id: str,
        status: str,
        end: datetime,
        content: str | None = None,
    ) -> None:
        """Give a run its final status."""
        self.client.set_terminated(run_id, status=status, end_time=milliseconds(end))
        experiment.runs[key] = StoredRun(run_id, status, key, content, self.writer)
        self._begun.pop(key, None)

    def discard(self, key: str) -> None:
        """Delete the run of a key that was begun and has not ended."""
        if run_id := self._begun.pop(key, None):
            self.client.delete_run(run_id)
