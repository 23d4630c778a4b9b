"""The display of a run: the estimate of the remaining time."""

from __future__ import annotations

import time

import pytest

from suite import progress
from suite.api import Mode
from suite.execution.runner import Finished, Progressed, Started
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.progress import Display
from suite.records.schema import Measurement
from tests.builders.records import make_record


@pytest.mark.parametrize(
    ("at_once", "left"), [(1, "about 50 s left"), (2, "about 20 s left"), (4, "about 10 s left")]
)
def test_the_remaining_time_counts_the_cells_that_run_at_once(monkeypatch, capsys, at_once, left):
    """Six cells of 10 s each, after the first places have finished one cell and taken the next."""
    request = Request(mode=Mode.PROBE, benchmark="smoke", architectures=("bert",), rounds=6)
    cells = expand(request, load_registry(()))
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    with Display(len(cells)) as display:
        for planned in cells[:at_once]:
            display(Started(planned))
        clock[0] = 10.0
        for planned in cells[:at_once]:
            display(Finished(planned, make_record(cell=planned.cell)))
        for planned in cells[at_once : 2 * at_once]:
            display(Started(planned))
        display(Progressed(cells[at_once], {"phase": "measuring", "fraction": 0.0}))
    assert left in capsys.readouterr().out.splitlines()[-1]


def test_a_note_on_the_data_is_shown_once(capsys):
    request = Request(tasks=("ner",), benchmark="smoke", architectures=("bert",), seeds=(0, 1))
    cells = expand(request, load_registry(()))
    with Display(len(cells)) as display:
        for planned in cells:
            display(Started(planned))
            data = {"notes": ["train_share=0.1 keeps 60 of 600 training examples"]}
            display(Finished(planned, make_record(cell=planned.cell, data=data)))
    assert len(cells) > 1
    assert capsys.readouterr().out.count("keeps 60 of 600") == 1


def test_a_log_has_at_most_one_line_of_progress_in_ten_seconds(monkeypatch, capsys):
    request = Request(mode=Mode.PROBE, benchmark="smoke", architectures=("bert",))
    (planned, *_) = expand(request, load_registry(()))
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with Display(1) as display:
        display(Started(planned))
        for second in range(35):
            clock[0] = float(second)
            display(Progressed(planned, {"phase": f"phase {second}", "fraction": 0.0}))
        display(Finished(planned, make_record(cell=planned.cell)))
    lines = capsys.readouterr().out.splitlines()
    assert ["starting" in line for line in lines[:2]] == [True, False]
    assert [line.partition(":")[2].split(" · ")[0].strip() for line in lines[1:-1]] == [
        "phase 10", "phase 20", "phase 30"
    ]  # fmt: skip
    assert ": ok" in lines[-1]


def test_each_of_the_cells_that_run_at_once_keeps_its_number(monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    request = Request(mode=Mode.PROBE, benchmark="smoke", architectures=("bert",), rounds=3)
    first, second, third = expand(request, load_registry(()))
    with Display(3) as display:
        for planned in (first, second):
            display(Started(planned))
        for planned in (second, first):
            display(Finished(planned, make_record(cell=planned.cell)))
        display(Started(third))
        display(Finished(third, make_record(cell=third.cell)))
    lines = capsys.readouterr().out.splitlines()
    numbers = [(line.partition(" ")[0], "starting" in line) for line in lines]
    assert numbers == [
        ("[1/3]", True), ("[2/3]", True), ("[2/3]", False), ("[1/3]", False),
        ("[3/3]", True), ("[3/3]", False),
    ]  # fmt: skip


@pytest.mark.parametrize(("noisy", "mark"), [((), ""), (("training",), "~"), (("inference",), "")])
def test_a_disturbed_speed_is_marked(capsys, noisy, mark):
    request = Request(tasks=("ner",), benchmark="smoke", architectures=("bert",))
    planned, *_ = expand(request, load_registry(()))
    speed = Measurement(value=1_234.0, n=1, samples=(1_234.0,), method="by hand")
    measurements = {"training": {"tokens_per_second": speed}}
    record = make_record(cell=planned.cell, measurements=measurements, details={"noisy": noisy})
    with Display(1) as display:
        display(Started(planned))
        display(Finished(planned, record))
    assert f", {mark}1,234 training tokens/s" in capsys.readouterr().out
