"""Lengthwise: which sequence model should I use at my sequence length?

The Python API. The command line `bench` has a command for each function here:

| function        | command           | result                                              |
|-----------------|-------------------|-----------------------------------------------------|
| `plan`          | `bench plan`      | the cells of a matrix and their state               |
| `run`           | `bench run`       | the records of a matrix; runs the missing cells     |
| `run_events`    |                   | the same, as an iterator of events                  |
| `read_records`  |                   | the records of a home, or the published ones        |
| `compare`       | `bench report`    | tables of scores and costs                          |
| `crossover`     | `bench crossover` | each length where one entry overtakes another       |
| `frontier`      | `bench frontier`  | the longest sequence within a budget                |
| `tune`          | `bench tune`      | learning rates chosen on validation                 |
| `load_model`    | `bench predict`   | a trained model that takes raw texts                |
| `verify`        | `bench verify`    | both runs of a record's cell, which is run again    |

Keyword arguments have the names of the command's options; see `RequestKeywords`. Mistakes raise a
`suite.api.LengthwiseError`. Importing this package imports neither a framework nor pandas.

```python
import suite

records = suite.run(task="ner", architectures="vanilla,longformer", benchmark="smoke")
print(suite.compare(records))
```
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from suite.signatures import RequestKeywords, RunKeywords

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import Unpack

    from suite.execution.runner import Event, Finished, Postponed, Progressed, Started, Waiting
    from suite.publish.verify import Verification
    from suite.records.schema import RecordSummary
    from suite.results import LengthLimits, MatrixPlan, Records, Tables, TunedRates
    from suite.search.crossover import Crossover
    from suite.signatures import Names, Path
    from suite.worker.predicting import TrainedModel

__all__ = [
    "Finished",
    "Postponed",
    "Progressed",
    "RequestKeywords",
    "RunKeywords",
    "Started",
    "Waiting",
    "compare",
    "crossover",
    "frontier",
    "load_model",
    "plan",
    "read_records",
    "run",
    "run_events",
    "tune",
    "verify",
]


if not TYPE_CHECKING:  # a type checker reads the imports above

    def __getattr__(name: str) -> Any:
        """Return the class of an event of `run_events`, or `__version__`, the installed version.

        Raises:
            AttributeError: the package has nothing of this name, or is not installed.
        """
        if name == "__version__":
            from importlib.metadata import PackageNotFoundError, version

            with suppress(PackageNotFoundError):
                return version("lengthwise")
        elif name in __all__:
            from suite.execution import runner

            return getattr(runner, name)
        raise AttributeError(f"module 'suite' has nothing of the name {name!r}")


def __dir__() -> list[str]:
    """Return the names of the interface."""
    return [*__all__, "__version__"]


def plan(**request: Unpack[RequestKeywords]) -> MatrixPlan:
    """Return the cells of a matrix and their state; nothing is run.

    ```python
    plan = suite.plan(task="ner", lengths=[128, 512], seeds=range(3))
    print(plan.summary)
    plan.to_frame()
    ```

    Raises:
        LengthwiseError: the request or its data is invalid.
    """
    from suite.calls import plan_matrix

    return plan_matrix(request)


def run(*, progress: bool = True, **request: Unpack[RunKeywords]) -> Records:
    """Run the cells of a matrix that are not done yet; return the records of all its cells.

    Each cell runs in a fresh process. With `progress`, a live line per cell is shown in a terminal
    and in a notebook, and plain lines in a log. Ctrl-C, or a notebook's stop button, raises
    KeyboardInterrupt; the finished cells are kept, and the same call runs the missing ones.

    ```python
    records = suite.run(task="ner", architectures=["vanilla", "longformer"], benchmark="smoke")
    records.to_frame()
    ```

    Raises:
        LengthwiseError: the request or its data is invalid, or a record cannot be written.
    """
    from suite.calls import run_matrix

    return run_matrix(request, progress=progress)


def run_events(**request: Unpack[RunKeywords]) -> Iterator[Event]:
    """Run the cells of a matrix that are not done yet, and yield each event.

    The events are `Started`, `Progressed`, `Finished` and `Waiting`, and at the end `Postponed` if
    `stop_after` left cells for a later run. Before ranked runs come `Checking` and `Checked` of
    `suite.execution.conformance`. Ending the loop early stops the running cells; their records have
    the status "interrupted".

    ```python
    for event in suite.run_events(mode="probe", architectures="vanilla", benchmark="smoke"):
        print(type(event).__name__)
    ```

    Raises:
        LengthwiseError: the request or its data is invalid, or a record cannot be written.
    """
    from suite.calls import iterate_matrix

    return iterate_matrix(request)


def read_records(
    home: Path | None = None,
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
    """
    from suite.calls import read_records

    return read_records(home, published=published, tasks=tasks, mode=mode)


def load_model(record: RecordSummary | str, *, home: Path | None = None) -> TrainedModel:
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
    from suite.calls import load_trained_model

    return load_trained_model(record, home)


def compare(
    records: Records | Iterable[RecordSummary] | Path | None = None,
    *,
    tasks: Names | None = None,
    mode: str | None = None,
) -> Tables:
    """Return tables of scores and costs: one for each group of records that may be compared.

    `records` are records or a home (by default your own). A score is the mean over seeds; a cost is
    the geometric mean over the runs that no other process disturbed.

    ```python
    tables = suite.compare(suite.read_records(published=True), tasks="ner")
    tables.to_frame()
    ```
    """
    from suite.calls import compare_records

    return compare_records(records, tasks=tasks, mode=mode)


def crossover(
    first: str,
    second: str,
    *,
    metric: str | None = None,
    published: bool = False,
    progress: bool = True,
    tracking: bool = True,
    **request: Unpack[RequestKeywords],
) -> Crossover:
    """Find each length at which `first` or `second` overtakes the other.

    An entry is an architecture, or one with options as the tables write it.

    Without a task, `metric` is a measure of probes or decodings (by default
    "training.tokens_per_second"); missing ones are run. With a task, `metric` is a metric of the
    test split, and the records of a home are compared. `published` compares the costs or scores of
    published records, and nothing is run.

    ```python
    pair = {"first": "gpt", "second": "vanilla"}
    print(suite.crossover(**pair, task="language_modeling", benchmark="core", published=True))
    ```

    Raises:
        LengthwiseError: the request is invalid, or there is nothing to compare.
    """
    from suite.calls import find_crossover

    names = {"architectures": (first, second)}
    return find_crossover(
        {**request, **names}, metric, published=published, progress=progress, tracking=tracking
    )


def frontier(
    *,
    memory: str | None = None,
    step_seconds: float | None = None,
    phase: str = "training",
    up_to: int = 2**20,
    progress: bool = True,
    tracking: bool = True,
    **request: Unpack[RequestKeywords],
) -> LengthLimits:
    """Find the longest sequence that each architecture affords on this machine.

    The budget is `memory` (such as "8GiB"), the seconds of a step, or both. The search probes
    lengths up to `up_to`, to within 5%.

    ```python
    suite.frontier(step_seconds=0.5, architectures="vanilla", up_to=256, benchmark="smoke")
    ```

    Raises:
        LengthwiseError: the request is invalid, or has no budget.
    """
    from suite.calls import find_frontier

    budget = (memory, step_seconds, phase)
    return find_frontier(request, budget, up_to=up_to, progress=progress, tracking=tracking)


def tune(
    *,
    keep_in: Path | None = None,
    time_limit: float | None = None,
    parallel: int | None = None,
    max_cost: float | None = None,
    stop_after: str | None = None,
    progress: bool = True,
    tracking: bool = True,
    **request: Unpack[RequestKeywords],
) -> TunedRates:
    """Tune the learning rate of each entry on validation, at each length.

    The rates and their evidence go to `keep_in`, by default results/tuning, where later runs of
    exactly the same setting find them. A search costs at most `max_cost` final runs, by default
    2.5. `seeds` are those of the last stage of the search.

    ```python
    rates = suite.tune(task="ner", architectures="vanilla", benchmark="smoke", keep_in="tuning")
    print(rates)
    ```

    Raises:
        LengthwiseError: the request is invalid.
    """
    from suite.calls import tune_rates

    run = {"parallel": parallel, "time_limit": time_limit, "stop_after": stop_after}
    how = {"keep_in": keep_in, "max_cost": max_cost, **run}
    return tune_rates(request, how, progress=progress, tracking=tracking)


def verify(
    path: Path,
    *,
    data: str | None = None,
    tfds_data_dir: Path | None = None,
    time_limit: float | None = None,
    home: Path | None = None,
    progress: bool = True,
    tracking: bool = True,
) -> Verification:
    """Run the cell of a record again on this machine, and return both runs.

    `path` is a file, `FILE.jsonl.gz#RUN_ID`, or the id of a run in the home or in `results/`.
    `data` names the source where it was a user's own files. The score is `reproduced` if both lie
    within 2% of each other.

    ```python
    verification = suite.verify("results/published/MACHINE/core-1/ner/RUN.json", tracking=False)
    print(verification.verdict())
    ```

    Raises:
        LengthwiseError: the file is not a record, or this version cannot run the cell.
    """
    from suite.calls import verify_record

    return verify_record(
        path,
        data=data,
        tfds_data_dir=tfds_data_dir,
        time_limit=time_limit,
        home=home,
        progress=progress,
        tracking=tracking,
    )
