"""Longformer: attention within a sliding window, plus global attention of a few tokens.

Beltagy, Peters, Cohan 2020, "Longformer: The Long-Document Transformer".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs


class Longformer(Architecture):
    """RoBERTa's layers (learned positions, GELU, normalisation after) with windowed attention.

    The default window is an eighth of the longest default length, like the paper's 512 of 4,096.
    `window` and `dilation` take one number for all layers, or one number per layer, lowest layer
    first. The decoder form's window extends to the left only. The encoder-decoder form is LED
    (section 7): its decoder has full attention to itself and to the encoder's output.
    """

    version = 2
    title = "Longformer"
    paper = "Beltagy et al. 2020, Longformer: The Long-Document Transformer"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    options = {"window": [128], "dilation": [1]}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why these windows or dilations are invalid, or None."""
        windows, dilations = request.options["window"], request.options["dilation"]
        num_layers = request.model_size.num_layers
        if any(len(given) not in (1, num_layers) for given in (windows, dilations)):
            return (
                f"takes one window and dilation for all layers, or one for each of {num_layers}; "
                f"received: window={windows}, dilation={dilations}"
            )
        if any(window < 2 or window % 2 for window in windows):
            return f"needs windows that are even and at least 2; received: {windows}"
        if any(dilation < 1 for dilation in dilations):
            return f"needs dilations of at least 1; received: {dilations}"
        return None

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of windowed attention; LED's decoder has full attention."""
        from baselines.layers.flops import (
            all_pairs,
            attend_pairs,
            over_stacks,
            pairs_in_window,
        )

        size, length = request.model_size, request.sequence_length
        windows = request.options["window"]
        windows = windows * size.num_layers if len(windows) == 1 else windows

        def of_stack(causal: bool) -> float:
            if causal and request.form is Form.ENCODER_DECODER:
                return size.num_layers * attend_pairs(all_pairs(length, True), size.width)
            pairs = sum(
                pairs_in_window(length, window // 2, 0 if causal else window // 2)
                for window in windows
            )
            return attend_pairs(pairs, size.width)

        return over_stacks(request, of_stack)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.backbone import Backbone

        parts: dict[str, Any] = {"takes_global_mask": True}
        if request.form is not Form.DECODER:
            parts["encoder"] = self._windowed(request, causal=False)
            parts["encoder_embedding"] = self._embedding(request)
        if request.form is Form.DECODER:
            parts["decoder"] = self._windowed(request, causal=True)
        elif request.form is Form.ENCODER_DECODER:
            parts["decoder"] = self._full(request)
        if request.form is not Form.ENCODER:
            parts["decoder_embedding"] = self._embedding(request)
        return Backbone(**parts)

    def _embedding(self, request: BuildRequest) -> Any:
        from baselines.layers.input_embedding import InputEmbedding
        from baselines.layers.positions import LearnedPositions

        return InputEmbedding(request, LearnedPositions(request.sequence_length), norm_epsilon=1e-5)

    def _windowed(self, request: BuildRequest, causal: bool) -> Any:
        from baselines.layers.elementwise import gelu
        from baselines.layers.sliding_window_attention import SlidingWindowAttention
        from baselines.layers.transformer_layer import TransformerStack, stack_layers

        num_layers = request.model_size.num_layers
        windows = iter(_per_layer(request.options["window"], num_layers))
        dilations = iter(_per_layer(request.options["dilation"], num_layers))

        def make_attention() -> SlidingWindowAttention:
            return SlidingWindowAttention(
                request.model_size.num_heads,
                next(windows),
                0 if causal else request.max_global_tokens,
                causal=causal,
                dilation=next(dilations),
            )

        return TransformerStack(stack_layers(request, make_attention, activation=gelu))

    def _full(self, request: BuildRequest) -> Any:
        from baselines.layers.elementwise import gelu
        from baselines.layers.full_attention import FullAttention
        from baselines.layers.transformer_layer import TransformerStack, stack_layers

        num_heads = request.model_size.num_heads
        return TransformerStack(
            stack_layers(
                request,
                lambda: FullAttention(num_heads, causal=True),
                activation=gelu,
                make_cross_attention=lambda: FullAttention(num_heads),
            )
        )


def _per_layer(values: Sequence[int], num_layers: int) -> Sequence[int]:
    return values if len(values) == num_layers else [*values] * num_layers


ARCHITECTURE = Longformer()
