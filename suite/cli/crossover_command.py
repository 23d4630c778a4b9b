"""`bench crossover`: from which length on is one architecture better than another?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import click

from suite.cli.options import json_option, make_request, make_store, request_options
from suite.cli.planning import prepare
from suite.cli.run_command import local_executor
from suite.cli.searches import Prober, figures, split_measure
from suite.contracts import Metric, Mode, Status
from suite.errors import RequestError
from suite.matrix import Request
from suite.presets import find_preset
from suite.record import Record
from suite.registry import load_registry, search_path_from_environment
from suite.searching import Crossing, find_crossing, pair_up
from suite.store import Store


@click.command("crossover")
@click.argument("first")
@click.argument("second")
@click.option(
    "--metric",
    default="training.tokens_per_second",
    show_default=True,
    help="What is compared: a probe's measure, or with --task a metric of the test split.",
)
@request_options
@json_option
def command(
    first: str, second: str, metric: str, home: str | None, as_json: bool, **given: Any
) -> None:
    """Find the length from which on SECOND is better than FIRST.

    Probes are run where the lengths leave it open, in as many rounds as the preset says, until the
    length is known within 5%; its interval comes from the rounds. With --task the records of
    training are compared, and nothing is run.

    \b
    Examples:
      bench crossover vanilla longformer
      bench crossover vanilla reformer --metric training.peak_memory_bytes --batch-size 1
      bench crossover vanilla longformer --task ner --data tfds --metric entity_f1
    """
    request = make_request({**given, "architectures": (first, second)})
    if first == second:
        raise RequestError("Two architectures are compared", received=f"{first} twice")
    store = make_store(home)
    if request.tasks:
        found = _from_records(request, store, metric)
    else:
        request = replace(request, mode=Mode.PROBE)
        prepare(request, store)  # the lengths are probed one by one; here they are seen together
        found = _from_probes(request, store, metric)
    if as_json:
        length = asdict(found.length) if found.length else None
        print(json.dumps({**asdict(found), "length": length, "metric": metric}, indent=1))
        return
    print(_say(found, first, second, metric))


def _from_probes(request: Request, store: Store, metric: str) -> Crossing:
    phase, name = split_measure(metric)
    store.prepare()
    assert request.architectures is not None
    first, second = request.architectures

    def advantage(length: int) -> list[float]:
        records = Prober(request, store, executor).probe(length, (first, second))
        pairs = zip(
            figures(records, first, phase, name),
            figures(records, second, phase, name),
            strict=True,
        )
        sign = 1 if name.endswith("per_second") or name.endswith("share") else -1
        return [sign * math.log(theirs / ours) for ours, theirs in pairs]

    lengths = request.lengths or find_preset(request.preset).probe_lengths
    with local_executor() as executor:
        return find_crossing(advantage, lengths, (first, second))


def _from_records(request: Request, store: Store, metric: str) -> Crossing:
    """Compare what was learned at the lengths and seeds that both have; the nearest two bracket."""
    assert request.architectures is not None and request.tasks is not None
    first, second = request.architectures
    cells = [planned.cell for planned in prepare(request, store).plan.cells]
    records = store.current([cell.id for cell in cells])
    task = load_registry(search_path_from_environment()).tasks.get(request.tasks[0])
    metrics = {known.name: known for known in (task.primary_metric, *task.other_metrics)}
    sign = 1 if metrics.get(metric, Metric(metric)).higher_is_better else -1
    known = pair_up(*(_scores(records.values(), name, metric, sign) for name in (first, second)))
    if len(known) < 2:
        raise RequestError(
            f"Both architectures need records with {metric} at two lengths or more",
            received=f"{len(known)} such lengths",
            remedy="Run `bench run` with the same options first",
        )
    return find_crossing(known.__getitem__, list(known), (first, second), halves=False)


def _scores(
    records: Iterable[Record], architecture: str, metric: str, sign: int
) -> dict[int, dict[int, float]]:
    found: dict[int, dict[int, float]] = {}
    for record in records:
        cell = record.cell
        if record.status is Status.OK and cell.architecture == architecture:
            value = record.metric(metric)
            if value is not None:
                found.setdefault(cell.sequence_length, {})[cell.seed] = sign * value
    return found


def _say(found: Crossing, first: str, second: str, metric: str) -> str:
    if found.length is None:
        if found.always == second:
            return f"{second} is ahead of {first} in {metric} from {found.searched_to} on"
        return f"none up to {found.searched_to}: {first} stays ahead of {second} in {metric}"
    estimate = found.length
    text = f"{second} overtakes {first} in {metric} at length {estimate.value:,.0f}"
    if estimate.low is None or estimate.high is None:
        return f"{text} (one round: no interval)"
    return f"{text} [{estimate.low:,.0f}, {estimate.high:,.0f}] ({estimate.n} rounds)"
