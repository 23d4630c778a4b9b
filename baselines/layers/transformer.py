"""Transformers from the factors of their layers, with any mixer of positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from baselines.layers.attention_blocks import BLOCK_BYTES
from baselines.layers.attention_positions import make_attention_positions
from baselines.layers.backbone import Backbone
from baselines.layers.block import Block
from baselines.layers.class_token import ClassToken
from baselines.layers.full_attention import FullAttention
from baselines.layers.initialization import embedding_stddev
from baselines.layers.input_embedding import InputEmbedding
from baselines.layers.positions import make_positions
from baselines.layers.rotary_extension import extended_rotary
from baselines.layers.transformer_layer import TransformerLayer, TransformerStack
from suite.api import BuildRequest, Form

ORIGINAL = Block()
"""The layers of Vaswani et al. 2017."""
MakeMixer = Callable[[int, bool], Any]
"""Returns the mixer of a layer, given its index and whether it is causal, or None."""
FeedforwardWidth = Callable[[bool], int]
"""Returns the width of the feed-forward networks in the encoder, or in the causal decoder."""


def build_transformer(
    request: BuildRequest,
    block: Block = ORIGINAL,
    *,
    mixer: MakeMixer | None = None,
    feedforward_width: FeedforwardWidth | None = None,
    block_bytes: int | None = BLOCK_BYTES,
    class_token: bool = False,
    make_backbone: Callable[..., Backbone] = Backbone,
    **settings: Any,
) -> Backbone:
    """Return the requested form, with the factors of `block`.

    `mixer` replaces full attention to the positions of the same stack, and `feedforward_width` the
    width that the block has. The decoder of the encoder-decoder form keeps full attention to the
    encoder's output. Scores are in blocks of `block_bytes`, or whole if None. A `class_token` comes
    before the inputs. `settings` are further arguments of the backbone.
    """
    stacks = []
    if request.form is not Form.DECODER:
        stacks.append(("encoder", False))
    if request.form is not Form.ENCODER:
        stacks.append(("decoder", True))
    for name, causal in stacks:
        layers = make_layers(
            request,
            block,
            causal,
            mixer=mixer,
            feedforward_width=feedforward_width,
            block_bytes=block_bytes,
        )
        final_epsilon = block.epsilon if block.norm_placement == "before" else None
        settings[name] = TransformerStack(layers, final_epsilon, block.norm)
        settings[f"{name}_embedding"] = make_embedding(request, block, class_token)
    return make_backbone(extra_positions=int(class_token), **settings)


def make_layers(
    request: BuildRequest,
    block: Block,
    causal: bool,
    *,
    mixer: MakeMixer | None = None,
    feedforward_width: FeedforwardWidth | None = None,
    block_bytes: int | None = BLOCK_BYTES,
) -> list[TransformerLayer]:
    """Return the layers of one stack, each with its own attentions; see `build_transformer`."""
    size = request.model_size
    crosses = causal and request.form is Form.ENCODER_DECODER
    branches = 2 * size.num_layers if block.scaled_residuals else 1
    positions = make_attention_positions(block.positions, causal)
    if block.positions == "rotary":
        positions = extended_rotary(
            block.rotary_extension, block.rotary_factor, request.sequence_length
        )
    width = block.feedforward_width(request, causal)
    if feedforward_width is not None:
        width = feedforward_width(causal)

    def attention(causal: bool, **kwargs: Any) -> FullAttention:
        return FullAttention(
            size.num_heads,
            causal,
            block_bytes,
            branches,
            num_key_value_heads=block.key_value_heads,
            use_bias=block.use_bias,
            scaled=block.scaled_scores,
            **kwargs,
        )

    def mix(index: int) -> Any:
        if mixer is not None:
            return mixer(index, causal)
        return attention(
            causal,
            short_convolution=block.short_convolution,
            window=block.window,
            positions=positions,
        )

    return [
        TransformerLayer(
            mix(index),
            width,
            feedforward_type=block.feedforward,
            activation=block.activation,
            dropout=request.dropout,
            norm=block.norm,
            norm_placement=block.norm_placement,
            epsilon=block.epsilon,
            cross_attention=attention(causal=False) if crosses else None,
            num_residual_branches=branches,
            use_bias=block.use_bias,
            gate_activation=block.gate_activation,
            gate_bias=block.gate_bias,
        )
        for index in range(size.num_layers)
    ]


def make_embedding(request: BuildRequest, block: Block, class_token: bool = False) -> Any:
    """Return the embedding of the inputs of a stack."""
    scale = request.model_size.width**0.5 if block.scaled_embeddings else 1.0
    stddev = embedding_stddev(request, scale)
    positions = make_positions(block.positions, request.sequence_length + class_token, stddev)
    if class_token:
        positions = ClassToken(positions, stddev)
    return InputEmbedding.of_request(
        request,
        positions,
        scale=scale,
        norm_type="layer" if block.norm == "rms" else block.norm,
        norm_epsilon=block.epsilon if block.embedding_norm else None,
    )
