"""A record as an MLflow run: parameters, metrics, tags, data set and files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mlflow.entities import Dataset, DatasetInput, Metric

from suite.api import Mode, Status, methods_text
from suite.api.evaluation_lengths import BY_EVALUATION_LENGTH
from suite.records.command_line import without_formula
from suite.records.environment import commit_of
from suite.records.measures import phase_of
from suite.records.model_sizes import MODEL_SIZES
from suite.records.schema import Curve, Record, RecordSummary

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
DISTURBED = "disturbed."
"""The start of the names of costs that other programs disturbed."""
DEFAULT_OPTIMIZER = "adamw"
MAX_REASON_CHARACTERS = 500


def cell_title(record: RecordSummary) -> str:
    """Return the name of a cell's run."""
    cell = record.cell
    repeat = f"seed {cell.seed}" if cell.task else f"round {cell.round}"
    steps = f"{cell.steps:,} steps" if cell.task else ""
    place = [str(cell.sequence_length), cell.benchmark or ("trial" if cell.task else ""), steps]
    return " · ".join(filter(None, [record.ranking.entry, *place, repeat]))


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
    """Return the parameters of a record's run: the fields of its cell and the options in force.

    The learning rate, the optimizer, the size of the model and the digest of the data are named,
    whatever set them.
    """
    params = {name: getattr(record.cell, name) for name in PARAMS}
    if size := MODEL_SIZES.get(record.cell.model_size):
        params |= {"width": size.width, "layers": size.num_layers, "heads": size.num_heads}
    if record.cell.mode is Mode.TRAIN:
        data = record.data or {}
        named = [m.options.get("name") for m in record.cell.methods if m.name == "optimizer"]
        params |= {
            "learning_rate": record.ranking.learning_rate,
            "optimizer": next(iter(named), DEFAULT_OPTIMIZER),
            "data_digest": data.get("digest") or data.get("fingerprint"),
        }
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
    variant begin with its name, as "trained.test.accuracy". Costs that other programs disturbed
    begin with `DISTURBED`.
    """

    def marked(measure: str) -> str:
        return measure if record.is_quiet(phase_of(measure)) else f"{DISTURBED}{measure}"

    metrics: dict[str, float | None] = {
        f"{split}.{name}": value
        for split, values in record.metrics.items()
        for name, value in values.items()
    }
    metrics |= {marked(measure): value for measure, value in record.costs().items()}
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
                f"{variant}.{marked(f'{phase}.{name}')}": measure.value
                for name, measure in measures.items()
            }
    metrics["parameter_count"] = record.parameter_count
    return {name: float(value) for name, value in metrics.items() if value is not None}


def steps_of(record: Record, curve: Curve) -> tuple[list[int], str]:
    """Return the place of each point of a learning curve, and what is counted there.

    A curve counts training tokens. They become updates if the record says how many tokens its
    updates read.
    """
    details: Mapping[str, Any] = record.details
    updates, tokens = details.get("training_steps"), details.get("training_tokens")
    if not updates or not tokens:
        return list(curve.tokens), "training tokens"
    return [round(place * updates / tokens) for place in curve.tokens], "updates"


def curve_metrics(record: Record, timestamp: int) -> list[Metric]:
    """Return the learning curves, thinned to `MAX_CURVE_POINTS`; the step is that of `steps_of`."""
    metrics = []
    for name, curve in record.curves.items():
        stride = max(1, -(-len(curve.tokens) // MAX_CURVE_POINTS))
        steps, unit = steps_of(record, curve)
        points = list(zip(steps, curve.values, strict=True))
        kept = points[::stride]
        if points and points[-1] != kept[-1]:
            kept.append(points[-1])
        metrics += [
            Metric(f"curve.{name} by {unit}", value, timestamp, step)
            for step, value in kept
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


PREDICTIONS = ("input", "expected", "answer", "right")
"""The columns of the file of predictions."""
SIZE_INCHES = (8.0, 3.2)
"""The size of the picture; each curve has a panel."""


def curve_picture(record: Record) -> Figure | None:
    """Return the learning curves of a record, each in a panel; None if it has none."""
    curves = {name: curve for name, curve in record.curves.items() if len(curve.tokens) > 1}
    if not curves:
        return None
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(cell_title(record), parse_math=False)
    for axes, (name, curve) in zip(figure.subplots(1, len(curves), squeeze=False)[0],
                                   curves.items(), strict=True):  # fmt: skip
        _draw(axes, record, name, curve)
    return figure


def _draw(axes: Any, record: Record, name: str, curve: Curve) -> None:
    steps, unit = steps_of(record, curve)
    points = [
        (step, value) for step, value in zip(steps, curve.values, strict=True) if value is not None
    ]
    axes.plot(*zip(*points, strict=True), marker=".")
    axes.set_title(name.replace("_", " "), parse_math=False)
    axes.set_xlabel(unit)
    axes.grid(alpha=0.3)


def predictions_table(record: Record) -> str | None:
    """Return the predictions of examples on the scored split, as CSV; None if there are none."""
    split = "test" if record.cell.scores_test else "validation"
    examples: Any = record.reports.get(split, {}).get("examples") or []
    if not examples:
        return None
    text = io.StringIO()
    writer = csv.DictWriter(text, PREDICTIONS, extrasaction="ignore")
    writer.writeheader()
    for example in examples:
        writer.writerow({name: without_formula(value) for name, value in example.items()})
    return text.getvalue()
