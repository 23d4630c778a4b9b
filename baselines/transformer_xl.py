"""Transformer-XL: relative positions, and memory carried from segment to segment.

Dai et al. 2019, "Transformer-XL: Attentive Language Models beyond a Fixed-Length Context".
"""

from __future__ import annotations

from typing import Any

from suite.contracts import Architecture, BuildRequest, Form, Inputs


class TransformerXl(Architecture):
    """Reads segments from left to right, each with a memory of those before it.

    The projection of distances is paid for by a narrower feed-forward network. In the encoder form
    a position sees its whole segment, at signed distances, and the memory to the left.
    """

    version = 1
    title = "Transformer-XL"
    paper = "Dai et al. 2019, Transformer-XL: Language Models beyond a Fixed-Length Context"
    forms = frozenset({Form.ENCODER, Form.DECODER})
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    options = {"segment": 128, "memory": 128}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Refuse segments and memories that cannot be."""
        segment, memory = request.options["segment"], request.options["memory"]
        if segment < 1 or memory < 0:
            return (
                "a segment has at least one position and a memory none or more; "
                f"received: segment={segment}, memory={memory}"
            )
        return None

    def build(self, request: BuildRequest) -> Any:
        """Build the encoder or the decoder."""
        from baselines.layers.input_embedding import InputEmbedding
        from baselines.layers.positions import NoPositions
        from baselines.layers.recurrent_backbone import RecurrentBackbone
        from baselines.layers.relative_attention import RelativeAttention
        from baselines.layers.segment_recurrence import RecurrentStack
        from baselines.layers.transformer_layer import stack_layers

        size = request.model_size
        causal = request.form is Form.DECODER
        stacked = stack_layers(
            request,
            lambda: RelativeAttention(size.num_heads, causal),
            activation="relu",
            feedforward_width=size.feedforward_width - size.width // 2,
        )
        embedding = InputEmbedding(
            request, NoPositions(), stddev=size.width**-0.5, scale=size.width**0.5
        )
        stack = RecurrentStack(
            stacked, size.num_heads, request.options["segment"], request.options["memory"]
        )
        return RecurrentBackbone(embedding, stack)


ARCHITECTURE = TransformerXl()
