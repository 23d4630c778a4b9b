"""The Vision Transformer: a class token, then the patches of an image, as a sequence.

Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words".
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs

EPSILON = 1e-12


class Vit(Architecture):
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

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of full attention."""
        from baselines.layers.flops import full_attention_operations

        return full_attention_operations(request, int(request.options["class_token"]))

    def assemble(self, request: BuildRequest) -> Any:
        """Build the encoder."""
        from baselines.layers.backbone import Backbone
        from baselines.layers.class_token import ClassToken
        from baselines.layers.full_attention import FullAttention
        from baselines.layers.initialization import embedding_stddev
        from baselines.layers.input_embedding import InputEmbedding
        from baselines.layers.positions import LearnedPositions
        from baselines.layers.transformer_layer import TransformerStack, stack_layers

        size = request.model_size
        stack = TransformerStack(
            stack_layers(
                request,
                lambda: FullAttention(size.num_heads),
                activation="gelu",
                norm_first=True,
                epsilon=EPSILON,
            ),
            final_epsilon=EPSILON,
        )
        with_token = request.options["class_token"]
        stddev = embedding_stddev(request)
        positions = LearnedPositions(request.sequence_length + with_token, stddev)
        embedding = InputEmbedding.of_request(
            request, ClassToken(positions, stddev) if with_token else positions
        )
        return Backbone(encoder=stack, encoder_embedding=embedding, extra_positions=int(with_token))


ARCHITECTURE = Vit()
