"""Step times and latency against known durations."""

from __future__ import annotations

import time

import pytest

from suite.worker.measure import timing
from suite.worker.measure.interference import InterferenceMonitor
from suite.worker.measure.memory import PeakMemory
from suite.worker.measure.samples import measurement
from suite.worker.measure.timing import Phase, steps_per_block, time_repeats
from tests.suite.worker.measure.machine import FakeMachine


def empty_phase():
    return Phase("training", PeakMemory(), InterferenceMonitor(1), InterferenceMonitor(1))


@pytest.mark.alone
def test_blocks_measure_a_known_step():
    timings = time_repeats("training", lambda: time.sleep(0.02), 100, 200, PeakMemory(), threads=1)
    measured = timings.measured()
    assert measured["step_seconds"]["n"] >= 5
    assert sum(timings.seconds) >= 1.0
    assert 0.02 <= measured["step_seconds"]["value"] < 0.03
    assert 0.02 <= measured["fastest_step_seconds"]["value"] <= measured["step_seconds"]["value"]
    speed = measured["tokens_per_second"]["value"]
    assert measured["padded_tokens_per_second"]["value"] == pytest.approx(2 * speed)
    assert measured["tokens_per_second"]["samples"]
    low, high = measured["tokens_per_second"]["quartiles"]
    assert low <= speed <= high


def test_the_value_of_samples_is_their_median_and_none_without_samples():
    assert measurement([3.0, 1.0, 2.0], "by hand")["value"] == 2.0
    assert measurement([3.0, 1.0, 2.0], "by hand")["quartiles"] == (1.5, 2.5)
    assert measurement([], "by hand")["value"] is None
    empty = empty_phase().measured()
    assert empty["tokens_per_second"]["value"] is None
    assert "fastest_step_seconds" not in empty  # blocks of a training do not time each step
    assert steps_per_block(0.05) == 4 and steps_per_block(10) == 1


def test_a_noisy_measurement_is_repeated_and_the_quietest_attempt_counts(monkeypatch):
    machine = FakeMachine(monkeypatch, cores=2)
    # The cores that other processes take while the first steps compile, and then by attempt.
    loads = iter([0.0, 1.0, 0.6, 0.8])
    monkeypatch.setattr(timing, "MIN_SECONDS", 0.01)
    monitor_init = InterferenceMonitor.__init__

    def next_attempt(monitor, *arguments):
        machine.other_cores = next(loads)
        monitor_init(monitor, *arguments)

    monkeypatch.setattr(InterferenceMonitor, "__init__", next_attempt)
    timings = time_repeats("training", lambda: time.sleep(0.001), 1, 1, PeakMemory(), threads=2)
    assert timings.monitor.other_process_cpu_share == pytest.approx(0.3, rel=0.2)
    assert timings.noisy == ["training"]
    assert next(loads, None) is None


def test_latency_has_only_the_percentiles_with_enough_answers(monkeypatch):
    monkeypatch.setattr(timing, "LATENCY_SECONDS", 0.0)
    few, _ = timing.time_latency(lambda: time.sleep(0.001), threads=1)
    assert few["latency_p50_seconds"]["n"] == 20
    assert few["latency_p95_seconds"]["value"] >= few["latency_p50_seconds"]["value"] >= 0.001
    assert few["latency_p99_seconds"]["value"] is None
    assert "100 answers" in few["latency_p99_seconds"]["method"]


def test_latency_has_a_noise_flag_of_its_own_and_is_repeated(monkeypatch):
    machine = FakeMachine(monkeypatch, cores=2)
    monkeypatch.setattr(timing, "LATENCY_SECONDS", 0.0)
    answers = 0

    def answer():
        nonlocal answers
        time.sleep(0.001)
        answers += 1
        machine.other_cores = 0.0 if answers > quiet_from else 2.0

    quiet_from = 10**9
    machine.other_cores = 2.0
    assert not timing.time_latency(answer, threads=2)[1]
    assert answers == 1 + timing.ATTEMPTS * timing.MIN_ANSWERS
    answers, quiet_from = 0, timing.MIN_ANSWERS + 1
    assert timing.time_latency(answer, threads=2)[1]
    assert answers == 1 + 2 * timing.MIN_ANSWERS


def test_the_compilation_has_a_noise_flag_of_its_own(monkeypatch):
    machine = FakeMachine(monkeypatch, cores=2)
    monkeypatch.setattr(timing, "MIN_SECONDS", 0.01)
    calls = 0

    def step():
        nonlocal calls
        time.sleep(0.01)
        calls += 1
        machine.other_cores = 2.0 if calls <= timing.WARMUP_STEPS else 0.0

    machine.other_cores = 2.0
    timings = time_repeats("training", step, 1, 1, PeakMemory(), threads=2)
    assert timings.noisy == ["training.compile"]


def test_many_blocks_are_merged_into_at_most_a_hundred_samples():
    timings = empty_phase()
    for number in range(1_050):
        timings.add(1.0 + number % 2, 2, 100, 200)
    found = timings.measured()
    assert found["tokens_per_second"]["n"] == 96
    assert found["step_seconds"]["value"] == pytest.approx(0.75, rel=0.05)
