"""Read records, compare them, and load the models that they kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.actions.caller import read_registry
from suite.actions.request import Names, Numbers, PathLike, make_store, names_of, numbers_of
from suite.actions.results import Records, Tables
from suite.analysis.comparisons import compare as compare_records
from suite.analysis.comparisons import in_precedence
from suite.analysis.diagnostics import Diagnostic, find_diagnostics
from suite.analysis.tables import make_tables, record_filter, tables_of
from suite.api.plugins import search_path_from_environment
from suite.execution.prediction import predict_file
from suite.matrix.registry import load_registry
from suite.records.published import (
    local_record,
    local_records,
    read_published,
    without_trials,
)
from suite.records.schema import RecordSummary
from suite.records.store import collector_paused
from suite.records.weights import find_weights, weights_of

if TYPE_CHECKING:
    from suite.worker.predicting import TrainedModel


def read_records(
    home: PathLike | None = None,
    *,
    published: bool = False,
    tasks: Names | None = None,
    mode: str | None = None,
) -> Records:
    """Return the latest record of each cell of a home, or the published records.

    `tasks` and `mode` select some of them.

    ```python
    suite.read_records(published=True, tasks="ner").to_frame()
    ```

    Raises:
        RequestError: there is no such task or mode.
        RecordError: a published file cannot be read.
    """
    if published:
        records: Iterable[RecordSummary] = [stored.record for stored in read_published()]
    else:
        records = make_store(home).summaries()
    return Records(_select(records, tasks, mode))


def compare(
    records: Records | Iterable[RecordSummary] | PathLike | None = None,
    *,
    tasks: Names | None = None,
    mode: str | None = None,
) -> Tables:
    """Return tables of scores and costs: one for each group of records that may be compared.

    `records` are records, or the path of a home (by default your own). A score is the mean over
    seeds. A cost is the geometric mean over the runs that no other process disturbed, or over the
    disturbed ones if there are no others.

    ```python
    tables = suite.compare(suite.read_records(published=True), tasks="ner")
    tables.to_frame()
    ```

    Raises:
        RequestError: there is no such task or mode.
    """
    if records is None or isinstance(records, str | os.PathLike):
        records = make_store(records).summaries()
    stored = [local_record(record, Path()) for record in _select(records, tasks, mode)]
    registry = load_registry()
    return Tables(make_tables(stored, registry.task_versions, registry.architectures.plugins))


@dataclass(frozen=True, slots=True)
class Report:
    """Tables of the records of `origin`, without `num_trials` trials and `num_superseded` old runs.

    `diagnostics` are those of tasks with exact answers.
    """

    tables: Tables
    diagnostics: Sequence[Diagnostic]
    origin: Path
    num_trials: int
    num_superseded: int


def report(
    home: PathLike | None = None,
    *,
    published: bool = False,
    trials: bool = False,
    samples: bool = False,
    tasks: Names | None = None,
    mode: str | None = None,
    benchmark: str | None = None,
    architectures: Names | None = None,
    lengths: Numbers | None = None,
) -> Report:
    """Return tables of the records of a home, or of the published records without their trials.

    `trials` includes the published trials, and `samples` the texts that language models generated.
    `architectures` and `lengths` select rows, whose ranks stay the same; the diagnostics are left
    out then.

    Raises:
        RequestError: there is no such task, mode or architecture, or a length is no number.
        RecordError: a published file cannot be read.
    """
    registry, store = read_registry(), make_store(home)
    names = None if tasks is None else names_of("tasks", tasks)
    with collector_paused():
        known = read_published() if published else local_records(store)
        is_chosen = record_filter(names, mode, registry.tasks.plugins, benchmark)
        chosen = [stored for stored in known if is_chosen(stored.record)]
        shown = without_trials(chosen) if published and not trials else chosen
        compared = compare_records(shown, registry.task_versions)
        comparisons = in_precedence(compared, own_first=not published)
        tables = tables_of(comparisons, registry.architectures.plugins, samples=samples)
        is_narrowed = architectures is not None or lengths is not None
        plugins = registry.tasks.plugins.items()
        exact = {name: task for name, task in plugins if task.solved_at is not None}
        diagnostics = [] if is_narrowed else find_diagnostics(comparisons, exact)
    num_rows = sum(sum(row.statuses.values()) for table in tables for row in table.rows)
    num_superseded = max(0, len(shown) - num_rows)
    origin = Path("results/published") if published else store.home
    if is_narrowed:
        wanted = names_of("architectures", architectures) if architectures is not None else ()
        for name in wanted:
            registry.architectures.get(name)
        numbers = numbers_of("lengths", lengths) if lengths is not None else ()
        tables = [part for table in tables if (part := table.narrowed(wanted, numbers)).rows]
    return Report(Tables(tables), diagnostics, origin, len(chosen) - len(shown), num_superseded)


def load_model(record: RecordSummary | str, *, home: PathLike | None = None) -> TrainedModel:
    """Return the trained model of a record whose weights were kept.

    A text names a run, a folder of weights or an entry, as for `bench predict`. `predict(texts)`
    returns a prediction for each text, and `model` is the Keras model. The call imports Keras, on
    the backend of the training.

    ```python
    (record,) = suite.run(task="sentiment", architectures="vanilla", keep_weights=True)
    suite.load_model(record).predict(["A fine film.", "It never ends."])
    ```

    Raises:
        LengthwiseError: there is no such run, its weights were not kept or have changed, the task
            does not encode raw text, or Keras runs on another backend already.
    """
    store = make_store(home)
    kept = find_weights(store, record) if isinstance(record, str) else weights_of(store, record)
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = kept.cell.backend
    from suite.worker.predicting import load

    return load(kept.folder, search_path_from_environment())


def predict(model: str, file: Path, *, home: PathLike | None = None) -> list[Any]:
    """Return the prediction of a trained model for each text of a file, as a JSON value.

    `model` names a run, a folder of weights or an entry. The model runs in a process of its own.
    The prediction of an empty text is None.

    Raises:
        LengthwiseError: there is no such run, its weights were not kept or have changed, the file
            cannot be read, or the task cannot predict from the texts.
    """
    kept = find_weights(make_store(home), model)
    return predict_file(kept, file, search_path_from_environment())


def _select(
    records: Iterable[RecordSummary], tasks: Names | None, mode: str | None
) -> list[RecordSummary]:
    names = None if tasks is None else names_of("tasks", tasks)
    known = load_registry().tasks.plugins if names else ()
    return list(filter(record_filter(names, mode, known), records))
