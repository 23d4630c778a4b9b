"""Time and memory of this process, by the measuring rules of the protocol."""

from __future__ import annotations

import ctypes
import gc
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.worker.measure.interference import Watch

BLOCK_SECONDS = 0.2
MIN_BLOCKS = 5
MIN_SECONDS = 1.0
WARMUP_STEPS = 2
MAX_SAMPLES = 100
"""A run of hours keeps no more samples than this of a measure: records stay readable."""

FOREIGN_LIMIT = 0.1
"""The share of the machine that others may take; a probe above it is `noisy`."""
ATTEMPTS = 3
MIN_ANSWERS = 20
LATENCY_SECONDS = 3.0

MEMORY_METHOD = (
    "peak resident memory of the process (VmHWM) once compiled, above the baseline, pages of "
    "mapped files left out"
)
COMPILE_MEMORY_METHOD = "the same peak while the first steps compile"
NO_MEMORY_METHOD = "not measured: this system cannot reset a process's peak memory"

Measurements = dict[str, dict[str, Any]]


def quartiles(samples: Sequence[float]) -> tuple[float, float] | None:
    """Return the first and third quartile (inclusive method), None for fewer than two samples."""
    if len(samples) < 2:
        return None
    first, _, third = statistics.quantiles(samples, n=4, method="inclusive")
    return first, third


def percentile(samples: Sequence[float], percent: int) -> float:
    """Return a percentile, interpolated between neighbours (inclusive method)."""
    return statistics.quantiles(samples, n=100, method="inclusive")[percent - 1]


def measurement(samples: Sequence[float], method: str) -> dict[str, Any]:
    """Return samples as a record holds them, their median first."""
    return {
        "value": statistics.median(samples) if samples else None,
        "n": len(samples),
        "samples": list(samples),
        "quartiles": quartiles(samples),
        "method": method,
    }


def single(value: float | None, method: str) -> dict[str, Any]:
    """Return one figure as a record holds it, or none and why."""
    return measurement([] if value is None else [float(value)], method)


@dataclass(frozen=True, slots=True)
class Allocator:
    """What a device's allocator tells of its memory, in bytes.

    `reset` makes `peak` begin anew from what is in use; None where a backend cannot.
    """

    in_use: Callable[[], int]
    peak: Callable[[], int]
    reset: Callable[[], object] | None
    method: str


@dataclass(frozen=True, slots=True)
class Held:
    """The memory held: its peak, and what of it is mapped files now, in bytes."""

    peak: int
    files: int = 0


@dataclass
class PeakMemory:
    """The highest memory held since the last reset, above a baseline.

    Of an accelerator it is its allocator's; else the process's resident memory, mapped files left
    out.

    The baseline is taken once, after imports, data and a throwaway model's step, with freed pages
    given back first: what the real model then needs is new. Pages of libraries that are run into
    later are not the model's, and a forked process, which maps them all anew, runs into many. What
    compiling takes is kept apart: it is the compiler's, does not grow with the batch, and is freed
    before the steps that count.
    """

    allocator: Allocator | None = None
    baseline: Held | None = None
    highest_bytes: int | None = None
    compile_bytes: int | None = None

    @property
    def on_accelerator(self) -> bool:
        """Whether a device other than the processor computes."""
        return self.allocator is not None

    def start(self) -> None:
        """Take the baseline."""
        give_back_freed_memory()
        if self.allocator:
            self.baseline = Held(self.allocator.in_use())
        elif self.reset():
            self.baseline = _resident()

    def reset(self) -> bool:
        """Forget the peak so far; False where the system cannot."""
        if self.allocator:
            return bool(self.allocator.reset and (self.allocator.reset(), True))
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return False
        return True

    def watch(self) -> None:
        """Take note of the peak since the last reset."""
        if self.baseline is not None:
            now = Held(self.allocator.peak()) if self.allocator else _resident()
            grown = now.peak - self.baseline.peak - (now.files - self.baseline.files)
            self.highest_bytes = max(self.highest_bytes or 0, grown)

    def compiled(self) -> None:
        """Take the peak so far for the compiler's, and begin again."""
        self.watch()
        self.compile_bytes, self.highest_bytes = self.highest_bytes, None
        give_back_freed_memory()
        self.reset()

    def measured(self) -> Measurements:
        """Return the highest peaks noted, as a record holds them."""
        known = self.baseline is not None
        method = self.allocator.method if self.allocator else MEMORY_METHOD
        figures = {
            "peak_memory_bytes": (self.highest_bytes, method),
            "compile_peak_memory_bytes": (self.compile_bytes, COMPILE_MEMORY_METHOD),
        }
        return {
            name: single(value, method if known else NO_MEMORY_METHOD)
            for name, (value, method) in figures.items()
        }


@dataclass
class StepTimings:
    """Timed blocks of steps; a block is long enough for the clock, and ends when the device has.

    The first steps compile and are kept apart in `compile_seconds`. `watch` is entered while a
    block runs.
    """

    watch: Watch = field(default_factory=Watch)

    seconds: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    compile_seconds: float = 0.0

    def add(self, seconds: float, steps: int, tokens: int, positions: int) -> None:
        """Keep one block."""
        self.seconds.append(seconds)
        self.steps.append(steps)
        self.tokens.append(tokens)
        self.positions.append(positions)

    def state(self) -> dict[str, Any]:
        """Return what `restore` takes, in another process."""
        kept = {name: getattr(self, name) for name in ("seconds", "steps", "tokens", "positions")}
        return {**kept, "watched": self.watch.totals()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up the blocks of a process before this one."""
        self.watch.add(*state.pop("watched"))
        for name, values in state.items():
            getattr(self, name)[:] = values

    def enough(self) -> bool:
        """Whether there are as many blocks and seconds as the rules ask for."""
        return len(self.seconds) >= MIN_BLOCKS and sum(self.seconds) >= MIN_SECONDS

    @property
    def quiet(self) -> bool:
        """Whether others left the machine alone, as far as it tells."""
        return (self.watch.foreign_share or 0.0) <= FOREIGN_LIMIT

    def measured(self) -> Measurements:
        """Return throughput and step time, as a record holds them.

        Where there are more blocks than `MAX_SAMPLES`, neighbours make one sample.
        """
        together = math.ceil(len(self.seconds) / MAX_SAMPLES) or 1
        seconds, steps, tokens, positions = (
            [sum(values[start : start + together]) for start in range(0, len(values), together)]
            for values in (self.seconds, self.steps, self.tokens, self.positions)
        )
        per_block = f"one sample a block of {steps[0] if steps else 0} steps"
        rates = {
            name: [count / time for count, time in zip(counts, seconds, strict=True)]
            for name, counts in (("real", tokens), ("all", positions))
        }
        each = [time / count for time, count in zip(seconds, steps, strict=True)]
        return {
            "tokens_per_second": measurement(rates["real"], f"real tokens, {per_block}"),
            "padded_tokens_per_second": measurement(rates["all"], f"all positions, {per_block}"),
            "step_seconds": measurement(each, per_block),
            "compile_seconds": measurement(
                [self.compile_seconds], f"the first {WARMUP_STEPS} steps, tracing included"
            ),
            **self._watched(),
        }

    def _watched(self) -> Measurements:
        foreign, joules = self.watch.foreign_share, self.watch.joules
        per_token = joules / sum(self.tokens) if joules is not None and self.tokens else None
        return {
            "other_process_cpu_share": single(foreign, self.watch.foreign_method),
            "energy_joules_per_token": single(per_token, self.watch.energy_method),
        }


def steps_per_block(step_seconds: float) -> int:
    """Return how many steps make a block of about `BLOCK_SECONDS`."""
    return max(1, round(BLOCK_SECONDS / max(step_seconds, 1e-6)))


def time_repeats(
    run: Callable[[], object], tokens: int, positions: int, memory: PeakMemory
) -> StepTimings:
    """Time `run`, which does one step on one batch and waits for the device, again and again.

    Where others took more than `FOREIGN_LIMIT` of the machine meanwhile, it is timed anew, up to
    `ATTEMPTS` times in all, and the quietest attempt counts.
    """
    started = time.perf_counter()
    for _ in range(WARMUP_STEPS):
        run()
    compile_seconds = time.perf_counter() - started
    memory.compiled()
    started = time.perf_counter()
    run()
    count = steps_per_block(time.perf_counter() - started)
    attempts: list[StepTimings] = []
    while len(attempts) < ATTEMPTS and not (attempts and attempts[-1].quiet):
        blocks = StepTimings(Watch(memory.on_accelerator), compile_seconds=compile_seconds)
        while not blocks.enough():
            with blocks.watch:
                started = time.perf_counter()
                for _ in range(count):
                    run()
                seconds = time.perf_counter() - started
            blocks.add(seconds, count, count * tokens, count * positions)
        attempts.append(blocks)
    memory.watch()
    return min(attempts, key=lambda blocks: blocks.watch.foreign_share or 0.0)


def time_latency(run: Callable[[], object]) -> Measurements:
    """Time single answers to one example, and return their percentiles.

    The first answer compiles and is left out. A percentile is stated where there are enough
    answers to have one: 20 for the 95th, 100 for the 99th.
    """
    run()
    samples: list[float] = []
    began = time.perf_counter()
    while len(samples) < MIN_ANSWERS or (
        len(samples) < MAX_SAMPLES and time.perf_counter() - began < LATENCY_SECONDS
    ):
        started = time.perf_counter()
        run()
        samples.append(time.perf_counter() - started)
    found = {"latency_p50_seconds": measurement(samples, "one example at a time, median")}
    for percent, needed in ((95, MIN_ANSWERS), (99, MAX_SAMPLES)):
        known = len(samples) >= needed
        value = percentile(samples, percent) if known else None
        method = f"{percent}th percentile of {len(samples)} answers, one example at a time"
        without = f"not stated: it takes {needed} answers, there was time for {len(samples)}"
        found[f"latency_p{percent}_seconds"] = single(value, method if known else without)
    return found


def give_back_freed_memory() -> None:
    """Return freed memory to the system, so that it does not hide what is allocated next."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(AttributeError):  # a C library without it keeps its pages
            ctypes.CDLL(None).malloc_trim(0)


def _resident() -> Held:
    words = {}
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmHWM", "RssFile"):
            words[name] = int(value.split()[0]) * 1024
    return Held(peak=words["VmHWM"], files=words["RssFile"])
