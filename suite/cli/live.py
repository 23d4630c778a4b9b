"""Tells a person what a run is doing: a live line a cell, or plain lines where no terminal is."""

from __future__ import annotations

import heapq
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from suite.api import Status
from suite.execution.runner import Event, Finished, Progressed, Started, Waiting
from suite.records.schema import Record

PLAIN_LINE_SECONDS = 5.0
BAR_WIDTH = 20


@dataclass
class _Active:
    """A cell that runs: since when, and its last progress."""

    label: str
    since: float
    progress: Mapping[str, Any] = field(default_factory=dict)
    told: float = 0.0
    phase: str = ""


class Display:
    """Shows events; a context manager, because a live line must be taken off the screen."""

    def __init__(self, to_run: int) -> None:
        """Expect `to_run` cells."""
        self.to_run = to_run
        self.finished = 0
        self.seconds: list[float] = []
        self.active: dict[str, _Active] = {}
        self.most_active = 1
        self.waiting = False
        self.live: Live | None = None
        if sys.stdout.isatty():
            self.live = Live(console=Console(highlight=False), auto_refresh=False, transient=True)

    def __enter__(self) -> Display:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if self.live:
            self.live.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Started):
            cell = event.planned.cell
            self.active[cell.id] = _Active(cell.label, time.monotonic())
            self.most_active = max(self.most_active, len(self.active))
            self._line(f"[{self.finished + len(self.active)}/{self.to_run}] {cell.label}: starting")
        elif isinstance(event, Progressed):
            self._progress(event)
        elif isinstance(event, Finished):
            self._finish(event)
        elif isinstance(event, Waiting) and not self.waiting:
            self.waiting = True
            self._say(f"waiting for {len(event.cells)} cells that another invocation runs")
        self._refresh()

    def _progress(self, event: Progressed) -> None:
        active = self.active[event.planned.cell.id]
        active.progress = event.progress
        now = time.monotonic()
        fresh_phase = event.progress["phase"] != active.phase
        if fresh_phase or now - active.told >= PLAIN_LINE_SECONDS:
            active.told, active.phase = now, event.progress["phase"]
            self._line(f"  {self._describe(active)}")

    def _finish(self, event: Finished) -> None:
        cell, record = event.planned.cell, event.record
        if event.reused or cell.id not in self.active:
            if record.status is Status.UNSUPPORTED:
                self._say(f"{cell.label}: unsupported: {record.reason}")
            elif cell.id not in self.active and self.live is None:
                self._line(
                    f"{cell.label}: {record.status}, from {record.started_at:%Y-%m-%d %H:%M}"
                )
            return
        active = self.active.pop(cell.id)
        seconds = time.monotonic() - active.since
        self.finished += 1
        self.seconds.append(seconds)
        reason = f": {record.reason}" if record.reason else ""
        place = f"[{self.finished}/{self.to_run}]"
        self._say(
            f"{place} {cell.label}: {record.status}{reason} in {seconds:.0f} s{_score(record)}"
        )

    def _describe(self, active: _Active) -> str:
        progress = active.progress
        elapsed = time.monotonic() - active.since
        parts = [f"{active.label}: {progress.get('phase', 'starting')}"]
        fraction = progress.get("fraction") or 0.0
        if fraction > 0:
            parts.append(f"{fraction:4.0%}")
        if progress.get("loss") is not None:
            parts.append(f"loss {progress['loss']:.3f}")
        parts.append(f"{elapsed:.0f} s")
        if remaining := self._remaining():
            parts.append(f"about {_duration(remaining)} left of the matrix")
        return " · ".join(parts)

    def _remaining(self) -> float | None:
        """Estimate how long the rest of the matrix takes, or return None before the first result.

        Each cell is expected to take the mean of the finished ones. A waiting cell starts as soon
        as one of the places is free; there are as many places as cells ever ran at once.
        """
        if not self.seconds:
            return None
        mean, now = sum(self.seconds) / len(self.seconds), time.monotonic()
        places = [max(0.0, mean - (now - active.since)) for active in self.active.values()]
        places += [0.0] * (self.most_active - len(places))
        heapq.heapify(places)
        for _ in range(self.to_run - self.finished - len(self.active)):
            heapq.heapreplace(places, places[0] + mean)
        return max(places)

    def _line(self, text: str) -> None:
        """Print where no live line shows it."""
        if self.live is None:
            print(text, flush=True)

    def _say(self, text: str) -> None:
        """Print for good."""
        if self.live is None:
            print(text, flush=True)
        else:
            self.live.console.print(Text(text))

    def _refresh(self) -> None:
        if self.live is None:
            return
        lines = []
        for active in self.active.values():
            fraction = active.progress.get("fraction") or 0.0
            filled = round(fraction * BAR_WIDTH)
            bar = "━" * filled + "─" * (BAR_WIDTH - filled)
            lines.append(f"[{self.finished + 1}/{self.to_run}] {bar} {self._describe(active)}")
        self.live.update(Text("\n".join(lines)), refresh=True)


def _score(record: Record) -> str:
    speed = record.measured("training", "tokens_per_second")
    return f", {speed:,.0f} training tokens/s" if speed else ""


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
