"""The control: the Transformer with its whole n × n array of scores in memory.

It is here to prove the instruments: its memory must come out near n², or they are wrong.
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs


class FullAttentionControl(Architecture):
    """`vanilla` without blocks of queries."""

    version = 2
    title = "Full attention (control)"
    paper = "Vaswani et al. 2017, Attention Is All You Need"
    forms = frozenset({Form.ENCODER})
    inputs = frozenset({Inputs.TOKEN_IDS, Inputs.EMBEDDINGS})
    claimed_time = "n^2"
    claimed_memory = "n^2"
    control = True

    def mixing_operations(self, request: BuildRequest) -> float:
        """Count full attention."""
        from baselines.layers.flops import full_attention_operations

        return full_attention_operations(request)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the encoder."""
        from baselines.layers.transformer import build_transformer

        return build_transformer(request, block_bytes=None)


ARCHITECTURE = FullAttentionControl()
