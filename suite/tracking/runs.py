"""A record as an MLflow run: parameters, metrics, tags, and data set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlflow.entities import Dataset, DatasetInput, Metric

from suite.api import Status, methods_text
from suite.api.evaluation_lengths import BY_EVALUATION_LENGTH
from suite.records.environment import commit_of
from suite.records.schema import Record, RecordSummary

STATUSES: Mapping[Status, str] = {
    Status.OK: "FINISHED",
    Status.FAILED: "FAILED",
    Status.OUT_OF_MEMORY: "FAILED",
    Status.TIMED_OUT: "FAILED",
    Status.DIVERGED: "FAILED",
    Status.INTERRUPTED: "KILLED",
}
"""A record's status → its run's status. Cells that did not run have no MLflow run."""
SEVERITY = ("FINISHED", "KILLED", "FAILED")

PARAMS = (
    *("task", "source", "architecture", "sequence_length", "seed", "round", "form", "model_size"),
    *("batch_size", "steps", "precision", "backend", "threads", "mode", "benchmark"),
)
MAX_CURVE_POINTS = 50
MAX_REASON_CHARACTERS = 500


def cell_title(record: RecordSummary) -> str:
    """Return the name of a cell's run."""
    cell = record.cell
    repeat = f"seed {cell.seed}" if cell.task else f"round {cell.round}"
    methods = [methods_text(cell.methods)] if cell.methods else []
    return " · ".join([cell.architecture, *methods, str(cell.sequence_length), repeat])


def cell_tags(record: Record) -> dict[str, str]:
    """Return the tags of a cell's run."""
    tags = {
        "lengthwise.status": str(record.status),
        "lengthwise.cell": record.cell_id,
        "lengthwise.invocation": record.invocation.id,
        "lengthwise.protocol": str(record.protocol),
        **axis_tags(record),
        **environment_tags(record),
    }
    if noisy := record.details.get("noisy"):
        tags["lengthwise.noisy"] = ", ".join(noisy)
    if record.reason:
        tags["lengthwise.reason"] = record.reason[:MAX_REASON_CHARACTERS]
    return tags


def invocation_title(record: Record) -> str:
    """Return the name of the run of a record's invocation."""
    invocation = record.invocation
    if invocation.planned_cells is None:  # a search plans its cells as it goes
        content = " ".join(invocation.command.split()[:2])
    else:
        content = f"{invocation.planned_cells} cells"
    return f"{invocation.started_at:%Y-%m-%d %H:%M:%S} · {content}"


def invocation_tags(record: Record) -> dict[str, str]:
    """Return the tags of the run of a record's invocation."""
    invocation = record.invocation
    tags = {"lengthwise.command": invocation.command, **environment_tags(record)}
    if invocation.planned_cells is not None:
        tags["lengthwise.planned_cells"] = str(invocation.planned_cells)
    return tags


def params_of(record: RecordSummary) -> dict[str, Any]:
    """Return the parameters of a record's run: the fields of its cell and the options in force."""
    params = {name: getattr(record.cell, name) for name in PARAMS}
    if lengths := record.cell.evaluation_lengths:
        params["evaluation_lengths"] = ",".join(map(str, lengths))
    if methods := record.cell.methods:
        params["methods"] = methods_text(methods)
        for method in methods:
            params |= {f"{method.name}.{name}": value for name, value in method.options.items()}
    params |= {f"option.{name}": value for name, value in record.cell.options.items()}
    return {name: value for name, value in params.items() if value is not None}


def metrics_of(record: RecordSummary) -> dict[str, float]:
    """Return the final metrics of a record: scores by split, measurements by phase, parameters.

    Scores under a condition are named after it, as "test.accuracy under typos 0.1". Figures of a
    variant begin with its name, as "trained.test.accuracy".
    """
    metrics: dict[str, float | None] = {
        f"{split}.{name}": value
        for split, values in record.metrics.items()
        for name, value in values.items()
    }
    for phase, measurements in record.measurements.items():
        for name, measured in measurements.items():
            metrics[f"{phase}.{name}"] = measured.value
    for condition, splits in record.conditions.items():
        # MLflow has no "=" in names.
        under = condition.replace("=", " ")
        for split, values in splits.items():
            metrics |= {f"{split}.{name} under {under}": value for name, value in values.items()}
    for variant, figures in record.variants.items():
        for split, values in figures.metrics.items():
            metrics |= {f"{variant}.{split}.{name}": value for name, value in values.items()}
        for phase, measures in figures.measurements.items():
            metrics |= {
                f"{variant}.{phase}.{name}": measure.value for name, measure in measures.items()
            }
    metrics["parameter_count"] = record.parameter_count
    return {name: float(value) for name, value in metrics.items() if value is not None}


def curve_metrics(record: Record, timestamp: int) -> list[Metric]:
    """Return the training curves with step = training tokens, thinned to `MAX_CURVE_POINTS`."""
    metrics = []
    for name, curve in record.curves.items():
        stride = max(1, -(-len(curve.tokens) // MAX_CURVE_POINTS))
        points = list(zip(curve.tokens, curve.values, strict=True))
        kept = points[::stride]
        if points and points[-1] != kept[-1]:
            kept.append(points[-1])
        metrics += [
            Metric(f"curve.{name}", value, timestamp, tokens)
            for tokens, value in kept
            if value is not None
        ]
    return metrics


def evaluation_length_metrics(record: RecordSummary, timestamp: int) -> list[Metric]:
    """Return the scores at each evaluation length, with step = evaluation length.

    Their names are those of the scores at the training length, after "by_evaluation_length.".
    """
    return [
        Metric(f"{BY_EVALUATION_LENGTH}.{split}.{name}", value, timestamp, int(length))
        for split, reports in record.reports.items()
        for length, figures in reports.get("by_evaluation_length", {}).items()
        if not isinstance(figures, str)
        for name, value in figures.items()
        if value is not None
    ]


def dataset_of(record: Record) -> DatasetInput | None:
    """Return the data set of a record; None for a probe, which uses random tokens."""
    if not record.data or "fingerprint" not in record.data:
        return None
    fingerprint = str(record.data["fingerprint"])
    profile = {name: record.data.get(name) for name in ("words", "examples", "licence")}
    dataset = Dataset(
        name=f"{record.cell.task} {record.cell.source}",
        digest=fingerprint[:36],
        source_type=record.cell.source_kind,
        source=json.dumps({"source": record.cell.source}),
        profile=json.dumps(profile),
    )
    return DatasetInput(dataset=dataset, tags=[])


def axis_tags(record: RecordSummary) -> dict[str, str]:
    """Return the tags by which users group and filter runs."""
    cell = record.cell
    tags = {
        "architecture": cell.architecture,
        "methods": methods_text(cell.methods),
        "source": cell.source,
        "size": cell.model_size,
    }
    return {f"lengthwise.{name}": value for name, value in tags.items() if value}


def environment_tags(record: Record) -> dict[str, str]:
    """Return the tags with the commit and the processor of a record."""
    environment = record.environment
    tags = {"commit": commit_of(environment), "processor": environment.get("processor")}
    if tags["commit"]:
        tags["dirty"] = str(environment.get("dirty")).lower()
    return {f"lengthwise.{name}": str(value) for name, value in tags.items() if value}
