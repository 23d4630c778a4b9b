"""`bench crossover`: from which length on is one architecture better than another?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import click

from suite.analysis.aggregate import scores_of
from suite.analysis.ranking import Difference, Scores, difference
from suite.analysis.search import Crossing, find_crossing, pair_up
from suite.api import PROTOCOL, Cell, Metric, Mode
from suite.api.errors import RequestError
from suite.api.plugins import search_path_from_environment
from suite.cli.options import json_option, make_single_request, make_store, request_options
from suite.cli.searches import Prober, figures, split_measure
from suite.cli.sessions import open_command_session
from suite.execution.preparation import prepare
from suite.matrix.expansion import expand
from suite.matrix.presets import find_preset
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.published import Folder, read_published
from suite.records.schema import RecordSummary
from suite.records.store import Store

PROBED = "training.tokens_per_second"


@click.command("crossover")
@click.argument("first")
@click.argument("second")
@click.option(
    "--metric",
    help="What is compared: a probe's measure, or with --task a metric of the test split. "
    f"[default: {PROBED}, or the task's primary metric]",
)
@click.option(
    "--published", is_flag=True, help="With --task: compare the records in results/, not your own."
)
@request_options
@json_option
def command(
    first: str,
    second: str,
    metric: str | None,
    published: bool,
    home: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Find the length from which on SECOND is better than FIRST.

    Probes are run where the lengths leave it open, in as many rounds as the preset says, until the
    length is known within 5%; its interval comes from the rounds. With --task the records of
    training are compared, on however many threads they ran, and nothing is run; how far SECOND is
    ahead at each length comes with its interval, over seeds and test examples.

    \b
    Examples:
      bench crossover vanilla longformer
      bench crossover vanilla reformer --metric training.peak_memory_bytes --batch-size 1
      bench crossover gpt vanilla --task language_modeling --data tfds --preset standard --published
    """
    request = make_single_request({**given, "architectures": (first, second)})
    if first == second:
        raise RequestError("Two architectures are compared", received=f"{first} twice")
    store = make_store(home)
    gaps: dict[int, Difference] = {}
    if published and not request.tasks:
        raise RequestError("Published records are compared by what they learned: name a --task")
    if request.tasks and metric and "." in metric:
        raise RequestError(
            "Cells that learn are compared by what they learned",
            received=f"--metric {metric}",
            remedy="Leave --task out to compare costs by probes",
        )
    if request.tasks:
        if published:
            entries = read_published()
            records = [entry.record for entry in entries if entry.folder is Folder.PUBLISHED]
        else:
            records = store.summaries()
        metric, found, gaps = _from_records(request, metric, records)
    else:
        metric = metric or PROBED
        request = replace(request, mode=Mode.PROBE)
        # The lengths are probed one by one; here they are seen together, before anything runs.
        for planned in prepare(request, store).plan.cells:
            if planned.unsupported:
                raise RequestError(
                    "Both architectures must run at every length",
                    received=f"{planned.cell.label}: {planned.unsupported}",
                    remedy="Name another --form, or --lengths that both support",
                )
        found = _from_probes(request, store, metric)
    if as_json:
        length = asdict(found.length) if found.length else None
        apart = [{"length": at, **asdict(gap)} for at, gap in gaps.items()]
        about = {**asdict(found), "length": length, "metric": metric, "differences": apart}
        print(json.dumps(about, indent=1))
        return
    sure = not gaps or any(_beyond_noise(gap) for gap in gaps.values())
    said = _say(found, first, second, metric, "seed" if request.tasks else "round")
    print(said if sure else f"{said}; at no length beyond the noise")
    for at, gap in gaps.items():
        print(f"  at {at:,}: {second} {_by_how_much(gap)}")


def _from_probes(request: Request, store: Store, metric: str) -> Crossing:
    phase, name = split_measure(metric)
    store.prepare()
    assert request.architectures is not None
    first, second = request.architectures

    def advantage(length: int) -> list[float]:
        records = Prober(request, session).probe(length, (first, second))
        pairs = zip(
            figures(records, first, phase, name),
            figures(records, second, phase, name),
            strict=True,
        )
        sign = 1 if name.endswith("per_second") or name.endswith("share") else -1
        return [sign * math.log(theirs / ours) for ours, theirs in pairs]

    lengths = request.lengths or find_preset(request.preset).probe_lengths
    with open_command_session(store) as session:
        return find_crossing(advantage, lengths, (first, second))


def _from_records(
    request: Request, metric: str | None, records: Iterable[RecordSummary]
) -> tuple[str, Crossing, dict[int, Difference]]:
    """Compare what was learned at the lengths and seeds that both have; the nearest two bracket.

    Return the metric, where the second overtakes the first, and by length how far it is ahead.
    """
    assert request.architectures is not None and request.tasks is not None
    first, second = request.architectures
    registry = load_registry(search_path_from_environment())
    asked = {_anyhow(planned.cell, tuned=False) for planned in expand(request, registry)}
    records = _tuned_where_any(
        record
        for record in records
        if record.protocol == PROTOCOL
        and _anyhow(record.cell, tuned=record.ranking.tuning is not None) in asked
    )
    task = registry.tasks.get(request.tasks[0])
    metric = metric or task.primary_metric.name
    metrics = {known.name: known for known in (task.primary_metric, *task.other_metrics)}
    chosen = metrics.get(metric, Metric(metric))
    points = [_scores(records, name, chosen) for name in (first, second)]
    # The second is ahead by so much as the more exceeds the less.
    less, more = points if chosen.higher_is_better else reversed(points)
    known = pair_up(*({at: of.by_seed for at, of in point.items()} for point in (less, more)))
    if len(known) < 2:
        raise RequestError(
            f"Both architectures need records with {metric} at two lengths or more",
            received=f"{len(known)} such lengths",
            remedy="Run `bench run` with the same options first",
        )
    found = find_crossing(known.__getitem__, list(known), (first, second), halves=False)
    return metric, found, {at: difference(more[at], less[at]) for at in known}


def _anyhow(cell: Cell, *, tuned: bool) -> str:
    """Return a cell's id without its threads, which cost time only, and without a tuned rate."""
    options = dict(cell.options)
    if tuned:
        options.pop("learning_rate", None)
    return replace(cell, threads=1, options=options).id


def _tuned_where_any(records: Iterable[RecordSummary]) -> list[RecordSummary]:
    """Leave out the untuned records of an architecture and length that has tuned ones."""
    records = list(records)
    tuned = {_point(record) for record in records if record.ranking.tuning}
    return [record for record in records if record.ranking.tuning or _point(record) not in tuned]


def _point(record: RecordSummary) -> tuple[str, int]:
    return record.cell.architecture, record.cell.sequence_length


def _scores(
    records: Iterable[RecordSummary], architecture: str, metric: Metric
) -> dict[int, Scores]:
    of_length: dict[int, list[RecordSummary]] = {}
    for record in records:
        if record.cell.architecture == architecture:
            of_length.setdefault(record.cell.sequence_length, []).append(record)
    found = {length: scores_of(of, metric.name) for length, of in of_length.items()}
    return {length: of for length, of in found.items() if of.by_seed}


def _by_how_much(gap: Difference) -> str:
    where = f"{'ahead' if gap.value > 0 else 'behind'} by {abs(gap.value):.4g}"
    if gap.low is None or gap.high is None:
        return f"{where} (one seed: no interval)"
    if not _beyond_noise(gap):
        return f"{where}, within the noise [{gap.low:.4g}, {gap.high:.4g}] ({gap.n} seeds)"
    low, high = sorted((abs(gap.low), abs(gap.high)))
    return f"{where} [{low:.4g}, {high:.4g}] ({gap.n} seeds)"


def _beyond_noise(gap: Difference) -> bool:
    return gap.low is not None and gap.high is not None and not gap.low <= 0 <= gap.high


def _say(found: Crossing, first: str, second: str, metric: str, repeat: str) -> str:
    if found.length is None:
        if found.always == second:
            return f"{second} is ahead of {first} in {metric} from {found.searched_to} on"
        return f"none up to {found.searched_to}: {first} stays ahead of {second} in {metric}"
    estimate = found.length
    text = f"{second} overtakes {first} in {metric} at length {estimate.value:,.0f}"
    if estimate.low is None or estimate.high is None:
        return f"{text} (one {repeat}: no interval)"
    return f"{text} [{estimate.low:,.0f}, {estimate.high:,.0f}] ({estimate.n} {repeat}s)"
