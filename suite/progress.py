"""Shows the progress of a run: a live line per cell, or plain lines where nothing can be redrawn.

A terminal and a notebook get live lines; a log file gets plain lines.
"""

from __future__ import annotations

import heapq
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from suite.api import Status
from suite.execution.conformance_checks import Checked, Checking
from suite.execution.runner import Event, Finished, Postponed, Progressed, Started, Waiting
from suite.matrix.planned_cells import PlannedCell
from suite.records.command_line import printable
from suite.records.measures import DISTURBED
from suite.records.naming import cell_label
from suite.records.schema import Record

LINE_SECONDS = 10.0
"""The least time between two lines of progress in a log; each finished cell has its line."""
BAR_WIDTH = 20


class _Output:
    def __init__(self, file: TextIO) -> None:
        self.live = file.isatty()
        """Whether live lines are shown."""
        self._console = Console(
            file=file,
            force_terminal=self.live,
            force_jupyter=False,
            highlight=False,
            soft_wrap=not self.live,
        )
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def start(self) -> None:
        self._live.start()

    def write(self, text: str) -> None:
        self._console.print(Text(printable(text)))

    def redraw(self, text: str) -> None:
        self._live.update(Text(printable(text)), refresh=True)

    def stop(self) -> None:
        self._live.stop()


class _Notebook:
    """A notebook's output: the live lines are one output that is replaced."""

    live = True

    def start(self) -> None:
        from IPython.display import display

        self._output: Any = display({"text/plain": ""}, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def write(self, text: str) -> None:
        print(printable(text), flush=True)

    def redraw(self, text: str) -> None:
        self._output.update({"text/plain": text}, raw=True)

    def stop(self) -> None:
        self.redraw("")


@dataclass
class _Active:
    label: str
    since: float
    number: int
    progress: Mapping[str, Any] = field(default_factory=dict)


class Display:
    """Shows the events of a run; a context manager that removes the live lines at its end."""

    def __init__(self, to_run: int, file: TextIO | None = None, *, trials: bool = False) -> None:
        """Expect `to_run` cells; write to `file`, by default standard output.

        With `trials`, show the learning rates and the scores on validation.
        """
        self.to_run = to_run
        self.trials = trials
        self.started = self.finished = 0
        self.seconds: list[float] = []
        self.noted: set[str] = set()
        self.next_line = -math.inf
        self.active: dict[str, _Active] = {}
        self.most_active = 1
        self.waiting = False
        in_notebook = file in (None, sys.stdout) and Console().is_jupyter
        self.surface = _Notebook() if in_notebook else _Output(file or sys.stdout)

    def __enter__(self) -> Display:
        self.surface.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.surface.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Checking | Checked):
            self._show_check(event)
            return
        if isinstance(event, Started):
            label = self._label(event.planned)
            self.started += 1
            active = _Active(label, time.monotonic(), self.started)
            self.active[event.planned.cell.id] = active
            self.most_active = max(self.most_active, len(self.active))
            self._line(f"{self._position(active)} {self._describe(active)}")
        elif isinstance(event, Progressed):
            active = self.active[event.planned.cell.id]
            active.progress = event.progress
            self._line(f"  {self._describe(active)}")
        elif isinstance(event, Finished):
            self._finish(event)
        elif isinstance(event, Waiting) and not self.waiting:
            self.waiting = True
            self.surface.write(
                f"waiting for {len(event.cells)} cells that another invocation is running"
            )
        elif isinstance(event, Postponed):
            self.surface.write(f"{len(event.cells)} cells were not started: they end too late")
        if self.surface.live:
            self.surface.redraw("\n".join(map(self._live_line, self.active.values())))

    def _show_check(self, event: Checking | Checked) -> None:
        if isinstance(event, Checking):
            code, progress = event.code, event.progress
            text = f"checking {code.architecture} ({code.backend}): {progress['phase']}"
            self._line(text)
            if self.surface.live:
                self.surface.redraw(f"{text} · {progress['fraction']:4.0%}")
            return
        code, failed = event.report.code, event.report.failed
        verdict = f"failed, so that it has no rank: {', '.join(failed)}" if failed else "passed"
        self.surface.write(
            f"conformance kit {code.kit} on {code.architecture} ({code.backend}): {verdict}"
        )

    def _finish(self, event: Finished) -> None:
        cell, record, label = event.planned.cell, event.record, self._label(event.planned)
        if event.reused or cell.id not in self.active:
            if record.status is Status.UNSUPPORTED:
                self.surface.write(f"{label}: unsupported: {record.reason}")
            elif cell.id not in self.active:
                self._line(f"{label}: {record.status}, from {record.started_at:%Y-%m-%d %H:%M}")
            return
        active = self.active.pop(cell.id)
        seconds = time.monotonic() - active.since
        self.finished += 1
        self.seconds.append(seconds)
        reason = f": {record.reason}" if record.reason else ""
        figure = _score(record) if self.trials else _speed(record)
        self.surface.write(
            f"{self._position(active)} {label}: {record.status}{reason} in {seconds:.0f} s{figure}"
        )
        if problem := record.details.get("weights_problem"):
            self.surface.write(f"  its weights were not kept: {problem}")
        for note in (record.data or {}).get("notes", ()):
            if note not in self.noted:
                self.noted.add(note)
                self.surface.write(f"  {note}")

    def _label(self, planned: PlannedCell) -> str:
        facts = planned.ranking
        label, rate = cell_label(planned.cell, facts), facts.learning_rate
        if self.trials and rate and "learning_rate=" not in facts.entry:  # it is the recipe's
            return f"{label} · learning rate {rate:g}"
        return label

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

    def _live_line(self, active: _Active) -> str:
        fraction = active.progress.get("fraction") or 0.0
        filled = round(fraction * BAR_WIDTH)
        bar = "━" * filled + "─" * (BAR_WIDTH - filled)
        return f"{self._position(active)} {bar} {self._describe(active)}"

    def _position(self, active: _Active) -> str:
        """Return the number of a cell, which it keeps while others run beside it."""
        return f"[{active.number}/{self.to_run}]"

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
        """Write a line that live lines would show, unless the last one was just written."""
        now = time.monotonic()
        if not self.surface.live and now >= self.next_line:
            self.next_line = now + LINE_SECONDS
            self.surface.write(text)


def _speed(record: Record) -> str:
    speed = record.measured("training", "tokens_per_second")
    mark = "" if record.is_quiet("training") else DISTURBED
    return f", {mark}{speed:,.0f} training tokens/s" if speed else ""


def _score(record: Record) -> str:
    name = record.ranking.metric or ""
    score = record.metric(name, "validation")
    return "" if score is None else f", validation {name} {score:.4f}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
