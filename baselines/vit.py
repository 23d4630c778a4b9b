"""The Vision Transformer: a class token, then the patches of an image, as a sequence.

Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words", section 3.1.
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs

EPSILON = 1e-12


class ViT(Architecture):
    """ViT's encoder: learned positions, normalisation before each sub-layer.

    With the option `class_token`, a class token precedes the patches, and its hidden state
    represents the image. Without it, the mean over the patches does. `positions.resize_grid`
    interpolates learned positions to another grid.
    """

    version = 3
    title = "Vision Transformer"
    paper = "Dosovitskiy et al. 2021, An Image is Worth 16x16 Words"
    forms = frozenset({Form.ENCODER})
    inputs = frozenset({Inputs.PATCHES})
    claimed_time = "n^2"
    claimed_memory = "n"
    options = {"class_token": True}

    def fixed_length_reason(self, request: BuildRequest) -> str | None:
        """Return why the learned positions end at the training length."""
        from baselines.layers.block import limited_positions_reason

        return limited_positions_reason("learned")

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of full attention."""
        from baselines.layers.flops import full_attention_operations

        return full_attention_operations(request, int(request.options["class_token"]))

    def assemble(self, request: BuildRequest) -> Any:
        """Build the encoder."""
        from baselines.layers.block import Block
        from baselines.layers.transformer import build_transformer

        block = Block(
            "learned",
            norm_placement="before",
            activation="gelu",
            epsilon=EPSILON,
            scaled_embeddings=False,
        )
        return build_transformer(request, block, class_token=request.options["class_token"])


ARCHITECTURE = ViT()
