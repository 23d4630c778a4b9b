"""The costs that probes and decodings are ranked by: name, title, unit, declared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suite.api import Metric, Mode


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
"""The costs of a probe by "phase.name": the speeds first, then the peaks of memory."""
DECODING_COSTS = {
    cost.metric.name: cost
    for cost in (
        Cost(
            Metric("prefill.tokens_per_second", True),
            "prefill speed",
            "thousand tokens per second",
            1e3,
        ),
        Cost(Metric("generation.step_seconds", False), "time per generated token", "ms", 1e-3),
    )
}
"""The costs of a decoding by "phase.name"."""


def costs_of(mode: Mode) -> Mapping[str, Cost]:
    """Return the costs that the runs of a mode are ranked by; none for trainings."""
    return {Mode.PROBE: COSTS, Mode.DECODE: DECODING_COSTS}.get(mode, {})


def is_cost(metric: Metric) -> bool:
    """Return whether a metric is a cost, whose differences are ratios."""
    return metric.name in COSTS or metric.name in DECODING_COSTS
