"""Phases of a cell: step times, throughput and latency, by the measuring rules of the protocol."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from suite.worker.measure.interference import InterferenceMonitor, Totals
from suite.worker.measure.memory import PeakMemory
from suite.worker.measure.samples import Measurements, measurement, single

BLOCK_SECONDS = 0.2
MIN_BLOCKS = 5
MIN_SECONDS = 1.0
WARMUP_STEPS = 2
MAX_SAMPLES = 100
"""The most samples of one measure in a record: the record of a long run stays readable."""

ATTEMPTS = 3
MIN_ANSWERS = 20
LATENCY_SECONDS = 3.0


@dataclass
class Phase:
    """A measured phase of a cell: timed blocks of steps, their memory, energy and interference.

    A block is long enough for the clock. Its time ends when the device has finished. The first
    steps compile; their time is kept apart in `compile_seconds`. `monitor` is entered while a block
    runs, `compile_monitor` while the first steps do. `fastest_step_seconds` is known where each
    step waits for the device.
    """

    name: str
    memory: PeakMemory
    monitor: InterferenceMonitor
    compile_monitor: InterferenceMonitor
    seconds: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    compile_seconds: float = 0.0
    fastest_step_seconds: float | None = None

    def add(self, seconds: float, steps: int, tokens: int, positions: int) -> None:
        """Add one block."""
        self.seconds.append(seconds)
        self.steps.append(steps)
        self.tokens.append(tokens)
        self.positions.append(positions)

    def state(self) -> dict[str, Any]:
        """Return the blocks for a checkpoint; `restore` reads them in another process."""
        kept = {name: getattr(self, name) for name in ("seconds", "steps", "tokens", "positions")}
        monitored, highest_bytes = list(self.monitor.totals), self.memory.highest_bytes
        return {**kept, "monitored": monitored, "highest_bytes": highest_bytes}

    def restore(self, state: dict[str, Any]) -> None:
        """Replace the blocks by those of a checkpoint, and add its totals to the monitor."""
        self.monitor.add(Totals(*state.pop("monitored")))
        self.memory.highest_bytes = state.pop("highest_bytes")
        for name, values in state.items():
            getattr(self, name)[:] = values

    @property
    def sufficient(self) -> bool:
        """Whether the blocks reach `MIN_BLOCKS` and `MIN_SECONDS`."""
        return len(self.seconds) >= MIN_BLOCKS and sum(self.seconds) >= MIN_SECONDS

    @property
    def noisy(self) -> list[str]:
        """The names of the measurements with too much interference, as a record has them.

        The blocks have the name of the phase, the compilation that of the phase and "compile".
        """
        monitors = {self.name: self.monitor, f"{self.name}.compile": self.compile_monitor}
        return [name for name, monitor in monitors.items() if not monitor.quiet]

    def measured(self) -> Measurements:
        """Return throughput, step time, memory, energy and interference, as a record holds them.

        Above `MAX_SAMPLES` blocks, neighbouring blocks are merged into one sample.
        """
        merged = math.ceil(len(self.seconds) / MAX_SAMPLES) or 1
        seconds, steps, tokens, positions = (
            [sum(values[start : start + merged]) for start in range(0, len(values), merged)]
            for values in (self.seconds, self.steps, self.tokens, self.positions)
        )
        per_block = f"one sample a block of {steps[0] if steps else 0} steps"
        step_seconds = [time / count for time, count in zip(seconds, steps, strict=True)]
        compile_method = f"the first {WARMUP_STEPS} steps, tracing included"
        joules, all_tokens = self.monitor.joules, sum(tokens)
        per_token = joules / all_tokens if joules is not None and all_tokens else None
        fastest = {}
        if (seconds_of_fastest := self.fastest_step_seconds) is not None:
            fastest["fastest_step_seconds"] = single(seconds_of_fastest, "of all timed steps")
        return {
            "tokens_per_second": measurement(_rates(tokens, seconds), f"real tokens, {per_block}"),
            "padded_tokens_per_second": measurement(
                _rates(positions, seconds), f"all positions, {per_block}"
            ),
            "step_seconds": measurement(step_seconds, per_block),
            "compile_seconds": measurement([self.compile_seconds], compile_method),
            "other_process_cpu_share": single(
                self.monitor.other_process_cpu_share, self.monitor.method
            ),
            "energy_joules_per_token": single(per_token, self.monitor.energy_method),
            **self.memory.measured(),
            **fastest,
        }


def _rates(counts: Sequence[float], seconds: Sequence[float]) -> list[float]:
    return [count / time for count, time in zip(counts, seconds, strict=True)]


def steps_per_block(step_seconds: float) -> int:
    """Return the number of steps that take about `BLOCK_SECONDS`."""
    return max(1, round(BLOCK_SECONDS / max(step_seconds, 1e-6)))


def time_repeats(
    name: str,
    run: Callable[[], object],
    tokens: int,
    positions: int,
    memory: PeakMemory,
    *,
    threads: int,
    steps_per_run: int = 1,
) -> Phase:
    """Time repeated calls of `run`, which does steps on one batch and waits for the device.

    `tokens` and `positions` are those of a call; a call does `steps_per_run` steps.

    A noisy measurement (see `InterferenceMonitor`) is repeated, up to `ATTEMPTS` times in all. The
    attempt with the least interference is returned.
    """
    compile_monitor = InterferenceMonitor(threads, memory.on_accelerator)
    compile_seconds = sum(_time_block(run, WARMUP_STEPS, compile_monitor))
    memory.end_compilation()
    started = time.perf_counter()
    run()
    memory.keep_freed()
    runs = steps_per_block(time.perf_counter() - started)
    attempts: list[Phase] = []
    while len(attempts) < ATTEMPTS and not (attempts and attempts[-1].monitor.quiet):
        monitor = InterferenceMonitor(threads, memory.on_accelerator)
        phase = Phase(name, memory, monitor, compile_monitor, compile_seconds=compile_seconds)
        fastest: list[float] = []
        while not phase.sufficient:
            seconds = _time_block(run, runs, monitor)
            phase.add(sum(seconds), runs * steps_per_run, runs * tokens, runs * positions)
            fastest.append(min(seconds) / steps_per_run)
        phase.fastest_step_seconds = min(fastest)
        attempts.append(phase)
    memory.update()
    return min(attempts, key=lambda phase: phase.monitor.other_process_cpu_share or 0.0)


def _time_block(run: Callable[[], object], steps: int, monitor: InterferenceMonitor) -> list[float]:
    """Return the seconds of each of `steps` calls of `run`."""
    with monitor:
        clock = [time.perf_counter()]
        for _ in range(steps):
            run()
            clock.append(time.perf_counter())
    return [end - start for start, end in pairwise(clock)]


def time_latency(
    run: Callable[[], object],
    *,
    threads: int,
    on_accelerator: bool = False,
    about: str = "one example at a time",
) -> tuple[Measurements, bool]:
    """Time single answers to one example; return their percentiles, and whether it was quiet.

    `about` describes an answer. The first answer compiles and is left out. The 95th percentile
    needs 20 answers, the 99th needs 100. Noisy answers are timed again as `time_repeats` does.
    """
    run()
    attempts: list[tuple[InterferenceMonitor, list[float]]] = []
    while len(attempts) < ATTEMPTS and not (attempts and attempts[-1][0].quiet):
        monitor = InterferenceMonitor(threads, on_accelerator)
        with monitor:
            attempts.append((monitor, _time_answers(run)))
    monitor, samples = min(attempts, key=lambda item: item[0].other_process_cpu_share or 0.0)
    percentiles = {
        "latency_p50_seconds": measurement(samples, f"{about}, median"),
        "latency_p95_seconds": _latency_percentile(samples, 95, MIN_ANSWERS, about),
        "latency_p99_seconds": _latency_percentile(samples, 99, MAX_SAMPLES, about),
    }
    return percentiles, monitor.quiet


def _time_answers(run: Callable[[], object]) -> list[float]:
    samples: list[float] = []
    began = time.perf_counter()
    while len(samples) < MIN_ANSWERS or (
        len(samples) < MAX_SAMPLES and time.perf_counter() - began < LATENCY_SECONDS
    ):
        started = time.perf_counter()
        run()
        samples.append(time.perf_counter() - started)
    return samples


def _latency_percentile(
    samples: Sequence[float], percent: int, needed: int, about: str
) -> dict[str, Any]:
    """Return a percentile; None with the reason where there are fewer than `needed` samples."""
    if len(samples) < needed:
        return single(None, f"not measured: needs {needed} answers, had time for {len(samples)}")
    method = f"{percent}th percentile of {len(samples)} answers, {about}"
    percentiles = statistics.quantiles(samples, n=100, method="inclusive")
    return single(percentiles[percent - 1], method)
