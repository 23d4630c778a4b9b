"""Prints a table of inference speed, training speed and training memory, ours and theirs.

The two sides of a case run in separate processes and take turns, one block each, so that
interference affects both. The exit code is 1 if a required ratio is missed.

    python -m tests.peers.compare [CASE ...] [--rounds 7]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from rich.console import Console
from rich.table import Table

from suite.api import BACKENDS
from suite.execution.executors.local import child_environment
from tests.peers.cases import CASES, GENERATED, GENERATIONS, THREADS, Case

MODES = ("inference", "training")
SIDES = ("ours", "theirs")
MEASURE, RATIO = 2, 5
"""The places of these columns in a row of the table."""


class Side:
    """A process that runs one side of a case, in the environment of a worker.

    TensorFlow leaves oneDNN out on processors without AVX-512 unless the environment says so.
    """

    def __init__(self, side: str, case_name: str, mode: str) -> None:
        command = [sys.executable, "-m", "tests.peers.side", side, case_name, mode]
        backend = os.environ.get("KERAS_BACKEND", BACKENDS[0])
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **child_environment(backend, THREADS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Side:
        self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, command: str) -> dict[str, Any]:
        """Send a command and return its answer."""
        assert self._process.stdin
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout and self._process.stderr
        line = self._process.stdout.readline()
        if not line:
            errors = self._process.stderr.read()[-4000:]
            raise RuntimeError(f"the process of a side ended early:\n{errors}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def measure(case: Case, mode: str, rounds: int) -> dict[str, dict[str, float]]:
    """Run both sides in turns; return the median seconds per step and peak bytes of each."""
    with ExitStack() as stack:
        sides = {name: stack.enter_context(Side(name, case.name, mode)) for name in SIDES}
        seconds: dict[str, list[float]] = {name: [] for name in SIDES}
        for _ in range(rounds):
            for name, side in sides.items():
                seconds[name] += side.ask("run 1")["seconds"]
        return {
            name: {
                "seconds": statistics.median(seconds[name]),
                "peak_bytes": float(side.ask("memory")["peak_bytes"] or 0),
            }
            for name, side in sides.items()
        }


def measure_generation(name: str, rounds: int) -> tuple[float, float]:
    """Run both sides in turns; return the median seconds of a generated token of each."""
    with ExitStack() as stack:
        sides = {side: stack.enter_context(Side(side, name, "generation")) for side in SIDES}
        seconds: dict[str, list[float]] = {side: [] for side in SIDES}
        for _ in range(rounds):
            for side, process in sides.items():
                seconds[side] += process.ask("run 1")["seconds"]
    ours, theirs = (statistics.median(seconds[side]) / GENERATED for side in SIDES)
    return ours, theirs


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the cases; return 1 if a required ratio is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    names = ", ".join([*CASES, *GENERATIONS])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {names} (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side (default 7)")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.cases if name not in {*CASES, *GENERATIONS}]
    if unknown:
        parser.error(f"unknown case. Received: {', '.join(unknown)}. Choose from: {names}")
    asked = given.cases or [*CASES, *GENERATIONS]
    chosen = [CASES[name] for name in asked if name in CASES]
    table = Table(title=f"Ours against theirs, medians of {given.rounds}, taking turns")
    for column in ("case", "theirs", "measure", "ours", "theirs", "ratio", "required", ""):
        table.add_column(column, justify="right" if column in ("ours", "ratio") else "left")
    missed = 0
    console = Console(width=110)
    for case in chosen:
        found = {mode: measure(case, mode, given.rounds) for mode in MODES}
        rows = _rows(case, found)
        for row, holds in rows:
            missed += not holds
            table.add_row(*row, "ok" if holds else "MISSED")
        done = ", ".join(f"{row[MEASURE]} {row[RATIO]}" for row, _ in rows)
        print(f"{case.name}: {done}", file=sys.stderr)
    for name in (name for name in asked if name in GENERATIONS):
        case = GENERATIONS[name]
        ours, theirs = measure_generation(name, given.rounds)
        ratio, floor = theirs / ours, case.inference_floor
        missed += ratio < floor
        cells = [f"{ours * 1e3:,.2f} ms", f"{theirs * 1e3:,.2f} ms", f"{ratio:.2f}×", f"≥ {floor}×"]
        verdict = "ok" if ratio >= floor else "MISSED"
        table.add_row(name, case.theirs, "time of a token", *cells, verdict)
        print(f"{name}: time of a token {ratio:.2f}×", file=sys.stderr)
    console.print(table)
    return 1 if missed else 0


def _rows(case: Case, found: Any) -> list[tuple[list[str], bool]]:
    rows = []
    for mode, floor in zip(MODES, (case.inference_floor, case.training_floor), strict=True):
        ours, theirs = (found[mode][side]["seconds"] for side in SIDES)
        ratio = theirs / ours
        cells = [f"{ours * 1e3:,.0f} ms", f"{theirs * 1e3:,.0f} ms", f"{ratio:.2f}×"]
        rows.append(
            ([case.name, case.theirs, f"{mode} speed", *cells, f"≥ {floor}×"], ratio >= floor)
        )
    ours, theirs = (found["training"][side]["peak_bytes"] for side in SIDES)
    ratio, ceiling = ours / theirs, case.memory_ceiling
    cells = [f"{ours / 2**20:,.0f} MiB", f"{theirs / 2**20:,.0f} MiB", f"{ratio:.2f}×"]
    rows.append(
        ([case.name, case.theirs, "training memory", *cells, f"≤ {ceiling}×"], ratio <= ceiling)
    )
    return rows


if __name__ == "__main__":
    sys.exit(main())
