"""Attention to all positions, or to those within a window.

Vaswani et al. 2017, "Attention Is All You Need", section 3.2.
"""

from __future__ import annotations

from typing import Any

from baselines.layers.block import Block, choice_problem, turned_channels
from baselines.layers.mixer import Mixer
from suite.api import BuildRequest, Form

CHOICES = {
    "positions": ("rotary", "none"),
    "query_key_norm": ("none", "head", "width"),
    "norm_placement": ("before", "result"),
}


class Attention(Mixer):
    """Attention with rotary positions or none; only its output may have an `output_bias`.

    `rotary_share` is the share of a head's channels that rotary positions turn. With a `window` w,
    a position sees itself and the w − 1 before it, and as many after it in an encoder.
    `key_value_heads` is the number of heads of keys and values, by default all. `query_key_norm`
    normalises queries and keys over each "head" (Qwen3) or over the "width" of all heads (OLMo 2).
    With `gated`, sigmoid gates multiply the outputs of the heads (Qwen3-Next). `norm_placement` is
    that of the layer's norms: "before" its sub-layers, or of their "result".
    """

    options = {
        "positions": "rotary",
        "rotary_base": 10_000.0,
        "rotary_share": 1.0,
        "key_value_heads": None,
        "window": None,
        "query_key_norm": "none",
        "gated": False,
        "output_bias": False,
        "norm_placement": "before",
    }
    has_heads = True

    def problem(self, request: BuildRequest) -> str | None:
        """Return why the positions, the heads or the window are invalid, or None."""
        options, size = request.options, request.model_size
        if problem := choice_problem(options, CHOICES):
            return problem
        if (base := options["rotary_base"]) <= 1:
            return f"needs a rotary_base greater than 1; received: {base}. Use 10000"
        share, head_size = options["rotary_share"], size.width // size.num_heads
        is_rotary = options["positions"] == "rotary"
        defaults = self.options["rotary_base"], self.options["rotary_share"]
        if not is_rotary and (base, share) != defaults:
            return (
                "has a rotary_base and a rotary_share of rotary positions alone; received: "
                f"positions={options['positions']}, rotary_base={base}, rotary_share={share}. "
                f"Use {defaults[0]} and {defaults[1]}"
            )
        if is_rotary and share != 1 and turned_channels(head_size, share) is None:
            return (
                "turns an even number of a head's channels; "
                f"received: rotary_share={share} of {head_size} channels. "
                "Use another share or number of heads"
            )
        return _block(request).problem(request)

    def claimed_costs(self, request: BuildRequest) -> tuple[str, str]:
        """Return the claimed time and memory: only a window makes attention linear."""
        return "n^2" if request.options["window"] is None else "n", "n"

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return that heads cannot be removed where one norm has weights for all of them."""
        return ("heads",) if request.options["query_key_norm"] == "width" else ()

    def norm_placement(self, request: BuildRequest) -> str:
        """Return the placement of the norms of a layer with this mixer."""
        return str(request.options["norm_placement"])

    def count_weights(self, request: BuildRequest) -> int:
        """Return the number of weights in the kernels of all projections."""
        size, shared = request.model_size, request.options["key_value_heads"]
        keys = (shared or size.num_heads) * (size.width // size.num_heads)
        gates = size.width if request.options["gated"] else 0
        return size.width * (2 * size.width + 2 * keys + gates)

    def operations(self, request: BuildRequest) -> float:
        """Return the operations of attention to all visible pairs, without the rotations."""
        return _block(request).mixing_operations(request)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the keys and values of all positions, or of the window."""
        return _block(request).state_bytes(request, max_length, value_bytes)

    def layer(self, request: BuildRequest, backward: bool) -> Any:
        """Return the attention; its direction is that of the mask."""
        from baselines.layers.attention_positions import RotaryPositions
        from baselines.layers.gated_attention import GatedAttention

        options, positions = request.options, None
        if options["positions"] == "rotary":
            positions = RotaryPositions(options["rotary_base"], options["rotary_share"])
        return GatedAttention(
            request.model_size.num_heads,
            request.form is Form.DECODER,
            num_key_value_heads=options["key_value_heads"],
            window=options["window"],
            positions=positions,
            use_bias=False,
            output_bias=options["output_bias"],
            gated=options["gated"],
            query_key_norm=options["query_key_norm"],
        )


def _block(request: BuildRequest) -> Block:
    """Return the factors that the costs of attention depend on."""
    positions, shared, window = (
        request.options[name] for name in ("positions", "key_value_heads", "window")
    )
    return Block(positions, key_value_heads=shared, window=window)


MIXER = Attention()
