"""The mixer of Mamba-3: a rotated state space, fed by a trapezoidal rule.

Lahoti et al. 2026, "Mamba-3: Improved Sequence Modeling using State Space Principles".
"""

from __future__ import annotations

from typing import Any

from baselines.layers.flops import CHUNK_LENGTH
from baselines.layers.mixer import Mixer, largest_head_size
from baselines.layers.state_sizes import FLOAT32_BYTES
from suite.api import BuildRequest

LARGEST_RANK = 16
"""A chunk has `CHUNK_LENGTH` rows for each rank, and at most 2,048 rows have exact decays."""


class TrapezoidalState(Mixer):
    """The state space of Mamba-3 with its gates; it has no convolution.

    It expands the width by `expansion` into heads of at most `head_size` channels. `state_size` is
    the number of values in a channel's state; 0 selects a quarter of the width. `rotated_share` of
    these are rotated. `rank` is the number of inputs and outputs of a state at each position.
    """

    options = {
        "expansion": 2,
        "head_size": 64,
        "state_size": 0,
        "rotated_share": 0.5,
        "rank": 1,
        "output_norm": False,
        "heavy_tail_decay": False,
    }
    has_direction = True
    carries_state = True

    def problem(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None."""
        options = request.options
        if min(options[name] for name in ("expansion", "head_size", "rank")) < 1:
            return f"needs sizes of at least 1; received: {dict(options)}. Use the defaults"
        if (rank := options["rank"]) > LARGEST_RANK:
            return f"needs a rank of at most {LARGEST_RANK}; received: {rank}. Use a lower rank"
        if options["state_size"] < 0:
            return (
                f"needs a state_size of at least 0; received: {options['state_size']}. "
                "Use 0 for a quarter of the width"
            )
        if not 0 <= options["rotated_share"] <= 1:
            return f"rotates a share from 0 to 1; received: {options['rotated_share']}. Use 0.5"
        return None

    def count_weights(self, request: BuildRequest) -> int:
        """Return the number of weights in the kernels of both projections."""
        inner, state, angles = _sizes(request)
        heads, rank = inner // largest_head_size(request, inner), request.options["rank"]
        units = 3 * inner + 2 * rank * state + 3 * heads + angles
        return int(request.model_size.width * units + (3 * rank * inner if rank > 1 else 0))

    def operations(self, request: BuildRequest) -> float:
        """Return the operations of the scan: states, and comparisons in chunks of all rows."""
        inner, state, _ = _sizes(request)
        length, rank = request.sequence_length, int(request.options["rank"])
        heads = inner // largest_head_size(request, inner)
        chunk = min(CHUNK_LENGTH, length)
        states = 4.0 * state * inner * length * rank
        comparisons = 2.0 * (heads * state + inner) * rank**2 * length * (chunk + 1) / 2
        return float(states + comparisons)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the states, and of the last key, value and angle, in float32."""
        inner, state, angles = _sizes(request)
        heads, rank = inner // largest_head_size(request, inner), int(request.options["rank"])
        return (state * inner + heads * (rank * state + angles) + inner) * FLOAT32_BYTES

    def layer(self, request: BuildRequest, backward: bool) -> Any:
        """Return the mixer."""
        from baselines.layers.trapezoidal_state_space import TrapezoidalStateSpace

        (inner, state, angles), options = _sizes(request), request.options
        head_size = largest_head_size(request, inner)
        return TrapezoidalStateSpace(
            inner // head_size,
            head_size,
            state,
            angles,
            rank=options["rank"],
            output_norm=options["output_norm"],
            heavy_tail_decay=options["heavy_tail_decay"],
            backward=backward,
        )


def _sizes(request: BuildRequest) -> tuple[int, int, int]:
    """Return the channels of x, the values of a channel's state, and the number of angles."""
    options, width = request.options, request.model_size.width
    state = int(options["state_size"]) or max(2, width // 4)
    return int(options["expansion"]) * width, state, int(options["rotated_share"] * state / 2)


MIXER = TrapezoidalState()
