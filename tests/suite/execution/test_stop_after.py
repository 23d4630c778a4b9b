"""`bench run --stop-after`: no cell starts that would end too late."""

from __future__ import annotations

import pytest

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
