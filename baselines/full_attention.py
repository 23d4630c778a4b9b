"""The control: the Transformer with the whole n × n array of scores in memory.

The control validates the measurements: the memory measured for it must grow as n².
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs


class FullAttentionControl(Architecture):
    """`vanilla` with attention scores that are not split into blocks of queries."""

    version = 2
    title = "Full attention (control)"
    paper = "Vaswani et al. 2017, Attention Is All You Need"
    forms = frozenset({Form.ENCODER, Form.DECODER})
    inputs = frozenset({Inputs.TOKEN_IDS, Inputs.EMBEDDINGS})
    claimed_time = "n^2"
    claimed_memory = "n^2"
    control = True
    probe_only = True

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of full attention."""
        from baselines.layers.flops import full_attention_operations

        return full_attention_operations(request)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the keys and values of all positions."""
        from baselines.layers.state_sizes import full_attention_bytes

        return full_attention_bytes(request, max_length, value_bytes)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.transformer import build_transformer

        return build_transformer(request, block_bytes=None)


ARCHITECTURE = FullAttentionControl()
