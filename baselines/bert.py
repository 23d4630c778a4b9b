"""BERT: learned positions and token types, GELU, normalisation after each sub-layer.

Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers".
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs

EPSILON = 1e-12


class Bert(Architecture):
    """BERT's encoder with exact attention, computed in blocks of queries at long lengths."""

    version = 3
    title = "BERT"
    paper = "Devlin et al. 2019, BERT: Pre-training of Deep Bidirectional Transformers"
    forms = frozenset({Form.ENCODER})
    inputs = frozenset(Inputs)
    claimed_time = "n^2"
    claimed_memory = "n"

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of full attention."""
        from baselines.layers.flops import full_attention_operations

        return full_attention_operations(request)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the encoder."""
        from baselines.layers.bert_backbone import BertBackbone
        from baselines.layers.full_attention import FullAttention
        from baselines.layers.initialization import embedding_stddev
        from baselines.layers.input_embedding import InputEmbedding
        from baselines.layers.positions import TypedPositions
        from baselines.layers.transformer_layer import TransformerStack, stack_layers

        size = request.model_size
        stack = TransformerStack(
            stack_layers(
                request,
                lambda: FullAttention(size.num_heads),
                activation="gelu",
                epsilon=EPSILON,
            )
        )
        positions = TypedPositions(request.sequence_length, embedding_stddev(request))
        embedding = InputEmbedding.of_request(request, positions, norm_epsilon=EPSILON)
        return BertBackbone(EPSILON, encoder=stack, encoder_embedding=embedding)


ARCHITECTURE = Bert()
