"""Gated linear attention: linear attention whose state decays by channel.

Yang et al. 2024, "Gated Linear Attention Transformers with Hardware-Efficient Training".
"""

from __future__ import annotations

from typing import Any

from baselines.layers.flops import scan_operations
from baselines.layers.mixer import Mixer, key_share_problem, value_and_key_widths
from baselines.layers.state_sizes import FLOAT32_BYTES
from suite.api import BuildRequest

CHUNK_LENGTH = 64


class GatedLinear(Mixer):
    """Gated linear attention with the heads of the model.

    Keys have `key_share` of the width in all heads together, and values all of it, as in the paper.
    `decay_rank` numbers make the decays of a position.
    """

    options = {"key_share": 0.5, "decay_rank": 16}
    has_direction = True
    carries_state = True

    def problem(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None."""
        rank = request.options["decay_rank"]
        if rank < 1:
            return f"needs a decay_rank of at least 1; received: {rank}. Use 16"
        return key_share_problem(request)

    def count_weights(self, request: BuildRequest) -> int:
        """Return the number of weights in the kernels of all projections."""
        width, keys, rank = *value_and_key_widths(request), int(request.options["decay_rank"])
        return width * (2 * keys + 3 * width + rank) + rank * keys

    def operations(self, request: BuildRequest) -> float:
        """Return the operations of the states, and of the comparisons in chunks."""
        width, keys = value_and_key_widths(request)
        head_size = keys // request.model_size.num_heads
        return scan_operations(request.sequence_length, head_size, keys, width, CHUNK_LENGTH)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the states, in float32."""
        width, keys = value_and_key_widths(request)
        return keys // request.model_size.num_heads * width * FLOAT32_BYTES

    def layer(self, request: BuildRequest, backward: bool) -> Any:
        """Return the attention."""
        from baselines.layers.gated_linear_attention import GatedLinearAttention

        width, keys = value_and_key_widths(request)
        return GatedLinearAttention(
            request.model_size.num_heads,
            keys,
            width,
            request.options["decay_rank"],
            backward,
            chunk_length=CHUNK_LENGTH,
        )


MIXER = GatedLinear()
