"""A run that measures costs looks at the load of other programs before it starts."""

from __future__ import annotations

import pytest

from suite.execution import processor_load

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
    """A function that sets how many cores are busy at each look, and returns what is left of it."""

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
