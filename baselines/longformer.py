"""Longformer: attention within a sliding window, and of a few global tokens to everything.

Beltagy, Peters, Cohan 2020, "Longformer: The Long-Document Transformer".
"""

from __future__ import annotations

from typing import Any

from suite.contracts import Architecture, BuildRequest, Form, Inputs


class Longformer(Architecture):
    """RoBERTa's encoder (learned positions, GELU, normalisation after) with windowed attention.

    The window is an eighth of the longest default length, as the paper's 512 is of its 4,096.
    """

    version = 1
    title = "Longformer"
    paper = "Beltagy et al. 2020, Longformer: The Long-Document Transformer"
    forms = frozenset({Form.ENCODER})
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    options = {"window": 128}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Refuse windows that cannot be."""
        window = request.options["window"]
        if window < 2 or window % 2:
            return f"a window is even and at least 2; received: {window}"
        return None

    def build(self, request: BuildRequest) -> Any:
        """Build the encoder."""
        from baselines.layers.backbone import Backbone
        from baselines.layers.elementwise import gelu
        from baselines.layers.input_embedding import InputEmbedding
        from baselines.layers.positions import LearnedPositions
        from baselines.layers.sliding_window_attention import SlidingWindowAttention
        from baselines.layers.transformer_layer import TransformerStack, stack_layers

        size = request.model_size
        stack = TransformerStack(
            stack_layers(
                request,
                lambda: SlidingWindowAttention(
                    size.num_heads, request.options["window"], request.max_global_tokens
                ),
                activation=gelu,
            )
        )
        embedding = InputEmbedding(
            request, LearnedPositions(request.sequence_length), norm_epsilon=1e-5
        )
        return Backbone(encoder=stack, encoder_embedding=embedding, takes_global_mask=True)


ARCHITECTURE = Longformer()
