"""Costs are compared within one session and one cost digest, and only where they are quiet."""

from __future__ import annotations

import dataclasses
import math

import pytest

from suite.analysis.boards import shown_estimate
from suite.analysis.comparisons import compare
from suite.analysis.tables import make_tables
from suite.api import AppliedMethod, Mode, Stage, Status
from suite.execution.preparation import prepare
from suite.matrix.request import Request
from suite.records.environment import describe_machine
from suite.records.published import local_records
from tests.builders.costs import MACHINE, SPEED, cost, rounds
from tests.builders.records import make_record, with_fields
from tests.suite.analysis.final_runs import make_boards

LATENCY = "inference.latency_p50_seconds"


def entries_of(records):
    (comparison,) = compare(records)
    return {(point.name, point.sequence_length): point for point in comparison.entries}


def value_of(point, measure):
    figure = point.cost(measure)
    return figure.value if figure else None


def speeds(records, measure=SPEED):
    return {at[0]: value_of(point, measure) for at, point in entries_of(records).items()}


@pytest.mark.parametrize("mode", [Mode.PROBE, Mode.TRAIN])
def test_costs_come_from_the_session_that_covers_most_entries(mode):
    whole = [*rounds("vanilla", 100.0, mode=mode), *rounds("bert", 50.0, mode=mode)]
    alone = rounds("bert", 500.0, session=2, mode=mode)  # newer, on a quicker day
    assert speeds(whole + alone) == {
        "vanilla": pytest.approx(100.0),
        "bert": pytest.approx(50.0),
    }
    # Without the older session of both there is one session for each; the newer is taken.
    apart = entries_of(rounds("vanilla", 100.0, mode=mode) + alone)
    assert apart["vanilla", 512].cost(SPEED) is None
    assert apart["vanilla", 512].missing_cost_reason(SPEED) == "other session"
    assert value_of(apart["bert", 512], SPEED) == pytest.approx(500.0)


def test_of_sessions_that_cover_equally_many_points_the_newest_counts():
    old = [*rounds("vanilla", 100.0), *rounds("bert", 50.0)]
    new = [*rounds("vanilla", 110.0, session=2), *rounds("bert", 60.0, session=2)]
    expected = {"vanilla": pytest.approx(110.0), "bert": pytest.approx(60.0)}
    assert speeds(old + new) == speeds(new + old) == expected


def test_the_rounds_of_two_sessions_are_never_pooled():
    """Rounds that were added later are of another session although no cell ran twice."""
    first = rounds("vanilla", 100.0)
    later = [cost("vanilla", 300.0, session=2, round=number) for number in (3, 4)]
    figure = entries_of(first + later)["vanilla", 512].cost(SPEED)
    assert (figure.value, figure.n) == (pytest.approx(100.0), 3)


def test_the_other_sessions_give_the_variation_between_sessions():
    records = [*rounds("vanilla", 100.0), *rounds("vanilla", 110.0, session=2)]
    figure = entries_of(records)["vanilla", 512].cost(SPEED)
    assert figure.sessions == 2 and figure.value == pytest.approx(110.0)
    assert figure.between_sessions == pytest.approx(math.log(1.1) / math.sqrt(2))
    boards = make_boards(records)
    row = next(row for board in boards if board.metric.name == SPEED for row in board.rows
               if not row.superseded_by)  # fmt: skip
    assert row.sessions == 2 and row.between_sessions == figure.between_sessions
    (table,) = make_tables(records)
    assert table.to_dict()["rows"][0]["figures"][SPEED]["sessions"] == 2
    alone = entries_of(rounds("vanilla", 100.0))["vanilla", 512].cost(SPEED)
    assert (alone.sessions, alone.between_sessions) == (1, None)


def test_a_board_ranks_the_costs_of_one_session():
    """Pooled over the sessions, bert would be quicker; in each session vanilla is."""
    records = [*rounds("vanilla", 100.0), *rounds("bert", 90.0)]
    records += rounds("bert", 200.0, session=2)
    board = next(board for board in make_boards(records) if board.metric.name == SPEED)
    ranked = {row.entry: (row.rank, row.estimate.value) for row in board.rows if row.rank}
    assert ranked == {"vanilla": (1, pytest.approx(100.0)), "bert": (2, pytest.approx(90.0))}
    # The other session's figure is shown, without a rank.
    (other,) = (row for row in board.rows if row.superseded_by == "session session-1")
    assert (other.entry, other.rank) == ("bert", None)
    assert other.estimate.value == pytest.approx(200.0)


def test_costs_of_older_code_do_not_count():
    records = [*rounds("vanilla", 100.0), *rounds("bert", 50.0), *rounds("longformer", 70.0)]
    changed = [cost("bert", 80.0, round=3, digest="d2")]
    figure = entries_of(records + changed)["bert", 512].cost(SPEED)
    assert (figure.value, figure.n) == (pytest.approx(80.0), 1)
    assert speeds(records + changed)["vanilla"] == pytest.approx(100.0)  # its code is the same
    # The code changed after the session, and the entry alone was measured again.
    again = entries_of([*records, *rounds("bert", 80.0, session=2, digest="d2")])
    assert again["bert", 512].cost(SPEED) is None
    assert again["bert", 512].missing_cost_reason(SPEED) == "other session"


def test_code_that_changed_gives_no_variation_between_sessions():
    records = [*rounds("vanilla", 100.0), *rounds("vanilla", 300.0, session=2, digest="d2")]
    figure = entries_of(records)["vanilla", 512].cost(SPEED)
    assert (figure.value, figure.sessions) == (pytest.approx(300.0), 1)


def test_a_former_version_of_a_method_gives_no_variation_between_sessions():
    def of_version(version, records):
        for stored in records:
            method = AppliedMethod("lora", version, {}, Stage.TRAIN)
            yield with_fields(
                stored, cell=dataclasses.replace(stored.record.cell, methods=(method,))
            )

    former = of_version(1, rounds("vanilla", 100.0))
    newer = of_version(2, rounds("vanilla", 300.0, session=2))
    ((_, point),) = entries_of([*former, *newer]).items()
    figure = point.cost(SPEED)
    assert (figure.value, figure.sessions) == (pytest.approx(300.0), 1)


@pytest.mark.parametrize(
    ("elsewhere", "same"),
    [
        ({"host_name": "host-b"}, True),
        ({"memory_bytes": 16 * 2**30 - 9_999}, True),
        ({"packages": {**MACHINE["packages"], "jax": "0.2"}}, True),  # the cells use TensorFlow
        ({"processor": "abacus (family 1, model 3)"}, False),
        ({"num_cores": 4}, False),
        ({"memory_bytes": 32 * 2**30}, False),
        ({"devices": ["NVIDIA H200"]}, False),
        ({"packages": {**MACHINE["packages"], "tensorflow": "2.2"}}, False),
        ({"packages": {**MACHINE["packages"], "keras": "3.2"}}, False),
    ],
)
def test_a_machine_is_what_determines_its_speed(elsewhere, same):
    """Cells of one command may run on several machines, for example with `--executor ray`."""
    records = [*rounds("vanilla", 100.0), cost("vanilla", 400.0, round=3, **elsewhere)]
    figure = entries_of(records)["vanilla", 512].cost(SPEED)
    assert figure.n == (4 if same else 3)
    records = [*rounds("vanilla", 100.0), *rounds("vanilla", 110.0, session=2, **elsewhere)]
    assert entries_of(records)["vanilla", 512].cost(SPEED).sessions == (2 if same else 1)


def test_each_phase_and_each_part_of_it_has_its_own_noise_flag():
    compiling, step = "training.compile_seconds", "inference.step_seconds"
    measures = {SPEED: 5.0, compiling: 6.0, step: 7.0, LATENCY: 8.0}
    flags = {
        "training": SPEED,
        "training.compile": compiling,
        "inference": step,
        "inference.latency": LATENCY,
    }
    for flag, hidden in flags.items():
        (point,) = entries_of([cost("vanilla", 1.0, noisy=(flag,), measures=measures)]).values()
        assert {name: value_of(point, name) for name in measures} == {
            name: None if name == hidden else pytest.approx(value)
            for name, value in measures.items()
        }
        assert point.missing_cost_reason(hidden) == "noisy"


def test_a_noisy_phase_is_shown_and_not_ranked():
    records = [*rounds("vanilla", 100.0), *rounds("bert", 900.0, noisy=("training",))]
    board = next(board for board in make_boards(records) if board.metric.name == SPEED)
    vanilla, bert = board.rows
    assert (vanilla.entry, vanilla.rank) == ("vanilla", 1)
    assert bert.rank is None and bert.estimate is None and "disturbed" in bert.note
    shown = shown_estimate(bert, board.metric)
    assert shown.is_disturbed and shown.value == pytest.approx(900.0, rel=0.01)
    (table,) = make_tables(records)
    told = {
        row.entry: (row.figures[SPEED].is_disturbed, SPEED in row.missing) for row in table.rows
    }
    assert told == {"vanilla": (False, False), "bert": (True, False)}


def test_quiet_runs_of_an_entry_leave_its_noisy_ones_out():
    records = [*rounds("vanilla", 100.0)[:2], cost("vanilla", 9e9, noisy=("training",), round=2)]
    shown = entries_of(records)["vanilla", 512].shown_cost(SPEED)
    assert not shown.is_disturbed and shown.n == 2


def test_the_load_of_a_processor_changes_no_size():
    """A noisy phase keeps its memory, which is ranked."""
    memory = "training.peak_memory_bytes"
    records = [
        cost(entry, 1.0, noisy=("training",), round=number, measures={memory: size})
        for entry, size in (("vanilla", 2e9), ("bert", 1e9))
        for number in range(3)
    ]
    board = next(board for board in make_boards(records) if board.metric.name == memory)
    assert [row.entry for row in board.ranked.values()] == ["bert", "vanilla"]
    assert not any(row.estimate.is_disturbed for row in board.rows)


def test_a_session_without_quiet_costs_is_not_chosen():
    quiet = [*rounds("vanilla", 100.0), *rounds("bert", 50.0)]
    loud = [
        record
        for entry in ("vanilla", "bert")
        for record in rounds(entry, 1.0, session=2, noisy=("training", "inference"))
    ]
    assert speeds(quiet + loud) == {"vanilla": pytest.approx(100.0), "bert": pytest.approx(50.0)}


def test_of_sessions_without_quiet_costs_that_of_the_most_entries_is_shown():
    loud = {"noisy": ("training", "inference")}
    whole = [*rounds("vanilla", 100.0, **loud), *rounds("bert", 50.0, **loud)]
    points = entries_of([*whole, *rounds("bert", 60.0, session=2, **loud)])
    shown = {name: point.shown_cost(SPEED).value for (name, _), point in points.items()}
    assert shown == {"vanilla": pytest.approx(100.0), "bert": pytest.approx(50.0)}


@pytest.mark.parametrize(
    ("details", "speed", "reason"),
    [
        ({"resumed_at_steps": [4]}, {SPEED: 5.0}, "resumed"),  # its steps were in two sessions
        ({"resumed_at_steps": []}, {}, "too few steps"),
        # it takes a trained model
        ({"parent": {"cell_id": "0", "weights_sha256": "1"}}, {}, "not trained"),
    ],
)
def test_a_training_without_a_cost_says_why(details, speed, reason):
    measures = {**speed, "inference.step_seconds": 7.0}
    record = cost("vanilla", 1.0, mode=Mode.TRAIN, measures=measures, details=details)
    (point,) = entries_of([record]).values()
    assert (point.cost(SPEED), point.missing_cost_reason(SPEED)) == (None, reason)
    assert value_of(point, "inference.step_seconds") == pytest.approx(7.0)


def test_a_probe_of_a_compressed_model_has_no_training_cost():
    records = [*rounds("vanilla", 1.0), *rounds("bert", 1.0, measures={LATENCY: 7.0})]
    assert entries_of(records)["bert", 512].missing_cost_reason(SPEED) == "not trained"
    (board,) = (one for one in make_boards(records) if one.metric.name == SPEED)
    assert {row.architecture: row.note for row in board.rows}["bert"].startswith("not trained")


def test_a_run_of_another_session_stands_where_the_session_has_none():
    records = [*rounds("vanilla", 100.0), *rounds("bert", 50.0)]
    failed = cost("longformer", 0.0, session=2, status=Status.OUT_OF_MEMORY)
    points = entries_of([*records, failed])
    assert points["longformer", 512].statuses == {"out_of_memory": 1}
    assert points["longformer", 512].cost(SPEED) is None


def test_a_home_keeps_the_sessions_of_a_probe(store):
    """A probe that ran again counts as another session; of a training the latest run stands."""
    for record in (*rounds("vanilla", 100.0), *rounds("vanilla", 110.0, session=2)):
        store.write(record.record)
    for session in (1, 2):
        store.write(cost("vanilla", 1.0, session, mode=Mode.TRAIN).record)
    found = local_records(store)
    assert len(found) == 6 + 1
    (probes,) = (one for one in compare(found) if one.key.mode is Mode.PROBE)
    figure = probes.entries[0].cost(SPEED)
    assert (figure.value, figure.sessions) == (pytest.approx(110.0), 2)


@pytest.mark.parametrize(("keras", "done"), [("of today", 1), ("0.1", 0)])
def test_a_probe_under_other_versions_of_the_framework_runs_again(store, keras, done):
    request = Request(mode=Mode.PROBE, architectures=("vanilla",), lengths=(128,), rounds=1)
    (planned,) = prepare(request, store).plan.cells
    environment = dict(describe_machine())
    if keras != "of today":
        environment["packages"] = {**environment["packages"], "keras": keras}
    store.write(make_record(cell=planned.cell, environment=environment))
    assert len(prepare(request, store).plan.done) == done
