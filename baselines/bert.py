"""BERT: learned positions and token types, GELU, normalisation after each sub-layer.

Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers", section 3.
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs

EPSILON = 1e-12


class BERT(Architecture):
    """BERT's encoder with exact attention, computed in blocks of queries at long lengths."""

    version = 3
    title = "BERT"
    paper = "Devlin et al. 2019, BERT: Pre-training of Deep Bidirectional Transformers"
    forms = frozenset({Form.ENCODER})
    inputs = frozenset(Inputs)
    claimed_time = "n^2"
    claimed_memory = "n"

    def fixed_length_reason(self, request: BuildRequest) -> str | None:
        """Return why the typed positions end at the training length."""
        from baselines.layers.block import limited_positions_reason

        return limited_positions_reason("typed")

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of full attention."""
        from baselines.layers.flops import full_attention_operations

        return full_attention_operations(request)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the encoder."""
        from baselines.layers.bert_backbone import BertBackbone
        from baselines.layers.block import Block
        from baselines.layers.transformer import build_transformer

        block = Block(
            "typed",
            activation="gelu",
            epsilon=EPSILON,
            scaled_embeddings=False,
            embedding_norm=True,
        )
        return build_transformer(request, block, make_backbone=BertBackbone, epsilon=EPSILON)


ARCHITECTURE = BERT()
