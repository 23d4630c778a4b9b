"""The four costs that probes are ranked by, on one machine: name, title, unit, declared once."""

from __future__ import annotations

from dataclasses import dataclass

from suite.api import Metric


@dataclass(frozen=True, slots=True)
class Cost:
    """A cost; a figure of the record, divided by `divisor`, is in `unit`."""

    metric: Metric
    title: str
    unit: str
    divisor: float


COSTS = {
    f"{phase}.{name}": Cost(Metric(f"{phase}.{name}", better), f"{phase} {title}", unit, divisor)
    for name, better, title, unit, divisor in (
        ("tokens_per_second", True, "speed", "thousand tokens per second", 1e3),
        ("peak_memory_bytes", False, "memory", "MiB", 2.0**20),
    )
    for phase in ("training", "inference")
}
"""The costs by "phase.name": the speeds first, then the peaks of memory."""
