"""Records → MLflow, idempotent: the only module that imports mlflow.

An experiment holds a task's runs (or the probes'). In it stand, each known by the tag
`lengthwise.key`:

- a run for each invocation, the parent of its cells;
- a run for each record of a cell that ran, with the record as an artifact;
- for each home, a run for each architecture and setting whose metrics have step = sequence length,
  made anew when its content changes, because MLflow never updates a metric in place.

A run is complete once it has its final status. One that is still RUNNING was cut off while it was
written, and is written again: at once where this home began it (whose lock on tracking is held by
whoever writes), after `LEASE_SECONDS` where another home did.

MLflow knows no unique keys: two homes that hold the same records may write one run twice at the
same moment. `drop_duplicates` then keeps the one whose id comes first, whoever asks.
"""

from __future__ import annotations

import hashlib
import html
import json
import sqlite3
import statistics
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset, DatasetInput, Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy import event
from sqlalchemy.engine import Engine

from suite.api import Mode, Status
from suite.api.errors import TrackingError
from suite.records.schema import Record, RecordSummary
from suite.records.standing import probed_machine
from suite.records.store import without_password

KEY = "lengthwise.key"
KIND = "lengthwise.kind"
CONTENT = "lengthwise.content"
WRITER = "lengthwise.writer"
BEGUN = "lengthwise.begun"
LEASE_SECONDS = 300.0
SERVER_THREADS = 6
PROBE_EXPERIMENT = "probe"
TRAINING_KIND = "custom_model_development"
"""The kind of experiment for which MLflow's UI shows training runs first."""
MAX_CURVE_POINTS = 50
MAX_METRICS_A_CALL = 900

STATUSES: Mapping[Status, str] = {
    Status.OK: "FINISHED",
    Status.FAILED: "FAILED",
    Status.OUT_OF_MEMORY: "FAILED",
    Status.TIMED_OUT: "FAILED",
    Status.DIVERGED: "FAILED",
    Status.INTERRUPTED: "KILLED",
}
"""What a record's status is in MLflow. Cells that were not run make no run."""
SEVERITY = ("FINISHED", "KILLED", "FAILED")

PARAMS = (
    *("task", "source", "architecture", "sequence_length", "seed", "round", "form", "model_size"),
    *("batch_size", "budget", "precision", "backend", "threads", "mode"),
)
VIEW = "lengthwise"
"""The key of the view that MLflow's UI opens where its address ends in `viewStateShareKey=` it."""
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
VIEW_COSTS = ("training.tokens_per_second", "training.peak_memory_bytes",
              "inference.tokens_per_second", "inference.peak_memory_bytes")  # fmt: skip
NOT_CHARTED = ("compile_seconds", "compile_peak_memory_bytes", "padded_tokens_per_second")
"""What the runs along the lengths leave out, to keep MLflow's charts few."""
LENGTH_RUN_PARAMS = frozenset(PARAMS) - {"sequence_length", "seed", "round", "batch_size"}


@dataclass
class Tracker:
    """Writes records to one MLflow store; remembers what is there already."""

    uri: str
    writer: str
    artifacts: Path | None = None
    _experiments: dict[str, _Experiment] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.uri.startswith("sqlite:"):
            _hurry_sqlite()
        self._client = MlflowClient(tracking_uri=self.uri)
        self._ends: dict[str, tuple[_Experiment, str, datetime]] = {}

    def connect(self) -> None:
        """Create or reach the store.

        Raises:
            TrackingError: it cannot be reached.
        """
        with _reachable(self.uri):
            self._client.search_experiments(max_results=1)

    def log(self, record: Record) -> bool:
        """Write a record's run and its invocation's; False where it stands already.

        Raises:
            TrackingError: the store cannot be reached.
        """
        return next(self.log_all([record]))

    def log_all(self, records: Sequence[Record]) -> Iterator[bool]:
        """Write the runs of many records; tell of one after the other whether it was written.

        A server is written to by several threads at once, which wait more than they work; SQLite
        takes one writer.

        Raises:
            TrackingError: the store cannot be reached.
        """
        num_threads = SERVER_THREADS if self.uri.startswith("http") else 1
        with _reachable(self.uri), ThreadPoolExecutor(num_threads) as threads:
            written: deque[Future[None] | None] = deque()
            try:
                for record in records:
                    written.append(self._begin_writing(record, threads))
                    if len(written) > 2 * num_threads:
                        yield _done(written.popleft())
                while written:
                    yield _done(written.popleft())
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise

    def _begin_writing(self, record: Record, threads: ThreadPoolExecutor) -> Future[None] | None:
        """Let a thread write a record's run; None where none is needed."""
        if record.status not in STATUSES:
            return None
        experiment = self._experiment(record)
        if experiment.stands(record.run_id, self.writer):
            return None
        parent = self._invocation_run(experiment, record)
        return threads.submit(self._write_cell, experiment, record, parent)

    def refresh_length_runs(self, records: Iterable[RecordSummary]) -> int:
        """Make the runs along the sequence length agree with the records that stand."""
        made = 0
        with _reachable(self.uri):
            for key, group in sorted(_by_setting(records).items()):
                own = f"{key}-{self.writer}"  # another home's seeds make other means
                made += self._write_lengths(self._experiment(group[0]), own, group)
        return made

    def drop_duplicates(self) -> int:
        """Delete what another wrote at the same moment, and return how many runs that were."""
        dropped = 0
        with _reachable(self.uri):
            for experiment in self._experiments.values():
                kept: dict[str, _Standing] = {}
                for key, standing in sorted(
                    self._standing_runs(experiment.id), key=lambda run: run[1].run_id
                ):
                    if standing.status == "RUNNING":
                        continue
                    if kept.setdefault(key, standing) is not standing:
                        self._drop(experiment.id, standing.run_id, in_favour_of=kept[key].run_id)
                        dropped += 1
                experiment.runs.update(kept)
        return dropped

    def pages(self) -> dict[str, str]:
        """Return by key where MLflow's UI shows the runs of the experiments looked at so far."""
        return {
            key: f"#/experiments/{experiment.id}/runs/{standing.run_id}"
            for experiment in self._experiments.values()
            for key, standing in experiment.runs.items()
        }

    def views(self) -> dict[str, str]:
        """Return by experiment where MLflow's UI shows its cells with the columns that matter."""
        return {
            name: f"#/experiments/{experiment.id}/runs?viewStateShareKey={VIEW}"
            for name, experiment in self._experiments.items()
            if VIEW_TAG in experiment.tags
        }

    def _drop(self, experiment_id: str, run_id: str, in_favour_of: str) -> None:
        """Delete a run; the children it had become the other's."""
        condition = f"tags.`mlflow.parentRunId` = '{run_id}'"
        for child in self._client.search_runs([experiment_id], condition, max_results=10_000):
            self._client.set_tag(child.info.run_id, "mlflow.parentRunId", in_favour_of)
        self._client.delete_run(run_id)

    def clear(self) -> int:
        """Delete every run that Lengthwise wrote to the store, and return how many."""
        deleted = 0
        with _reachable(self.uri):
            for experiment in self._client.search_experiments():
                for _, standing in list(self._standing_runs(experiment.experiment_id)):
                    self._client.delete_run(standing.run_id)
                    deleted += 1
        self._experiments.clear()
        return deleted

    def _experiment(self, record: RecordSummary) -> _Experiment:
        name = record.cell.task or PROBE_EXPERIMENT
        if name not in self._experiments:
            found = self._client.get_experiment_by_name(name)
            experiment_id = found.experiment_id if found else self._create_experiment(name)
            runs = dict(self._standing_runs(experiment_id))
            tags = dict(found.tags) if found else {}
            self._experiments[name] = _Experiment(experiment_id, runs, tags)
        return self._experiments[name]

    def _create_experiment(self, name: str) -> str:
        location = (self.artifacts / name).as_uri() if self.artifacts else None
        note = (
            "Speed and memory of architectures on random tokens, against sequence length."
            if name == PROBE_EXPERIMENT
            else f"Task {name}: every cell of the matrix. Runs of kind `lengths` chart each "
            "architecture against sequence length (their step)."
        )
        try:
            created = self._client.create_experiment(
                name,
                artifact_location=location,
                tags={"mlflow.note.content": note, "mlflow.experimentKind": TRAINING_KIND},
            )
        except MlflowException:  # another invocation was first
            found = self._client.get_experiment_by_name(name)
            if found is None:
                raise
            created = found.experiment_id
        return str(created)

    def _standing_runs(self, experiment_id: str) -> Iterator[tuple[str, _Standing]]:
        token = None
        while True:
            page = self._client.search_runs([experiment_id], max_results=1_000, page_token=token)
            for run in page:
                tags = run.data.tags
                if key := tags.get(KEY):
                    yield (
                        key,
                        _Standing(
                            run.info.run_id,
                            run.info.status,
                            tags.get(CONTENT),
                            tags.get(WRITER),
                            float(tags.get(BEGUN, 0)),
                        ),
                    )
            token = page.token
            if not token:
                return

    def _begin(
        self,
        experiment: _Experiment,
        key: str,
        kind: str,
        name: str,
        start: datetime,
        tags: Mapping[str, str],
    ) -> str:
        """Create a run, in place of a half-written one of the same key."""
        if standing := experiment.runs.pop(key, None):
            self._client.delete_run(standing.run_id)
        run = self._client.create_run(
            experiment.id,
            start_time=_milliseconds(start),
            run_name=name,
            tags={KEY: key, KIND: kind, WRITER: self.writer, BEGUN: f"{time.time():.3f}", **tags},
        )
        return str(run.info.run_id)

    def _end(
        self,
        experiment: _Experiment,
        key: str,
        run_id: str,
        status: str,
        end: datetime,
        content: str | None = None,
    ) -> None:
        self._client.set_terminated(run_id, status=status, end_time=_milliseconds(end))
        experiment.runs[key] = _Standing(run_id, status, content, self.writer)

    def _invocation_run(self, experiment: _Experiment, record: Record) -> str:
        """Return the parent run; its status is the worst of its cells' so far."""
        invocation = record.invocation
        status = STATUSES[record.status]
        standing = experiment.runs.get(invocation.id)
        if standing is None or standing.status == "RUNNING":
            tags = {
                "lengthwise.command": invocation.command,
                **_environment_tags(record),
            }
            if invocation.planned_cells is None:  # a search
                what = " ".join(invocation.command.split()[:2])
            else:
                tags["lengthwise.planned_cells"] = str(invocation.planned_cells)
                what = f"{invocation.planned_cells} cells"
            name = f"{invocation.started_at:%Y-%m-%d %H:%M:%S} · {what}"
            run_id = self._begin(
                experiment, invocation.id, "invocation", name, invocation.started_at, tags
            )
            self._end(experiment, invocation.id, run_id, status, record.ended_at)
            return run_id
        worst = max(status, standing.status, key=SEVERITY.index)
        if worst != standing.status:
            self._end(experiment, invocation.id, standing.run_id, worst, record.ended_at)
        self._ends[invocation.id] = (experiment, worst, record.ended_at)
        return standing.run_id

    def close_invocations(self) -> None:
        """Write down when the invocations ended whose cells were written since."""
        with _reachable(self.uri):
            while self._ends:
                key, (experiment, status, end) = self._ends.popitem()
                self._end(experiment, key, experiment.runs[key].run_id, status, end)

    def _write_cell(self, experiment: _Experiment, record: Record, parent: str) -> None:
        cell = record.cell
        repeat = f"seed {cell.seed}" if cell.task else f"round {cell.round}"
        tags = {
            "mlflow.parentRunId": parent,
            "lengthwise.status": str(record.status),
            "lengthwise.cell": record.cell_id,
            "lengthwise.invocation": record.invocation.id,
            "lengthwise.protocol": str(record.protocol),
            **_axis_tags(record),
            **_environment_tags(record),
        }
        if record.reason:
            tags["lengthwise.reason"] = record.reason[:500]
        name = f"{cell.architecture} · {cell.sequence_length} · {repeat}"
        run_id = self._begin(experiment, record.run_id, "cell", name, record.started_at, tags)
        moment = _milliseconds(record.ended_at)
        metrics = [Metric(key, value, moment, 0) for key, value in _final_metrics(record).items()]
        metrics += _curve_metrics(record, moment)
        params = [Param(key, str(value)) for key, value in _params(record).items()]
        for start in range(0, max(1, len(metrics)), MAX_METRICS_A_CALL):
            self._client.log_batch(
                run_id,
                metrics=metrics[start : start + MAX_METRICS_A_CALL],
                params=params if start == 0 else [],
            )
        if dataset := _dataset(record):
            try:
                self._client.log_inputs(run_id, [dataset])
            except MlflowException:  # somebody else wrote the same data set at this moment
                self._client.log_inputs(run_id, [dataset])
        self._client.log_text(run_id, record.to_json(), "record.json")
        if record.status is Status.OK:
            self._make_view(experiment, record)
        self._end(experiment, record.run_id, run_id, STATUSES[record.status], record.ended_at)

    def _make_view(self, experiment: _Experiment, record: Record) -> None:
        """Let MLflow's UI show of an experiment what matters, once a cell has shown what that is.

        The UI has no other way to be told its columns than a view somebody shared, a tag.
        """
        if VIEW_TAG not in experiment.tags:
            view = _view(record)
            self._client.set_experiment_tag(experiment.id, VIEW_TAG, view)
            experiment.tags[VIEW_TAG] = view

    def _write_lengths(self, experiment: _Experiment, key: str, group: list[RecordSummary]) -> int:
        """Write one architecture's run along the lengths, unless the same content stands."""
        points = _points_by_length(group)
        content = hashlib.sha256(json.dumps(points, sort_keys=True).encode()).hexdigest()[:32]
        standing = experiment.runs.get(key)
        if standing and standing.status == "FINISHED" and standing.content == content:
            return 0
        newest = max(group, key=lambda record: record.ended_at)
        cell = newest.cell
        tags = {CONTENT: content, "lengthwise.status": "ok", **_axis_tags(newest)}
        if cell.mode is Mode.PROBE and (processor := newest.environment.get("processor")):
            tags["lengthwise.processor"] = str(processor)
        title = f"{cell.architecture} · all lengths"
        run_id = self._begin(experiment, key, "lengths", title, newest.started_at, tags)
        moment = _milliseconds(newest.ended_at)
        metrics = [
            Metric(name, value, moment, length)
            for name, values in points.items()
            for length, value in values.items()
        ]
        params = {k: v for k, v in _params(newest).items() if k in LENGTH_RUN_PARAMS}
        self._client.log_batch(
            run_id, metrics=metrics, params=[Param(k, str(v)) for k, v in params.items()]
        )
        self._client.log_text(run_id, _page_by_length(title, points), "by_length.html")
        self._end(experiment, key, run_id, "FINISHED", newest.ended_at, content)
        return 1


@dataclass(frozen=True, slots=True)
class _Standing:
    """A run that MLflow has."""

    run_id: str
    status: str
    content: str | None
    writer: str | None = None
    begun: float = 0.0


@dataclass(frozen=True, slots=True)
class _Experiment:
    """An experiment and the runs of ours in it, by key."""

    id: str
    runs: dict[str, _Standing]
    tags: dict[str, str]

    def stands(self, key: str, writer: str) -> bool:
        """Whether a run of that key was written to its end, or another home is writing it now."""
        run = self.runs.get(key)
        if run is None or run.status != "RUNNING":
            return run is not None
        return run.writer not in (None, writer) and time.time() - run.begun < LEASE_SECONDS


def _hurry(connection: Any, _: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


def _hurry_sqlite() -> None:
    """Let SQLite not wait for the disk at every commit: what is lost is made from records again."""
    if not event.contains(Engine, "connect", _hurry):
        event.listen(Engine, "connect", _hurry)


def _done(writing: Future[None] | None) -> bool:
    """Wait until a run is written; False where there was none to write."""
    if writing is not None:
        writing.result()
    return writing is not None


class _reachable:  # noqa: N801 - reads as a condition: with _reachable(uri)
    """Turns what MLflow raises while its store cannot be used into our own error."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, MlflowException | OSError):
            message = (str(error).strip().splitlines() or [""])[0][:200]
            raise TrackingError(
                "The MLflow store cannot be used",
                received=f"{without_password(self.uri)}: {message.replace(self.uri, '…')}",
                remedy="Mend it, then run `bench sync`: records wait for it",
            ) from None


def _by_setting(records: Iterable[RecordSummary]) -> dict[str, list[RecordSummary]]:
    """Group the good records that differ only in length, batch size, seed and round.

    Probes of several machines make groups of their own.
    """
    groups: dict[str, list[RecordSummary]] = {}
    for record in records:
        if record.status is Status.OK:
            setting = asdict(record.cell)
            for repeated in ("sequence_length", "batch_size", "seed", "round"):
                del setting[repeated]
            what = [setting, record.protocol, *probed_machine(record)]
            digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
            groups.setdefault(f"lengths-{digest[:16]}", []).append(record)
    return groups


def _page_by_length(title: str, points: Mapping[str, Mapping[int, float]]) -> str:
    """Return a table that the MLflow UI shows as it is: a row a measure, a column a length."""
    lengths = sorted({length for values in points.values() for length in values})
    head = "".join(f"<th>{length}</th>" for length in lengths)
    rows = "".join(
        f"<tr><th align=left>{html.escape(name)}</th>"
        + "".join(
            f"<td align=right>{values[length]:.5g}</td>" if length in values else "<td></td>"
            for length in lengths
        )
        + "</tr>"
        for name, values in sorted(points.items())
    )
    return (
        "<!doctype html><meta charset=utf-8><style>body{font:14px system-ui}"
        "td,th{padding:2px 10px;border-bottom:1px solid #ddd}</style>"
        f"<h3>{html.escape(title)}</h3><p>Means over seeds or rounds, by sequence length.</p>"
        f"<table><tr><th></th>{head}</tr>{rows}</table>"
    )


def _points_by_length(group: Iterable[RecordSummary]) -> dict[str, dict[int, float]]:
    """Return metric → length → the mean over seeds and rounds."""
    samples: dict[str, dict[int, list[float]]] = {}
    for record in group:
        for name, value in _final_metrics(record).items():
            if name.startswith("validation.") or name.endswith(NOT_CHARTED):
                continue
            samples.setdefault(name, {}).setdefault(record.cell.sequence_length, []).append(value)
    return {
        name: {length: statistics.fmean(values) for length, values in sorted(by_length.items())}
        for name, by_length in samples.items()
    }


def _final_metrics(record: RecordSummary) -> dict[str, float]:
    """Return the few figures worth a column: scores by split, speed, memory, size."""
    figures: dict[str, float | None] = {
        f"{split}.{name}": value
        for split, values in record.metrics.items()
        for name, value in values.items()
    }
    for phase, measurements in record.measurements.items():
        for name, measured in measurements.items():
            figures[f"{phase}.{name}"] = measured.value
    figures["parameter_count"] = record.parameter_count
    return {name: float(value) for name, value in figures.items() if value is not None}


def _curve_metrics(record: Record, moment: int) -> list[Metric]:
    """Return the curves, thinned, with step = training tokens seen."""
    metrics = []
    for name, curve in record.curves.items():
        stride = max(1, -(-len(curve.tokens) // MAX_CURVE_POINTS))
        points = list(zip(curve.tokens, curve.values, strict=True))
        kept = points[::stride]
        if points and points[-1] != kept[-1]:
            kept.append(points[-1])
        metrics += [
            Metric(f"curve.{name}", value, moment, tokens)
            for tokens, value in kept
            if value is not None
        ]
    return metrics


def _view(record: Record) -> str:
    """Return what MLflow's UI shows of an experiment of such records: cells, by what matters."""
    curves = [name.removeprefix("validation_") for name in record.curves]
    quality = [f"test.{name}" for name in curves if name in record.metrics.get("test", {})]
    columns = [f"metrics.`{name}`" for name in (*quality, *VIEW_COSTS)]
    columns += [f"params.`{name}`" for name in ("source", "model_size", "batch_size", "budget")]
    view = {
        "searchFilter": f"tags.`{KIND}` = 'cell'",
        # A name is architecture, length, seed. In order of time cells hide in their invocation.
        "orderByKey": "tags.`mlflow.runName`",
        "orderByAsc": True,
        "selectedColumns": [*columns, "tags.`lengthwise.status`"],
    }
    return json.dumps(view)


def _params(record: RecordSummary) -> dict[str, Any]:
    params = {name: getattr(record.cell, name) for name in PARAMS}
    params |= {f"option.{name}": value for name, value in record.cell.options.items()}
    return {name: value for name, value in params.items() if value is not None}


def _axis_tags(record: RecordSummary) -> dict[str, str]:
    cell = record.cell
    tags = {"architecture": cell.architecture, "source": cell.source, "size": cell.model_size}
    return {f"lengthwise.{name}": value for name, value in tags.items() if value}


def _environment_tags(record: Record) -> dict[str, str]:
    environment = record.environment
    tags = {"commit": environment.get("commit"), "processor": environment.get("processor")}
    if environment.get("commit"):
        tags["dirty"] = str(environment.get("dirty")).lower()
    return {f"lengthwise.{name}": str(value) for name, value in tags.items() if value}


def _dataset(record: Record) -> DatasetInput | None:
    if not record.data or "fingerprint" not in record.data:
        return None
    fingerprint = str(record.data["fingerprint"])
    profile = {name: record.data.get(name) for name in ("words", "sentences", "licence")}
    dataset = Dataset(
        name=f"{record.cell.task} {record.cell.source}",
        digest=fingerprint[:36],
        source_type=record.cell.source_kind,
        source=json.dumps({"source": record.cell.source}),
        profile=json.dumps(profile),
    )
    return DatasetInput(dataset=dataset, tags=[])


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)
