"""The measures of probes and decodings: name, unit, title and direction, declared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suite.analysis.aggregate import DECODING_PHASES, PHASES
from suite.api import RequestError
from suite.api.errors import unknown_name

DEFAULT_MEASURE = "training.tokens_per_second"


@dataclass(frozen=True, slots=True)
class Measure:
    """A quantity that a probe or a decoding measures in a phase.

    `higher_is_better` is None where neither direction is better: such a measure describes the
    conditions of a measurement and ranks nothing.
    """

    name: str
    unit: str
    title: str
    higher_is_better: bool | None


OF_EACH_PHASE = (
    Measure("tokens_per_second", "tokens/s", "speed in real tokens", True),
    Measure("padded_tokens_per_second", "tokens/s", "speed in positions, padding included", True),
    Measure("step_seconds", "s", "time of a step", False),
    Measure("compile_seconds", "s", "time of compilation", False),
    Measure("peak_memory_bytes", "B", "peak memory of the steps", False),
    Measure("compile_peak_memory_bytes", "B", "peak memory of compilation", False),
    Measure("model_flops_utilization", "", "model operations as a share of the matrix rate", True),
    Measure("other_process_cpu_share", "", "processor share of other processes", None),
    Measure("energy_joules_per_token", "J/token", "energy of a token", False),
)
OF_INFERENCE = (
    Measure("latency_p50_seconds", "s", "median latency of one example", False),
    Measure("latency_p95_seconds", "s", "95th percentile of the latency", False),
    Measure("latency_p99_seconds", "s", "99th percentile of the latency", False),
    Measure("weight_bytes", "B", "size of the weights", False),
)
OF_GENERATION = (
    Measure("latency_p50_seconds", "s", "median time of a single token", False),
    Measure("latency_p95_seconds", "s", "95th percentile of the time of a single token", False),
    Measure("latency_p99_seconds", "s", "99th percentile of the time of a single token", False),
    Measure("state_bytes", "B", "size of the decoding state", False),
    Measure("state_memory_bytes", "B", "memory of the decoding state", False),
)
OF_DECODING_PHASES = tuple(one for one in OF_EACH_PHASE if one.name != "model_flops_utilization")
PROBE_MEASURES: Mapping[str, Measure] = {
    **{f"{phase}.{measure.name}": measure for phase in PHASES for measure in OF_EACH_PHASE},
    **{f"inference.{measure.name}": measure for measure in OF_INFERENCE},
}
"""The measures of a probe by "phase.name"."""
DECODING_MEASURES: Mapping[str, Measure] = {
    **{f"{phase}.{one.name}": one for phase in DECODING_PHASES for one in OF_DECODING_PHASES},
    **{f"generation.{measure.name}": measure for measure in OF_GENERATION},
}
"""The measures of a decoding by "phase.name"; a step of the generation is one token."""
MEASURES: Mapping[str, Measure] = {**PROBE_MEASURES, **DECODING_MEASURES}
"""All measures of costs by "phase.name"."""


def find_directed_measure(name: str) -> Measure:
    """Return the measure of "phase.name", which has a better direction.

    Raises:
        RequestError: there is no such measure, or neither direction of it is better.
    """
    if name not in MEASURES:
        raise unknown_name("measure", name, MEASURES)
    measure = MEASURES[name]
    if measure.higher_is_better is None:
        directed = [key for key, other in MEASURES.items() if other.higher_is_better is not None]
        raise RequestError(
            "Only a measure with a better direction can be compared",
            received=f"{name} ({measure.title})",
            remedy=f"Choose one of {', '.join(directed)}",
        )
    return measure
