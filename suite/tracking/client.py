"""Writes records to an MLflow store. Writing the same record again changes nothing.

There is one experiment per task, and one for probes. An experiment holds three kinds of runs, each
with a unique tag `lengthwise.key`:

- `invocation`: one run per invocation, the parent of its cells;
- `cell`: one run per record of a cell that ran, with the record as an artifact;
- `lengths`: one run per entry, comparison and home, whose step is the sequence length. A changed
  one is deleted and written again, because MLflow only appends to metrics.

A run is complete once it has its final status. An incomplete run has the status RUNNING and is
written again: at once if this home began the run (the home's lock excludes a second writer), after
`LEASE_SECONDS` if another home did.

MLflow has no unique keys. Two homes with the same records can therefore write the same run at the
same time. `drop_duplicates` keeps the run with the lower id, so every home keeps the same one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from suite.analysis.aggregate import Comparison
from suite.api import Status
from suite.api.files import folder_name
from suite.records.schema import Record, RecordSummary
from suite.tracking.experiments import (
    BEGUN,
    KEY,
    KIND,
    PARENT,
    PROBE_EXPERIMENT,
    WRITER,
    Experiment,
    StoredRun,
    milliseconds,
    open_experiment,
    read_experiment_ids,
    read_runs,
    tracking_errors,
)
from suite.tracking.length_runs import LengthRun, is_length_run, length_runs
from suite.tracking.runs import (
    SEVERITY,
    STATUSES,
    cell_tags,
    cell_title,
    curve_metrics,
    dataset_of,
    evaluation_length_metrics,
    invocation_tags,
    invocation_title,
    metrics_of,
    params_of,
)
from suite.tracking.views import LENGTHS, TAG, VIEWS, page_of

SERVER_THREADS = 6
MAX_METRICS_PER_CALL = 900
MAX_CHILDREN = 10_000


@dataclass
class Tracker:
    """Writes records to one MLflow store and remembers the runs in the store.

    Args:
        uri: the address of the store.
        writer: the identity of the home. Every run carries it as a tag.
        artifacts: the folder for files, if the store is the home's own database. A server decides
            itself where it keeps files.
    """

    uri: str
    writer: str
    artifacts: Path | None = None
    _experiments: dict[str, Experiment] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._client = MlflowClient(tracking_uri=self.uri)
        self._invocation_ends: dict[str, tuple[Experiment, str, datetime]] = {}

    def connect(self) -> None:
        """Open the store, and create the tables of a new database.

        Raises:
            TrackingError: the store cannot be reached.
        """
        with tracking_errors(self.uri):
            self._client.search_experiments(max_results=1)

    def log(self, record: Record) -> bool:
        """Write the run of a record and of its invocation; return False if the run exists.

        Raises:
            TrackingError: the store cannot be reached.
        """
        return next(self.log_all([record]))

    def log_all(self, records: Sequence[Record]) -> Iterator[bool]:
        """Write the runs of many records; yield for each record whether its run was written.

        Several threads write to a server, because they mostly wait for answers. One thread writes
        to SQLite, which accepts one writer.

        Raises:
            TrackingError: the store cannot be reached.
        """
        num_threads = SERVER_THREADS if self.uri.startswith("http") else 1
        with tracking_errors(self.uri), ThreadPoolExecutor(num_threads) as threads:
            pending: deque[Future[None] | None] = deque()
            try:
                for record in records:
                    pending.append(self._submit(record, threads))
                    if len(pending) > 2 * num_threads:
                        yield _wait(pending.popleft())
                while pending:
                    yield _wait(pending.popleft())
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise

    def refresh_length_runs(self, comparisons: Iterable[Comparison]) -> int:
        """Write the length runs whose content changed, and return their number.

        `comparisons` hold all records of the home. This home's length runs of other comparisons,
        which no longer exist, are deleted.
        """
        with tracking_errors(self.uri):
            runs = length_runs(comparisons, self.writer)
            num_written = sum(self._write_length_run(run) for run in runs)
            current = {run.key for run in runs}
            for experiment in self._experiments.values():
                for key in experiment.runs.keys() - current:
                    if is_length_run(key, self.writer):
                        self._client.delete_run(experiment.runs.pop(key).run_id)
        return num_written

    def close_invocations(self) -> None:
        """Set the end times of the invocations whose cells were written since the last call."""
        with tracking_errors(self.uri):
            while self._invocation_ends:
                key, (experiment, status, end) = self._invocation_ends.popitem()
                self._end(experiment, key, experiment.runs[key].run_id, status, end)

    def drop_duplicates(self) -> int:
        """Delete runs that two homes wrote at the same time, and return the number deleted."""
        dropped = 0
        with tracking_errors(self.uri):
            for experiment in self._experiments.values():
                kept: dict[str, StoredRun] = {}
                runs = read_runs(self._client, experiment.id)
                for run in sorted(runs, key=lambda run: run.run_id):
                    if run.key is None or run.status == "RUNNING":
                        continue
                    if kept.setdefault(run.key, run) is not run:
                        self._drop(experiment.id, run.run_id, in_favour_of=kept[run.key].run_id)
                        dropped += 1
                experiment.runs.update(kept)
        return dropped

    def own_runs(self) -> list[str]:
        """Return the ids of the runs that `clear` deletes.

        These are the runs that this home wrote, except for parents of runs that others wrote. Runs
        without a writer belong to this home only in its own database.
        """
        with tracking_errors(self.uri):
            return [
                run_id
                for experiment_id in read_experiment_ids(self._client)
                for run_id in self._own_runs(experiment_id)
            ]

    def clear(self) -> int:
        """Delete the runs that this home wrote (see `own_runs`), and return their number."""
        run_ids = self.own_runs()
        with tracking_errors(self.uri):
            for run_id in run_ids:
                self._client.delete_run(run_id)
        self._experiments.clear()
        return len(run_ids)

    def run_pages(self) -> dict[str, str]:
        """Return the page of each known run in the MLflow UI, by the run's key."""
        return {
            key: f"#/experiments/{experiment.id}/runs/{run.run_id}"
            for experiment in self._experiments.values()
            for key, run in experiment.runs.items()
        }

    def experiment_pages(self) -> dict[str, str]:
        """Return the page of each experiment's charts in the MLflow UI, by name."""
        return {
            name: page_of(experiment.id, LENGTHS)
            for name, experiment in self._experiments.items()
            if f"{TAG}{LENGTHS}" in experiment.tags
        }

    def _own_runs(self, experiment_id: str) -> list[str]:
        runs = list(read_runs(self._client, experiment_id))
        writers = {self.writer, None} if self.artifacts else {self.writer}
        own = [run.run_id for run in runs if run.key and run.writer in writers]
        others = {run.run_id for run in runs}.difference(own)
        parents = {run.parent for run in runs if run.run_id in others}
        return [run_id for run_id in own if run_id not in parents]

    def _submit(self, record: Record, threads: ThreadPoolExecutor) -> Future[None] | None:
        """Let a thread write a record's run; return None if the run exists or is not needed."""
        if record.status not in STATUSES:
            return None
        experiment = self._experiment(record)
        if record.status is Status.OK:
            self._save_views(experiment, record)
        if experiment.holds(record.run_id, self.writer):
            return None
        parent = self._invocation_run(experiment, record)
        return threads.submit(self._write_cell, experiment, record, parent)

    def _experiment(self, record: RecordSummary) -> Experiment:
        name = record.cell.task or PROBE_EXPERIMENT
        if name not in self._experiments:
            artifacts = (self.artifacts / folder_name(name)).as_uri() if self.artifacts else None
            self._experiments[name] = open_experiment(self._client, name, artifacts)
        return self._experiments[name]

    def _drop(self, experiment_id: str, run_id: str, in_favour_of: str) -> None:
        """Delete a duplicate, and move its children to the run that stays."""
        condition = f"tags.`{PARENT}` = '{run_id}'"
        for child in self._client.search_runs([experiment_id], condition, max_results=MAX_CHILDREN):
            self._client.set_tag(child.info.run_id, PARENT, in_favour_of)
        self._client.delete_run(run_id)

    def _begin(
        self,
        experiment: Experiment,
        key: str,
        kind: str,
        name: str,
        start: datetime,
        tags: Mapping[str, str],
    ) -> str:
        """Create a run, and delete an incomplete or outdated run with the same key."""
        if former := experiment.runs.pop(key, None):
            self._client.delete_run(former.run_id)
        run = self._client.create_run(
            experiment.id,
            start_time=milliseconds(start),
            run_name=name,
            tags={KEY: key, KIND: kind, WRITER: self.writer, BEGUN: f"{time.time():.3f}", **tags},
        )
        return str(run.info.run_id)

    def _end(
        self,
        experiment: Experiment,
        key: str,
        run_id: str,
        status: str,
        end: datetime,
        content: str | None = None,
    ) -> None:
        self._client.set_terminated(run_id, status=status, end_time=milliseconds(end))
        experiment.runs[key] = StoredRun(run_id, status, key, content, self.writer)

    def _invocation_run(self, experiment: Experiment, record: Record) -> str:
        """Return the id of the parent run, whose status is the worst of its cells so far."""
        invocation = record.invocation
        status = STATUSES[record.status]
        run = experiment.runs.get(invocation.id)
        if run is None or run.status == "RUNNING":
            title, tags = invocation_title(record), invocation_tags(record)
            run_id = self._begin(
                experiment, invocation.id, "invocation", title, invocation.started_at, tags
            )
            self._end(experiment, invocation.id, run_id, status, record.ended_at)
            return run_id
        worst = max(status, run.status, key=SEVERITY.index)
        if worst != run.status:
            self._end(experiment, invocation.id, run.run_id, worst, record.ended_at)
        self._invocation_ends[invocation.id] = (experiment, worst, record.ended_at)
        return run.run_id

    def _write_cell(self, experiment: Experiment, record: Record, parent: str) -> None:
        tags = {PARENT: parent, **cell_tags(record)}
        run_id = self._begin(
            experiment, record.run_id, "cell", cell_title(record), record.started_at, tags
        )
        timestamp = milliseconds(record.ended_at)
        metrics = [Metric(key, value, timestamp, 0) for key, value in metrics_of(record).items()]
        metrics += curve_metrics(record, timestamp)
        metrics += evaluation_length_metrics(record, timestamp)
        params = [Param(key, str(value)) for key, value in params_of(record).items()]
        for start in range(0, max(1, len(metrics)), MAX_METRICS_PER_CALL):
            self._client.log_batch(
                run_id,
                metrics=metrics[start : start + MAX_METRICS_PER_CALL],
                params=params if start == 0 else [],
            )
        if dataset := dataset_of(record):
            try:
                self._client.log_inputs(run_id, [dataset])
            except MlflowException:  # another writer has just created the same data set
                self._client.log_inputs(run_id, [dataset])
        self._client.log_text(run_id, record.to_json(), "record.json")
        self._end(experiment, record.run_id, run_id, STATUSES[record.status], record.ended_at)

    def _save_views(self, experiment: Experiment, record: Record) -> None:
        """Save the experiment's views, unless it has these very views."""
        for key, view_of in VIEWS.items():
            tag = f"{TAG}{key}"
            former = experiment.tags.get(tag, "")
            if (view := view_of(record, former)) != former:
                self._client.set_experiment_tag(experiment.id, tag, view)
                experiment.tags[tag] = view

    def _write_length_run(self, run: LengthRun) -> bool:
        """Write a length run; return False if the store has a run with the same content."""
        experiment = self._experiment(run.newest)
        stored = experiment.runs.get(run.key)
        if stored and stored.status == "FINISHED" and stored.content == run.content:
            return False
        newest = run.newest
        run_id = self._begin(experiment, run.key, "lengths", run.title, newest.started_at, run.tags)
        self._client.log_batch(run_id, metrics=run.metrics, params=run.params)
        self._client.log_text(run_id, run.page(), "by_length.html")
        self._end(experiment, run.key, run_id, "FINISHED", newest.ended_at, run.content)
        return True


def _wait(writing: Future[None] | None) -> bool:
    """Wait until a run is written; return False if there was nothing to write."""
    if writing is not None:
        writing.result()
    return writing is not None
