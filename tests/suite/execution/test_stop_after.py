"""A run checks its remaining time and the load of other programs before each cell."""

from __future__ import annotations

import pytest

from suite.execution import processor_load
from tests.conftest import read_records


def test_a_cell_that_would_end_too_late_is_not_started_and_the_same_command_continues(
    bench, tmp_path
):
    words = ("run", "--mode", "probe", "--benchmark", "smoke", "--architectures", "hasty")
    words += ("--rounds", "2", "--no-tracking", "--no-dashboard")
    stopped = bench(*words, "--time-limit", "50", "--stop-after", "40s")
    assert stopped.returncode == 3, stopped.stdout + stopped.stderr
    assert "2 cells were not started" in stopped.stdout
    assert "the same command continues" in stopped.stdout
    assert read_records(tmp_path / "home") == []
    # The time of an unknown cell is its time limit; that of a known one follows from its records.
    assert bench(*words, "--stop-after", "1h").returncode == 0
    again = bench(*words, "--rerun", "--time-limit", "5000", "--stop-after", "10m")
    assert again.returncode == 0, again.stdout + again.stderr
    records = read_records(tmp_path / "home")
    assert [one["details"].get("earlier_runs") for one in records] == [None] * 2 + [{"ok": 1}] * 2


@pytest.mark.parametrize("text", ["10", "m", "-5m", "0h", "nanm", "infh", "5 days"])
def test_a_duration_has_a_number_and_a_unit(bench, text):
    result = bench("run", "--task", "ner", "--stop-after", text)
    assert result.returncode == 2
    assert "A duration is a number above 0 and a unit" in result.stderr


PROBE = (
    *(
        "run",
        "--mode",
        "probe",
        "--benchmark",
        "smoke",
        "--architectures",
        "hasty",
        "--no-tracking",
    ),
    *("--no-dashboard", "--threads", "1", "--time-limit", "50", "--stop-after", "40s"),
)
"""A run that starts no cell: none would end in time."""


@pytest.fixture
def looks(monkeypatch):
    """A function that sets the busy cores of each look, and returns those not yet looked at."""

    def look_at(*cores):
        left = list(cores)
        monkeypatch.setattr(processor_load.psutil, "cpu_count", lambda: 4)
        monkeypatch.setattr(
            processor_load.psutil,
            "cpu_percent",
            lambda seconds: 25.0 * (left.pop(0) if len(left) > 1 else left[0]),
        )
        monkeypatch.setattr(processor_load.time, "sleep", lambda seconds: None)
        return left

    return look_at


@pytest.mark.parametrize(
    ("busy", "told"),
    [(0.6, "use 60% of a core: speeds will be marked with ~; --wait-quiet 10m waits"),
     (2.5, "use 2.5 cores"), (0.05, "")],
)  # fmt: skip
def test_a_probe_beside_other_programs_says_so_before_it_starts(bench, looks, busy, told):
    looks(busy)
    stderr = bench(*PROBE).stderr
    assert told in stderr
    assert ("other programs" in stderr) is bool(told)


def test_a_run_waits_until_other_programs_are_quiet(bench, looks):
    left = looks(0.6, 0.6, 0.0, 0.9)
    assert "other programs" not in bench(*PROBE, "--wait-quiet", "1h").stderr
    assert left == [0.9]


def test_a_run_that_waited_in_vain_starts_and_says_so(bench, looks):
    looks(0.6)
    assert "marked with ~ and not ranked" in bench(*PROBE, "--wait-quiet", "0.01s").stderr
