"""`bench verify`: run a record's cell again and say whether it comes out alike."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from suite.analysis.boards import COSTS, TOLERANCE, agrees
from suite.api import PROTOCOL, Cell, Metric, Mode, Status, Task
from suite.api.errors import RequestError
from suite.api.files import atomic_write_bytes
from suite.api.plugins import search_path_from_environment
from suite.cli.options import SECONDS, home_option, make_store
from suite.cli.planning import print_unreadable
from suite.cli.sessions import open_command_session, run_with_display
from suite.execution.preparation import make_limits, prepare
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.publish.publishing import strip, why_not
from suite.records.environment import machine_name
from suite.records.published import RESULTS, Folder
from suite.records.schema import Record, RecordError, parse_record


@click.command("verify")
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--data", metavar="SOURCE", help="Where its data is, if it was files: files:DIR.")
@click.option("--tfds-data-dir", envvar="TFDS_DATA_DIR", metavar="DIR")
@click.option("--time-limit", type=SECONDS, default=14_400, show_default=True, metavar="SECONDS")
@click.option("--keep", is_flag=True, help="Put the new record into results/verified.")
@home_option
def command(
    path: Path,
    data: str | None,
    tfds_data_dir: str | None,
    time_limit: float,
    keep: bool,
    home: str | None,
) -> None:
    """Run the cell of a record file again, here, and compare.

    A score is reproduced within 2%. Costs hang on the machine, and are shown beside each other
    without a verdict. With --keep the new record goes to results/verified/MACHINE, where the
    leaderboard finds it and calls the row `reproduced`.

    \b
    Exit codes: 0 reproduced; 1 not; 2 it cannot be run here.
    """
    try:
        record = parse_record(path.read_bytes())
    except RecordError as error:
        raise RequestError("A record is verified", received=f"{path.name}: {error}") from None
    store = make_store(home)
    request = _request(record.cell, data, tfds_data_dir)
    limits = make_limits(request.preset, time_limit)
    prepared = prepare(
        request, store, rerun=True, limits=limits, report_unreadable=print_unreadable
    )
    same = [planned for planned in prepared.plan.cells if planned.cell == record.cell]
    if not same or record.protocol != PROTOCOL:
        raise RequestError(
            "The cell of the record must be one that this version runs",
            received=f"{record.cell.label}, protocol {record.protocol}, "
            f"task version {record.cell.task_version}, "
            f"architecture version {record.cell.architecture_version}",
            remedy=f"Check out commit {str(record.environment.get('commit'))[:10]}",
        )
    store.prepare()
    prepared = replace(prepared, plan=replace(prepared.plan, cells=same, done={}))
    with open_command_session(store, len(same)) as session:
        records = run_with_display(session, prepared)
    again = records[0]
    reproduced = _tell(record, again, _metric(record, prepared.tasks))
    if keep:
        if reason := why_not(again):
            raise RequestError("The new record must be fit to publish", received=reason)
        folder = RESULTS / Folder.VERIFIED / machine_name(again.environment)
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / store.path_of(again).name
        atomic_write_bytes(kept, strip(again).to_json().encode())
        print(f"Kept: {kept.relative_to(RESULTS.parent)}")
    sys.exit(0 if reproduced else 1)


def _request(cell: Cell, data: str | None, data_dir: str | None) -> Request:
    """Ask for exactly that cell; a round comes with those before it.

    The learning rate is asked for too where it is the task's own: tuning may have chosen another.
    """
    train = cell.mode is Mode.TRAIN
    options = {name: str(value) for name, value in cell.options.items()}
    if cell.task:
        task = load_registry(search_path_from_environment()).tasks.get(cell.task)
        options.setdefault("learning_rate", str(task.recipe.learning_rate))
    if train and cell.source == "files" and data is None:
        raise RequestError("Its data was somebody's files", remedy="Name them: --data files:DIR")
    return Request(
        mode=cell.mode,
        tasks=(cell.task,) if cell.task else None,
        architectures=(cell.architecture,),
        lengths=(cell.sequence_length,),
        seeds=(cell.seed,) if train else None,
        rounds=None if train else cell.round + 1,
        model_size=cell.model_size,
        batch_size=cell.batch_size,
        budget=cell.budget if train else None,
        source=data or cell.source,
        data_dir=data_dir,
        options=options,
        form=None if train else str(cell.form),
        backends=(cell.backend,),
        precisions=(cell.precision,),
        threads=cell.threads,
    )


def _metric(record: Record, tasks: Mapping[str, Task]) -> Metric:
    if record.cell.task is None:
        return next(iter(COSTS.values()))
    return tasks[record.cell.task].primary_metric


def _tell(record: Record, again: Record, metric: Metric) -> bool:
    """Print both runs beside each other and return whether they agree."""
    if again.status is not Status.OK or record.status is not Status.OK:
        alike = again.status is record.status
        print(f"It ended as {record.status}, and here as {again.status}: {again.reason or 'ok'}")
        return alike
    for shown in dict.fromkeys((metric, *COSTS.values())):
        one, other = _figure(record, shown.name), _figure(again, shown.name)
        if one is not None and other is not None:
            change = f"{other / one - 1:+.1%}" if one else "—"
            print(f"{shown.name:35} {one:12.5g} there {other:12.5g} here {change:>8}")
    if record.cell.mode is Mode.PROBE:
        return True
    alike = agrees(record, again, metric)
    print(f"{'Reproduced' if alike else 'NOT reproduced'}: {metric.name} within {TOLERANCE:.0%}")
    return alike


def _figure(record: Record, measure: str) -> float | None:
    """Return a measure, or a metric of the test split."""
    phase, dot, name = measure.partition(".")
    return record.measured(phase, name) if dot else record.metric(measure)
