"""Probes and decodings that end at once, with costs of a known form."""

from __future__ import annotations

import random
from datetime import timedelta

from suite.api import Mode, Status
from tests.builders.records import MOMENT, make_record, measured


def costs_at(length, linear=4e-6, squared=1e-9):
    """Return the time and the memory of a pass over a length."""
    seconds = 1e-3 + linear * length + squared * length**2
    memory = 2e7 + 4e4 * length
    return {
        "step_seconds": seconds, "fastest_step_seconds": seconds, "peak_memory_bytes": memory
    }  # fmt: skip


class InstantRuns:
    """A `run` whose cells end at once: `runs` are their (architecture, mode, length, round).

    A cell takes `seconds`. `times` has the time of inference at lengths that break the form. From
    `fails_at` on, cells run out of memory. `noise` is the deviation of the logarithms of the times.
    Unsupported cells do not run.
    """

    def __init__(self, seconds=5, squared=None, fails_at=None, times=None, noise=0.0):
        self.runs = []
        self.noise, self.generator = noise, random.Random(0)
        self.times = times or {}
        self.seconds, self.squared, self.fails_at = seconds, squared or {}, fails_at

    def __call__(self, prepared):
        (planned,) = prepared.plan.cells
        cell = planned.cell
        place = cell.architecture, str(cell.mode), cell.sequence_length, cell.round
        self.runs.append(place)
        ends = {"started_at": MOMENT, "ended_at": MOMENT + timedelta(seconds=self.seconds)}
        if planned.unsupported:
            reason = planned.unsupported
            return [make_record(Status.UNSUPPORTED, cell=cell, reason=reason, **ends)]
        if self.fails_at and cell.sequence_length >= self.fails_at:
            return [make_record(Status.OUT_OF_MEMORY, cell=cell, reason="too much memory", **ends)]
        costs = costs_at(cell.sequence_length, squared=self.squared.get(cell.architecture, 1e-9))
        names = ("prefill", "generation") if cell.mode is Mode.DECODE else ("training", "inference")
        phases = {name: dict(costs) for name in names}
        for of_phase in phases.values():
            of_phase["fastest_step_seconds"] *= self.generator.lognormvariate(0, self.noise)
        if cell.sequence_length in self.times:
            phases[names[1]]["step_seconds"] = self.times[cell.sequence_length]
        measurements = {
            name: {cost: measured(value) for cost, value in of_phase.items()}
            for name, of_phase in phases.items()
        }
        parameters = 20_000 if cell.mode is Mode.DECODE else 9_000  # a head for a vocabulary
        return [
            make_record(cell=cell, measurements=measurements, parameter_count=parameters, **ends)
        ]
