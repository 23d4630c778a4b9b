"""The phase that a measure belongs to."""

from __future__ import annotations

from functools import cache

MEASURED_APART = ("compile", "latency", "state", "weight")
"""The parts of a phase that its noise flag leaves out: the first words of their measures.

Compilation and latency have flags of their own. The sizes of a state and of weights have none:
counting takes no time.
"""


@cache
def phase_of(measure: str) -> str:
    """Return the phase whose noise flag holds for a measure such as "training.step_seconds".

    Parts of a phase have flags of their own: that of "inference.latency_p50_seconds" is
    "inference.latency".
    """
    phase, _, name = measure.partition(".")
    part = name.partition("_")[0]
    return f"{phase}.{part}" if part in MEASURED_APART else phase
