"""The measures of costs, declared once: name, title, direction, and how each is shown.

A measure is named "phase.name", as "training.step_seconds"; its name ends in its unit. Its figure
over repeats is a geometric mean, because disturbances multiply a cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from suite.api import Metric, Mode, RequestError
from suite.api.errors import check_name

PHASES = ("training", "inference")
"""The measured phases of a training or a probe."""
DECODING_PHASES = ("prefill", "generation")
"""The measured phases of a decoding."""
QUALITY = "quality"
"""The name of the primary metric among measures: each task has another."""
DEFAULT_MEASURE = "training.tokens_per_second"
DIGITS = 3
"""The significant digits of a cost: as many for each, so that the figures of a column agree."""
DECIMALS = 3
"""The decimals of ratios, and of scores below 10."""
MEBIBYTE = 2.0**20
DISTURBED = "~"
"""The mark of a cost that other processes disturbed."""
MEASURED_APART = ("compile", "latency")
"""The parts of a phase with a noise flag of their own: the first words of their measures."""
SIZE = "_bytes"
"""The end of the names of sizes. They have no noise flag: no processor load changes a size."""


def phases_of(mode: Mode) -> tuple[str, ...]:
    """Return the phases that a mode measures."""
    return DECODING_PHASES if mode is Mode.DECODE else PHASES


def mode_measuring(phase: str) -> Mode:
    """Return the mode that measures the costs of a phase without training."""
    return Mode.DECODE if phase in DECODING_PHASES else Mode.PROBE


@cache
def phase_of(measure: str) -> str:
    """Return the phase whose noise flag holds for a measure such as "training.step_seconds".

    That of "inference.latency_p50_seconds" is "inference.latency". That of a size is never set.
    """
    phase, _, name = measure.partition(".")
    if name.endswith(SIZE):
        return f"{phase}.size"
    part = name.partition("_")[0]
    return f"{phase}.{part}" if part in MEASURED_APART else phase


def is_cost(name: str) -> bool:
    """Return whether a name is that of a cost, as "training.step_seconds"; a split has scores."""
    phase, dot, _ = name.partition(".")
    return bool(dot) and phase in (*PHASES, *DECODING_PHASES)


@dataclass(frozen=True, slots=True)
class Measure:
    """A quantity that is measured in some phases.

    `higher_is_better` is None where neither direction is better. `keep` says what publishing keeps
    of it: 2 is always kept, 1 is left out of a record that is too large, and 0 of every archive.
    """

    name: str
    title: str
    higher_is_better: bool | None
    phases: tuple[str, ...] = (*PHASES, *DECODING_PHASES)
    keep: int = 2


def significant(value: float, digits: int = DIGITS) -> str:
    """Return a figure with some significant digits; one with more before the point is whole.

    The text of 0 is "0".
    """
    if not value:
        return "0"
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return f"{value:,.{max(0, digits - 1 - exponent)}f}"


def score_decimals(scores: Iterable[float]) -> int:
    """Return the decimals that all scores of a table share: fewer if one of them is 10 or more."""
    largest = max(map(abs, scores), default=0.0)
    return DECIMALS if largest < 9.9995 else 1 if largest < 999.95 else 0


@dataclass(frozen=True, slots=True)
class Shown:
    """How a measure is shown: a figure of the record, divided by `scale`, is in `unit`.

    All its figures have `digits` significant digits.
    """

    title: str
    unit: str
    scale: float
    digits: int = DIGITS

    def text(self, value: float) -> str:
        """Return a figure of the record in the unit."""
        return significant(value / self.scale, self.digits)


EXAMPLES, TOKENS = ("inference",), ("generation",)
DECLARED = (
    Measure("tokens_per_second", "speed in real tokens", True),
    Measure("padded_tokens_per_second", "speed in positions with padding", True, keep=0),
    Measure("step_seconds", "time of a step", False),
    Measure("fastest_step_seconds", "time of the fastest step", False, keep=0),
    Measure("compile_seconds", "time of compilation", False, keep=1),
    Measure("peak_memory_bytes", "peak memory of the steps", False),
    Measure("compile_peak_memory_bytes", "peak memory of compilation", False, keep=0),
    Measure("model_flops_utilization", "share of the machine's matrix rate", True, PHASES),
    Measure("other_process_cpu_share", "processor share of other processes", None, keep=0),
    Measure("energy_joules_per_token", "energy of a token", False),
    Measure("latency_p50_seconds", "median latency of an example", False, EXAMPLES),
    Measure("latency_p95_seconds", "95th percentile of the latency", False, EXAMPLES),
    Measure("latency_p99_seconds", "99th percentile of the latency", False, EXAMPLES),
    Measure("weight_bytes", "size of the weights", False, EXAMPLES, keep=1),
    Measure("latency_p50_seconds", "median time of a single token", False, TOKENS),
    Measure("latency_p95_seconds", "95th percentile of a token's time", False, TOKENS),
    Measure("latency_p99_seconds", "99th percentile of a token's time", False, TOKENS),
    Measure("state_bytes", "size of the decoding state", False, TOKENS),
    Measure("state_memory_bytes", "memory of the decoding state", False, TOKENS, keep=1),
)
MEASURES: Mapping[str, Measure] = {
    f"{phase}.{measure.name}": measure for measure in DECLARED for phase in measure.phases
}
"""All measures of costs by "phase.name"; a step of the generation is one token."""
COUNTED = ("generation.state_bytes",)
"""The counted sizes, of which 0 is a size."""
RANKED: Mapping[Mode, Mapping[str, Shown]] = {
    Mode.TRAIN: {},
    Mode.PROBE: {
        "training.tokens_per_second": Shown("training speed", "thousand tokens per second", 1e3),
        "inference.tokens_per_second": Shown("inference speed", "thousand tokens per second", 1e3),
        "training.peak_memory_bytes": Shown("training memory", "MiB", MEBIBYTE),
        "inference.peak_memory_bytes": Shown("inference memory", "MiB", MEBIBYTE),
    },
    Mode.DECODE: {
        "prefill.tokens_per_second": Shown("prefill speed", "thousand tokens per second", 1e3),
        "generation.step_seconds": Shown("time per generated token", "ms", 1e-3),
    },
}
"""The costs that the runs of a mode are ranked by; a training is ranked by its score."""
COSTS = RANKED[Mode.PROBE]
PRICES = {
    "training.step_seconds": "training time per step",
    "training.peak_memory_bytes": "training memory",
    "inference.step_seconds": "inference time",
    "inference.peak_memory_bytes": "inference memory",
    "inference.weight_bytes": "bytes of the weights",
}
"""The costs of which a method has a price, as a multiple, and their names."""
CHARTED: Mapping[str, Shown] = {
    "training.tokens_per_second": Shown("Training throughput", "tokens/s", 1),
    "training.peak_memory_bytes": Shown("Peak training memory", "MiB", 2**20),
    "inference.tokens_per_second": Shown("Inference throughput", "tokens/s", 1),
    "inference.peak_memory_bytes": Shown("Peak inference memory", "MiB", 2**20),
    "inference.latency_p50_seconds": Shown("Latency of one sequence, median", "ms", 1e-3),
    "training.step_seconds": Shown("Time of a training step", "s", 1.0),
    "training.model_flops_utilization": Shown(
        "Model FLOPs utilization (share of the machine's matrix-product rate)", "%", 0.01
    ),
    "prefill.tokens_per_second": Shown("Prefill throughput", "tokens/s", 1),
    "generation.latency_p50_seconds": Shown("Latency of one generated token, median", "ms", 1e-3),
    "generation.state_bytes": Shown("Size of the decoding state", "KiB", 2**10),
    "generation.step_seconds": Shown("Time per generated token", "ms", 1e-3),
    "inference.step_seconds": Shown("Time of an inference step", "s", 1.0),
    "prefill.peak_memory_bytes": Shown("Peak prefill memory", "MiB", MEBIBYTE),
    "generation.peak_memory_bytes": Shown("Peak generation memory", "MiB", MEBIBYTE),
}
"""The costs that the site draws; crossover points and history have the first two."""
ON_CARDS: Mapping[str, Shown] = {
    "inference.step_seconds": Shown("Inference time", "ms", 1e-3),
    "training.step_seconds": Shown("Time of a training step", "ms", 1e-3),
    "prefill.step_seconds": Shown("Prefill time", "ms", 1e-3),
    "generation.step_seconds": Shown("Time per generated token", "ms", 1e-3),
    "inference.peak_memory_bytes": Shown("Inference memory", "MiB", MEBIBYTE),
    "training.peak_memory_bytes": Shown("Training memory", "MiB", MEBIBYTE),
    "prefill.peak_memory_bytes": Shown("Prefill memory", "MiB", MEBIBYTE),
    "generation.peak_memory_bytes": Shown("Generation memory", "MiB", MEBIBYTE),
    "generation.state_bytes": Shown("Size of the decoding state", "KiB", 2**10),
}
"""The costs of a length card, in the order of its charts."""
GENERATION_COLUMNS = {
    "generation.step_seconds": Shown("ms/token", "ms", 1e-3),
    "generation.latency_p50_seconds": Shown("p50", "ms", 1e-3),
    "generation.latency_p95_seconds": Shown("p95", "ms", 1e-3),
    "generation.latency_p99_seconds": Shown("p99", "ms", 1e-3),
    "generation.state_bytes": Shown("state KiB", "KiB", 2.0**10),
}
"""The further columns of `bench report` for a decoding."""


@cache
def tabled_costs(mode: Mode) -> tuple[str, ...]:
    """Return the costs in a row of a table."""
    names = ("tokens_per_second", "step_seconds", "peak_memory_bytes")
    costs = [f"{phase}.{name}" for phase in phases_of(mode) for name in names]
    return tuple(dict.fromkeys(costs + [*GENERATION_COLUMNS] * (mode is Mode.DECODE)))


def metric_of(cost: str) -> Metric:
    """Return a cost as a metric that entries are ranked by."""
    return Metric(cost, bool(MEASURES[cost].higher_is_better))


def find_directed_measure(name: str) -> Measure:
    """Return the measure of "phase.name", which has a better direction.

    Raises:
        RequestError: there is no such measure, or neither direction of it is better.
    """
    check_name("measure", name, MEASURES)
    measure = MEASURES[name]
    if measure.higher_is_better is None:
        directed = [key for key, other in MEASURES.items() if other.higher_is_better is not None]
        raise RequestError(
            "Only a measure with a better direction can be compared",
            received=f"{name} ({measure.title})",
            remedy=f"Choose one of {', '.join(directed)}",
        )
    return measure
