"""Prints a table of inference speed, training speed and training memory, ours and theirs.

Theirs are measured twice: eager, and by `torch.compile`. The sides of a case run in separate
processes and take turns, one step each, so that interference affects all. The exit code is 1 if a
required ratio is missed.

    python -m tests.peers.compare [CASE ...] [--rounds 7]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from rich.console import Console
from rich.table import Table

from suite.api import BACKENDS
from suite.execution.executors.local import child_environment
from tests.peers.cases import CASES, GENERATED, GENERATIONS, SIDES, THREADS, Case

MODES = ("inference", "training")
COLUMNS = ("case", "theirs", "measure", "ours", "eager", "compiled", "ratio", "required", "")


Measured = Mapping[str, Mapping[str, float]]
"""The seconds of a step and the peak bytes of each side."""


class Side:
    """A process that runs one side: a module of this package with arguments, as a worker.

    The process has the environment of a worker. TensorFlow leaves oneDNN out on processors without
    AVX-512 unless the environment says so.
    """

    def __init__(self, arguments: Sequence[str], backend: str) -> None:
        command = [sys.executable, "-m", f"tests.peers.{arguments[0]}", *arguments[1:]]
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


def _side(name: str, case_name: str, mode: str) -> Side:
    backend = os.environ.get("KERAS_BACKEND", BACKENDS[0])
    return Side(["side", name, case_name, mode], backend)


def measure(case: Case, mode: str, rounds: int) -> Measured:
    """Run the sides in turns; return the median seconds per step and peak bytes of each.

    A model that `torch.compile` does not take has no entry.
    """
    with ExitStack() as stack:
        sides = {}
        for name in SIDES:
            try:
                sides[name] = stack.enter_context(_side(name, case.name, mode))
            except RuntimeError as error:
                if name != "compiled":
                    raise
                print(f"{case.name}: torch.compile failed\n{error}", file=sys.stderr)
        seconds: dict[str, list[float]] = {name: [] for name in sides}
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
        names = ("ours", "theirs")
        sides = {side: stack.enter_context(_side(side, name, "generation")) for side in names}
        seconds: dict[str, list[float]] = {side: [] for side in names}
        for _ in range(rounds):
            for side, process in sides.items():
                seconds[side] += process.ask("run 1")["seconds"]
    ours, theirs = (statistics.median(seconds[side]) / GENERATED for side in names)
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
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in COLUMNS[3:7] else "left")
    rows: list[list[str]] = []
    for case in chosen:
        of_case = make_rows(case, {mode: measure(case, mode, given.rounds) for mode in MODES})
        rows += of_case
        done = ", ".join(f"{row[2]} {row[6]}" for row in of_case)
        print(f"{case.name}: {done}", file=sys.stderr)
    for name in (name for name in asked if name in GENERATIONS):
        case = GENERATIONS[name]
        ours, theirs = measure_generation(name, given.rounds)
        ratio, floor = theirs / ours, case.inference_floor
        cells = [f"{ours * 1e3:,.2f} ms", f"{theirs * 1e3:,.2f} ms", "—"]
        rows.append([name, case.theirs, "time of a token", *cells, *_at_least(floor, ratio)])
        print(f"{name}: time of a token {ratio:.2f}×", file=sys.stderr)
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)
    return 1 if any(row[-1] != "ok" for row in rows) else 0


def make_rows(case: Case, found: Mapping[str, Measured]) -> list[list[str]]:
    """Return the rows of a case: its speeds and its training memory, each by the best of theirs."""
    rows = []
    for mode, floor in zip(MODES, (case.inference_floor, case.training_floor), strict=True):
        seconds = {name: side["seconds"] for name, side in found[mode].items()}
        ratio = min(seconds[name] for name in seconds if name != "ours") / seconds["ours"]
        rows.append([f"{mode} speed", *_cells(seconds, 1e-3, "ms"), *_at_least(floor, ratio)])
    peaks = {name: side["peak_bytes"] for name, side in found["training"].items()}
    ratio = peaks["ours"] / min(peaks[name] for name in peaks if name != "ours")
    verdict = "ok" if ratio <= case.memory_ceiling else "MISSED"
    cells = [*_cells(peaks, 2**20, "MiB"), f"{ratio:.2f}×", f"≤ {case.memory_ceiling}×"]
    rows.append(["training memory", *cells, verdict])
    return [[case.name, case.theirs, *row] for row in rows]


def _at_least(floor: float, ratio: float) -> list[str]:
    return [f"{ratio:.2f}×", f"≥ {floor}×", "ok" if ratio >= floor else "MISSED"]


def _cells(values: Mapping[str, float], unit: float, name: str) -> list[str]:
    return [f"{values[side] / unit:,.0f} {name}" if side in values else "—" for side in SIDES]


if __name__ == "__main__":
    sys.exit(main())
