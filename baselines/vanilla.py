"""The Transformer: sinusoidal positions, full attention, normalisation after each sub-layer.

Vaswani et al. 2017, "Attention Is All You Need".
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs


class Vanilla(Architecture):
    """The original Transformer; exact attention in blocks of queries at long lengths."""

    version = 2
    title = "Transformer"
    paper = "Vaswani et al. 2017, Attention Is All You Need"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n^2"
    claimed_memory = "n"

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of full attention."""
        from baselines.layers.flops import full_attention_operations

        return full_attention_operations(request)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.attention_blocks import BLOCK_BYTES
        from baselines.layers.transformer import build_transformer

        return build_transformer(request, BLOCK_BYTES)


ARCHITECTURE = Vanilla()
