"""Kept weights as MLflow's LoggedModels: files, parameters and scores on a data set, no pickles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric
from mlflow.tracking import MlflowClient

from suite.api.weights import KeptWeights
from suite.records.schema import Record
from suite.records.store import Store
from suite.records.weights import kept_weights
from suite.tracking.connection import is_own, lock_writing, tracking_uri
from suite.tracking.experiments import KEY, milliseconds
from suite.tracking.failures import tracking_errors
from suite.tracking.runs import axis_tags, dataset_of, metrics_of, params_of

WEIGHTS = "lengthwise.weights"
"""The tag with the checksum of a model's weights, by which a model is found again."""
TYPE = "keras-weights"
"""The type of the models: the weights in Keras's format, and the description that builds them."""


def log_models(
    store: Store,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Log the kept weights of each run that MLflow has, unless it has them; return their number.

    A model is the output of its run, and has its parameters and its scores on its data set.

    Raises:
        TrackingError: the MLflow store cannot be reached.
        HomeError: weights have changed since they were written.
    """
    uri = tracking_uri(store)
    written = 0
    with lock_writing(store), tracking_errors(uri, own=is_own(store)):
        client = MlflowClient(tracking_uri=uri)
        kept = kept_weights(store)
        for done, (record, weights) in enumerate(kept, start=1):
            written += _log(client, record, weights)
            on_progress(done, len(kept))
    return written


def _log(client: MlflowClient, record: Record, kept: KeptWeights) -> bool:
    """Log the model of a run; return False if MLflow has it already, or lacks the run."""
    experiment = client.get_experiment_by_name(str(record.cell.task))
    if experiment is None:
        return False
    experiments = [experiment.experiment_id]
    runs = client.search_runs(experiments, f"tags.`{KEY}` = '{record.run_id}'", max_results=1)
    if not runs:
        return False
    for model in client.search_logged_models(experiments, f"tags.`{WEIGHTS}` = '{kept.sha256}'"):
        if model.status is LoggedModelStatus.READY:
            return False
        client.delete_logged_model(model.model_id)  # a killed command left it incomplete
    kept.check()
    run_id, cell = runs[0].info.run_id, record.cell
    model = client.create_logged_model(
        experiment.experiment_id,
        name=f"{cell.architecture}-{cell.sequence_length}-seed-{cell.seed}",
        source_run_id=run_id,
        tags={WEIGHTS: kept.sha256, "lengthwise.cell": record.cell_id, **axis_tags(record)},
        params={name: str(value) for name, value in params_of(record).items()},
        model_type=TYPE,
    )
    client.log_model_artifacts(model.model_id, str(kept.folder))
    client.log_batch(run_id, metrics=_metrics(record, model.model_id))
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return True


def _metrics(record: Record, model_id: str) -> list[Metric]:
    dataset = dataset_of(record)
    on_data: dict[str, Any] = {}
    if dataset is not None:
        on_data = {
            "dataset_name": dataset.dataset.name,
            "dataset_digest": dataset.dataset.digest,
        }
    timestamp = milliseconds(record.ended_at)
    return [
        Metric(name, value, timestamp, 0, model_id=model_id, **on_data)
        for name, value in metrics_of(record).items()
    ]
