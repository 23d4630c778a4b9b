"""Attention to all positions, or to those within a window.

Vaswani et al. 2017, "Attention Is All You Need", section 3.2.
"""

from __future__ import annotations

from typing import Any

from baselines.layers.block import Block
from baselines.layers.mixer import Mixer
from suite.api import BuildRequest, Form

POSITIONS = ("rotary", "none")


class Attention(Mixer):
    """Attention without biases, with rotary positions or none.

    With a `window` w, a position sees itself and the w − 1 before it, and as many after it in an
    encoder. `key_value_heads` is the number of heads of keys and values, by default all.
    """

    options = {
        "positions": "rotary",
        "rotary_base": 10_000.0,
        "key_value_heads": None,
        "window": None,
    }
    has_heads = True

    def problem(self, request: BuildRequest) -> str | None:
        """Return why the positions, the heads or the window are invalid, or None."""
        positions, base = (request.options[name] for name in ("positions", "rotary_base"))
        if positions not in POSITIONS:
            return f"has positions {' or '.join(POSITIONS)}; received: {positions}. Choose one"
        if base <= 1:
            return f"needs a rotary_base greater than 1; received: {base}. Use 10000"
        return _block(request).problem(request)

    def count_weights(self, request: BuildRequest) -> int:
        """Return the numbers in the kernels of queries, keys, values and output."""
        size, shared = request.model_size, request.options["key_value_heads"]
        keys = (shared or size.num_heads) * (size.width // size.num_heads)
        return 2 * size.width * (size.width + keys)

    def operations(self, request: BuildRequest) -> float:
        """Return the operations of attention to all visible pairs, without the rotations."""
        return _block(request).mixing_operations(request)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the keys and values of all positions, or of the window."""
        return _block(request).state_bytes(request, max_length, value_bytes)

    def layer(self, request: BuildRequest, backward: bool) -> Any:
        """Return the attention; its direction is that of the mask."""
        from baselines.layers.attention_positions import RotaryPositions
        from baselines.layers.full_attention import FullAttention

        options = request.options
        is_rotary = options["positions"] == "rotary"
        return FullAttention(
            request.model_size.num_heads,
            request.form is Form.DECODER,
            num_key_value_heads=options["key_value_heads"],
            window=options["window"],
            positions=RotaryPositions(options["rotary_base"]) if is_rotary else None,
            use_bias=False,
        )


def _block(request: BuildRequest) -> Block:
    """Return the factors that the costs of attention depend on."""
    positions, shared, window = (
        request.options[name] for name in ("positions", "key_value_heads", "window")
    )
    return Block(positions, key_value_heads=shared, window=window)


MIXER = Attention()
