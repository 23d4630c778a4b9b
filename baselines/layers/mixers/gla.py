"""Gated linear attention: linear attention whose state decays by channel.

Yang et al. 2024, "Gated Linear Attention Transformers with Hardware-Efficient Training".
"""

from __future__ import annotations

from typing import Any

from baselines.layers.mixer import Mixer
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
        options, size = request.options, request.model_size
        if options["decay_rank"] < 1:
            return f"needs a decay_rank of at least 1; received: {options['decay_rank']}. Use 16"
        keys = options["key_share"] * size.width / size.num_heads
        if keys < 1 or keys != int(keys):
            return (
                "needs a key_share of the width that its heads divide; received: "
                f"key_share={options['key_share']}, width={size.width}, "
                f"num_heads={size.num_heads}. Use another share"
            )
        return None

    def count_weights(self, request: BuildRequest) -> int:
        """Return the numbers in the kernels of all projections."""
        width, keys, rank = *_widths(request), int(request.options["decay_rank"])
        return width * (2 * keys + 3 * width + rank) + rank * keys

    def operations(self, request: BuildRequest) -> float:
        """Return the operations of the states, and of the comparisons in chunks."""
        width, keys = _widths(request)
        length, head_size = request.sequence_length, keys // request.model_size.num_heads
        comparisons = 2.0 * (keys + width) * length * (min(CHUNK_LENGTH, length) + 1) / 2
        return 4.0 * head_size * width * length + comparisons

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the states, in float32."""
        width, keys = _widths(request)
        return keys // request.model_size.num_heads * width * FLOAT32_BYTES

    def layer(self, request: BuildRequest, backward: bool) -> Any:
        """Return the attention."""
        from baselines.layers.gated_linear_attention import GatedLinearAttention

        width, keys = _widths(request)
        return GatedLinearAttention(
            request.model_size.num_heads,
            keys,
            width,
            request.options["decay_rank"],
            backward,
            chunk_length=CHUNK_LENGTH,
        )


def _widths(request: BuildRequest) -> tuple[int, int]:
    """Return the channels of values, and those of keys."""
    width = request.model_size.width
    return width, int(request.options["key_share"] * width)


MIXER = GatedLinear()
