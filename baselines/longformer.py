"""Longformer: attention within a sliding window, plus global attention of a few tokens.

Beltagy, Peters, Cohan 2020, "Longformer: The Long-Document Transformer".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs

POSITIONS = ("learned", "rotary")


class Longformer(Architecture):
    """RoBERTa's layers (learned positions, GELU, normalisation after) with windowed attention.

    The default window is an eighth of the longest default length, like the paper's 512 of 4,096.
    `window` and `dilation` take one number for all layers, or one number per layer, lowest layer
    first. `dilated_heads` is the number of heads of a layer with this dilation, by default all. The
    other heads have no dilation (section 3.1). `positions` are "learned", or "rotary" (Su et al.
    2021), which do not end at the training length; the global projections then have no positions.
    The decoder form's window extends to the left only. The encoder-decoder form is LED (section 7):
    its decoder has full attention to itself and to the encoder's output. With
    `matched_projections`, the projections of global tokens start with the values of the ordinary
    ones (section 3.1). The global projections have 3 · width² parameters. To make up for them, the
    encoder's feed-forward network is narrower by 1.5 · width if a task has global tokens.
    """

    version = 3
    title = "Longformer"
    paper = "Beltagy et al. 2020, Longformer: The Long-Document Transformer"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    options = {
        "window": [128],
        "dilation": [1],
        "dilated_heads": None,
        "matched_projections": True,
        "positions": "learned",
    }

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why these windows or dilations are invalid, or None."""
        from baselines.layers.block import positions_problem

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
        if problem := positions_problem(request, POSITIONS):
            return problem
        heads, dilated = request.model_size.num_heads, request.options["dilated_heads"]
        if dilated is not None and (type(dilated) is not int or not 0 <= dilated <= heads):
            return f"needs dilated_heads from 0 to {heads}; received: {dilated}"
        if dilated is not None and max(dilations) == 1:
            return (
                "has dilated_heads with a dilation above 1 alone; received: "
                f"dilated_heads={dilated}, dilation={dilations}. Give a dilation too"
            )
        if _feedforward_width(request, causal=False) < 1:
            return (
                "needs a feed-forward network wider than 1.5 times the width, to give its "
                "parameters to the global projections; received: "
                f"width={request.model_size.width}, "
                f"feedforward_width={request.model_size.feedforward_width}"
            )
        return None

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: removable heads."""
        return ("heads",)

    def fixed_length_reason(self, request: BuildRequest) -> str | None:
        """Return why learned positions end at the training length, or None for rotary ones."""
        from baselines.layers.block import limited_positions_reason

        return limited_positions_reason(request.options["positions"])

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

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the keys and values of the windows; LED has all positions."""
        from baselines.layers.state_sizes import full_attention_bytes

        size, options = request.model_size, request.options
        if request.form is Form.ENCODER_DECODER:
            return full_attention_bytes(request, max_length, value_bytes)
        windows = _per_layer(options["window"], size.num_layers)
        dilations = _per_layer(options["dilation"], size.num_layers)
        places = 0
        for window, dilation in zip(windows, dilations, strict=True):
            farthest = 1 if options["dilated_heads"] == 0 else dilation
            places += min(window // 2 * farthest, max_length)
        return 2 * size.width * places * value_bytes

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.attention_positions import make_attention_positions
        from baselines.layers.block import Block
        from baselines.layers.full_attention import FullAttention
        from baselines.layers.sliding_window_attention import SlidingWindowAttention
        from baselines.layers.transformer import build_transformer

        size, options = request.model_size, request.options
        windows = _per_layer(options["window"], size.num_layers)
        dilations = _per_layer(options["dilation"], size.num_layers)

        positions = make_attention_positions(options["positions"], causal=False)

        def mixer(index: int, causal: bool) -> Any:
            if causal and request.form is Form.ENCODER_DECODER:
                return FullAttention(size.num_heads, causal=True, positions=positions)
            return SlidingWindowAttention(
                size.num_heads,
                windows[index],
                0 if causal else request.max_global_tokens,
                causal=causal,
                dilation=_by_head(dilations[index], options["dilated_heads"], size.num_heads),
                matched_projections=options["matched_projections"],
                positions=positions,
            )

        return build_transformer(
            request,
            Block(
                options["positions"],
                activation="gelu",
                scaled_embeddings=False,
                embedding_norm=True,
            ),
            mixer=mixer,
            feedforward_width=lambda causal: _feedforward_width(request, causal),
            takes_global_mask=True,
        )


def _feedforward_width(request: BuildRequest, causal: bool) -> int:
    size = request.model_size
    if causal or request.form is Form.DECODER or not request.max_global_tokens:
        return size.feedforward_width
    return size.feedforward_width - 3 * size.width // 2


def _by_head(dilation: int, dilated: int | None, num_heads: int) -> int | list[int]:
    """Return the dilation of all heads, or of each: the last `dilated` ones have it."""
    if dilated is None:
        return dilation
    return [1] * (num_heads - dilated) + [dilation] * dilated


def _per_layer(values: Sequence[int], num_layers: int) -> Sequence[int]:
    return values if len(values) == num_layers else [*values] * num_layers


ARCHITECTURE = Longformer()
