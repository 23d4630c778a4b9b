"""Writes records to an MLflow store. Writing the same record again changes nothing.

There is one experiment per task, and one for probes. An experiment holds three kinds of runs, each
with a unique tag `lengthwise.key`:

- `invocation`: one run per invocation, the parent of its cells;
- `cell`: one run per record of a cell that ran, with the record, a picture of its learning curves
  and its predictions as artifacts;
- `lengths`: one run per entry, comparison and home, whose step is the sequence length. A changed
  one is deleted and written again, because MLflow only appends to metrics.

A run is complete once it has its final status. An incomplete run has the status RUNNING and is
written again: at once if this home began the run (the home's lock excludes a second writer), after
`LEASE_SECONDS` if another home did.

MLflow has no unique keys. Two homes with the same records can therefore write the same run at the
same time. `drop_duplicates` keeps the run with the lower id, so every home keeps the same one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from suite.analysis.comparisons import compare
from suite.api.files import folder_name
from suite.matrix.registry import load_registry
from suite.records.published import local_records
from suite.records.schema import Record, RecordSummary
from suite.records.store import Store
from suite.tracking.connection import save_pages
from suite.tracking.experiments import (
    PARENT,
    PROBE_EXPERIMENT,
    Experiment,
    StoredRun,
    all_found,
    milliseconds,
    read_runs,
)
from suite.tracking.failures import describe, is_of_store, tracking_errors
from suite.tracking.length_runs import PREFIX, LengthRun, length_runs
from suite.tracking.runs import (
    SEVERITY,
    STATUSES,
    cell_tags,
    cell_title,
    curve_metrics,
    curve_picture,
    dataset_of,
    evaluation_length_metrics,
    invocation_tags,
    invocation_title,
    metrics_of,
    params_of,
    predictions_table,
)

SERVER_THREADS = 6
MAX_CHILDREN = 10_000


@dataclass
class Tracker:
    """Writes records to the MLflow store at `uri`, and remembers the runs in the store.

    `writer` is the identity of the home, a tag of every run. `artifacts` is the folder for files,
    if the store is the home's own database; a server decides itself where it keeps files.
    """

    uri: str
    writer: str
    artifacts: Path | None = None
    rejected: dict[str, str] = field(default_factory=dict)
    """Why the store rejected a record, by run id, or a run of another kind, by title."""
    _experiments: dict[str, Experiment] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._client = MlflowClient(tracking_uri=self.uri)
        self._invocation_ends: dict[str, tuple[Experiment, str, datetime]] = {}

    def connect(self) -> None:
        """Open the store and create missing tables; raise a TrackingError if this fails."""
        with self._tracking_errors():
            self._client.search_experiments(max_results=1)

    def log_all(self, records: Sequence[Record]) -> Iterator[bool]:
        """Write the runs of many records; yield for each record whether its run was written.

        A record that the store rejects is skipped, and `rejected` says why. Several threads write
        to a server, whose answers take time, and one to SQLite, which accepts one writer.

        Raises:
            TrackingError: the store cannot be reached.
        """
        num_threads = SERVER_THREADS if self.uri.startswith("http") else 1
        with self._tracking_errors(), ThreadPoolExecutor(num_threads) as threads:
            pending: deque[tuple[Record, Future[None] | None]] = deque()
            try:
                for record in records:
                    writing = None
                    with self._skipping(record.run_id, record.invocation.id):
                        writing = self._submit(record, threads)
                    pending.append((record, writing))
                    if len(pending) > 2 * num_threads:
                        yield self._wait(*pending.popleft())
                while pending:
                    yield self._wait(*pending.popleft())
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise

    def complete(self, store: Store) -> int:
        """End the invocations, write the length runs whose content changed, and save the pages.

        `store` is the home with all records. Its length runs of comparisons that no longer exist
        are deleted. Return the number of length runs that were written.
        """
        self._close_invocations()
        num_written = self._refresh_length_runs(store)
        save_pages(store, *self.pages)
        return num_written

    def _refresh_length_runs(self, store: Store) -> int:
        with self._tracking_errors():
            registry = load_registry()
            records = local_records(store)
            runs = length_runs(compare(records, registry.task_versions), self.writer)
            num_written = 0
            for run in runs:
                with self._skipping(run.title, run.key):
                    num_written += self._write_length_run(run)
            current = {run.key for run in runs}
            for experiment in self._experiments.values():
                for key in experiment.runs.keys() - current:
                    if key.startswith(PREFIX) and key.endswith(f"-{self.writer}"):
                        experiment.delete(key)
        return num_written

    def _close_invocations(self) -> None:
        """Set the end times of the invocations whose cells were written since the last call."""
        with self._tracking_errors():
            while self._invocation_ends:
                key, (experiment, status, end) = self._invocation_ends.popitem()
                with self._skipping(key):
                    experiment.end(key, experiment.runs[key].run_id, status, end)

    def drop_duplicates(self) -> int:
        """Delete runs that two homes wrote at the same time, and return the number deleted."""
        dropped = 0
        with self._tracking_errors():
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
        writers = {self.writer, None} if self.artifacts else {self.writer}
        own: list[str] = []
        with self._tracking_errors():
            for experiment in all_found(self._client.search_experiments):
                runs = list(read_runs(self._client, experiment.experiment_id))
                ours = {run.run_id for run in runs if run.key and run.writer in writers}
                own += ours - {run.parent for run in runs if run.run_id not in ours}
        return own

    def clear(self) -> int:
        """Delete the runs that this home wrote (see `own_runs`), and return their number."""
        run_ids = self.own_runs()
        with self._tracking_errors():
            for run_id in run_ids:
                self._client.delete_run(run_id)
        self._experiments.clear()
        return len(run_ids)

    @property
    def pages(self) -> tuple[dict[str, str], dict[str, str]]:
        """The pages of the known runs in the MLflow UI, by key, and of experiments, by name."""
        runs, experiments = {}, {}
        for name, experiment in self._experiments.items():
            experiments[name] = f"#/experiments/{experiment.id}/runs"
            for key, run in experiment.runs.items():
                runs[key] = f"{experiments[name]}/{run.run_id}"
        return runs, experiments

    def holds(self, run_id: str) -> bool:
        """Return whether the store has the run of a record, as far as it has been read."""
        return any(run_id in experiment.runs for experiment in self._experiments.values())

    def _tracking_errors(self) -> AbstractContextManager[None]:
        return tracking_errors(self.uri, own=self.artifacts is not None)

    @contextmanager
    def _skipping(self, name: str, *begun: str) -> Iterator[None]:
        """Skip what the store rejects: note the reason, and delete the runs begun for it."""
        self.rejected.pop(name, None)
        try:
            yield
        except Exception as error:
            if is_of_store(error, self._answers):
                raise
            self.rejected[name] = describe(error)
            for experiment in self._experiments.values():
                for key in (name, *begun):
                    experiment.discard(key)

    def _answers(self) -> bool:
        try:
            self._client.search_experiments(max_results=1)
        except Exception:  # of any kind: the driver of a database has its own
            return False
        return True

    def _wait(self, record: Record, writing: Future[None] | None) -> bool:
        """Wait until a run is written; return False if it is not."""
        if writing is not None:
            with self._skipping(record.run_id):
                writing.result()
                return True
        return False

    def _submit(self, record: Record, threads: ThreadPoolExecutor) -> Future[None] | None:
        """Let a thread write a record's run; return None if the run exists or is not needed."""
        if record.status not in STATUSES:
            return None
        experiment = self._experiment(record)
        if experiment.holds(record.run_id):
            return None
        parent = self._invocation_run(experiment, record)
        return threads.submit(self._write_cell, experiment, record, parent)

    def _experiment(self, record: RecordSummary) -> Experiment:
        name = record.cell.task or PROBE_EXPERIMENT
        if name not in self._experiments:
            artifacts = (self.artifacts / folder_name(name)).as_uri() if self.artifacts else None
            self._experiments[name] = Experiment.open(self._client, name, self.writer, artifacts)
        return self._experiments[name]

    def _drop(self, experiment_id: str, run_id: str, in_favour_of: str) -> None:
        condition = f"tags.`{PARENT}` = '{run_id}'"
        for child in self._client.search_runs([experiment_id], condition, max_results=MAX_CHILDREN):
            self._client.set_tag(child.info.run_id, PARENT, in_favour_of)
        self._client.delete_run(run_id)

    def _invocation_run(self, experiment: Experiment, record: Record) -> str:
        """Return the id of the parent run, whose status is the worst of its cells so far."""
        invocation = record.invocation
        status = STATUSES[record.status]
        run = experiment.runs.get(invocation.id)
        if run is None or run.status == "RUNNING":
            title, tags = invocation_title(record), invocation_tags(record)
            run_id = experiment.begin(
                invocation.id, "invocation", title, invocation.started_at, tags
            )
            experiment.end(invocation.id, run_id, status, record.ended_at)
            return run_id
        worst = max(status, run.status, key=SEVERITY.index)
        if worst != run.status:
            experiment.end(invocation.id, run.run_id, worst, record.ended_at)
        self._invocation_ends[invocation.id] = (experiment, worst, record.ended_at)
        return run.run_id

    def _write_cell(self, experiment: Experiment, record: Record, parent: str) -> None:
        tags = {PARENT: parent, **cell_tags(record)}
        title = cell_title(record)
        run_id = experiment.begin(record.run_id, "cell", title, record.started_at, tags)
        timestamp = milliseconds(record.ended_at)
        metrics = [Metric(key, value, timestamp, 0) for key, value in metrics_of(record).items()]
        metrics += curve_metrics(record, timestamp)
        metrics += evaluation_length_metrics(record, timestamp)
        params = [Param(key, str(value)) for key, value in params_of(record).items()]
        experiment.log(run_id, metrics, params)
        if dataset := dataset_of(record):
            try:
                self._client.log_inputs(run_id, [dataset])
            except MlflowException:  # another writer has just created the same data set
                self._client.log_inputs(run_id, [dataset])
        self._client.log_text(run_id, record.to_json(), "record.json")
        if picture := curve_picture(record):
            self._client.log_figure(run_id, picture, "learning_curves.png")
        if predictions := predictions_table(record):
            self._client.log_text(run_id, predictions, "predictions.csv")
        experiment.end(record.run_id, run_id, STATUSES[record.status], record.ended_at)

    def _write_length_run(self, run: LengthRun) -> bool:
        """Write a length run; return False if the store has a run with the same content."""
        experiment = self._experiment(run.newest)
        stored = experiment.runs.get(run.key)
        if stored and stored.status == "FINISHED" and stored.content == run.content:
            return False
        start, end = run.newest.started_at, run.newest.ended_at
        run_id = experiment.begin(run.key, "lengths", run.title, start, run.tags)
        experiment.log(run_id, run.metrics, run.params)
        self._client.log_text(run_id, run.page(), "by_length.html")
        experiment.end(run.key, run_id, "FINISHED", end, run.content)
        return True
