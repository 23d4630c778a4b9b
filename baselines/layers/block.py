"""The factors of a Transformer's layers, each of which can vary alone. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from baselines.layers.flops import attend_pairs, convolve_channels, over_stacks, pairs_in_window
from baselines.layers.state_sizes import convolution_bytes, full_attention_bytes
from suite.api import BuildRequest, Form, ModelSize

ADDED_POSITIONS = ("none", "sinusoidal", "learned", "typed", "axial")
"""Positions that are added to the embeddings, or none at all."""
ATTENTION_POSITIONS = ("rotary", "alibi", "relative", "t5")
"""Positions that change the scores of attention."""
LIMITED_POSITIONS = ("learned", "typed", "axial")
"""Positions with a weight for each position of the training length."""
EXTENSIONS = ("none", "ntk", "yarn")
"""How rotary positions are extended to sequences longer than those of the training."""
CHOICES = {
    "positions": ADDED_POSITIONS + ATTENTION_POSITIONS,
    "norm": ("layer", "rms"),
    "norm_placement": ("after", "before"),
    "feedforward": ("plain", "gated"),
    "activation": ("relu", "gelu", "gelu_tanh"),
}


@dataclass(frozen=True)
class Block:
    """The layers of a Transformer and their embedding; the defaults are those of the original.

    Vaswani et al. 2017, "Attention Is All You Need". `positions` are one of `CHOICES`. Only
    `LIMITED_POSITIONS` end at the training length. The others extrapolate: all distances beyond the
    largest of "relative" or "t5" positions share one number. "before" puts the norms before the
    sub-layers, and one after the last layer. A "gated" feed-forward network has three kernels and
    two thirds of the width. `key_value_heads` is the number of heads with their own keys and
    values, by default all. A wider feed-forward network replaces missing parameters. A `window` w
    shows a position itself and the w − 1 before it, and as many after it without a causal mask; by
    default it shows all positions. `short_convolution` is the kernel size of the convolutions of
    queries, keys and values (`ShortConvolution`); 0 means none. Beyond the training length, a
    `rotary_extension` by a `rotary_factor` slows rotary positions (`ExtendedRotaryPositions`).

    `activation` is that of a plain network. With `scaled_embeddings`, token embeddings are
    multiplied by √width. `embedding_norm` normalises the embeddings by a layer norm. A gated
    network has the `gate_activation`, and biases with `gate_bias`. With `scaled_residuals`,
    kernels at the end of residual branches start divided by √N for N branches, two a layer.
    `scaled_scores` divides the scores of attention by √d for heads of size d. `use_bias` is that of
    attention and of plain networks.
    """

    positions: str = "sinusoidal"
    norm: str = "layer"
    norm_placement: str = "after"
    feedforward: str = "plain"
    key_value_heads: int | None = None
    window: int | None = None
    short_convolution: int = 0
    rotary_extension: str = "none"
    rotary_factor: float = 4.0
    activation: str = "relu"
    epsilon: float = 1e-5
    scaled_embeddings: bool = True
    embedding_norm: bool = False
    gate_activation: str = "silu"
    gate_bias: bool = False
    scaled_residuals: bool = False
    scaled_scores: bool = True
    use_bias: bool = True

    def problem(self, request: BuildRequest) -> str | None:
        """Return why a factor is invalid, or None."""
        if problem := choice_problem(vars(self), CHOICES):
            return problem
        if self.feedforward == "gated" and self.activation != Block.activation:
            return (
                "has an activation of plain networks alone; received: "
                f"feedforward=gated, activation={self.activation}. Leave either out"
            )
        for name in ("scaled_embeddings", "embedding_norm"):
            if type(value := getattr(self, name)) is not bool:
                return f"takes {name} true or false; received: {name}={value}. Choose one"
        size, shared, window = request.model_size, self.key_value_heads, self.window
        sizes = f"width={size.width}, num_heads={size.num_heads}"
        if self.positions == "sinusoidal" and size.width % 2:
            return f"needs an even width for its sinusoids; received: {sizes}. Use another width"
        if self.positions == "rotary" and size.width // size.num_heads % 2:
            return f"needs an even head size for rotary positions; received: {sizes}. Change either"
        if shared is not None and (
            type(shared) is not int or shared < 1 or size.num_heads % shared
        ):
            return (
                "needs key_value_heads that divide the heads; "
                f"received: num_heads={size.num_heads}, key_value_heads={shared}. Use a divisor"
            )
        if window is not None and (type(window) is not int or window < 1):
            return (
                f"needs a window of at least 1 position; received: window={window}. "
                "Leave the window out to see all positions"
            )
        if type(kernel := self.short_convolution) is not int or kernel < 0:
            return (
                "needs a short_convolution of at least 0 positions; "
                f"received: short_convolution={kernel}. Use 0 for none"
            )
        return extension_problem(vars(self), size, self.positions == "rotary")

    def missing_parts(self) -> tuple[str, ...]:
        """Return the missing parts: removable heads, if each head has numbers for distances."""
        return ("heads",) if self.positions in ("alibi", "relative", "t5") else ()

    def fixed_length_reason(self) -> str | None:
        """Return why the model takes no sequence beyond its training length, or None."""
        return limited_positions_reason(self.positions)

    def feedforward_width(self, request: BuildRequest, causal: bool) -> int:
        """Return the width that keeps the parameters of a layer, whatever the factors are."""
        size = request.model_size
        shared = self.key_value_heads or size.num_heads
        attentions = 2 if causal and request.form is Form.ENCODER_DECODER else 1
        # Keys and values of an attention have 2 · width² parameters, a plain network 2 · width · w.
        spared = attentions * size.width * (size.num_heads - shared) / size.num_heads
        gated = self.feedforward == "gated"
        return round((size.feedforward_width + spared) * (2 / 3 if gated else 1))

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of keys and values, of all positions or the window, and convolutions."""
        attention = full_attention_bytes(
            request, max_length, value_bytes, num_heads=self.key_value_heads, window=self.window
        )
        channels = self._convolved_width(request)
        inputs = convolution_bytes(channels, self.short_convolution, value_bytes)
        return attention + request.model_size.num_layers * inputs

    def mixing_operations(self, request: BuildRequest, extra_positions: int = 0) -> float:
        """Return the operations of attention within the window, and of the convolutions."""
        size, length = request.model_size, request.sequence_length + extra_positions
        reach = (self.window or length) - 1

        def of_stack(causal: bool) -> float:
            pairs = pairs_in_window(length, reach, 0 if causal else reach)
            return size.num_layers * (attend_pairs(pairs, size.width) + convolutions)

        channels = self._convolved_width(request)
        convolutions = convolve_channels(length, channels, self.short_convolution)
        return over_stacks(request, of_stack)

    def _convolved_width(self, request: BuildRequest) -> int:
        """Return the channels of queries, keys and values together."""
        size = request.model_size
        shared = self.key_value_heads or size.num_heads
        return size.width + 2 * shared * (size.width // size.num_heads)


def choice_problem(values: Mapping[str, Any], choices: Mapping[str, Sequence[str]]) -> str | None:
    """Return which value is not among its allowed choices. None means that all are."""
    for name, allowed in choices.items():
        if values[name] not in allowed:
            received = f"{name}={values[name]}"
            return f"takes {name} {', '.join(allowed)}; received: {received}. Choose one"
    return None


def extension_problem(
    options: Mapping[str, Any], size: ModelSize, is_rotary: bool = True
) -> str | None:
    """Return why a rotary extension or its factor is not possible, or None."""
    extension, factor = options["rotary_extension"], options["rotary_factor"]
    if problem := choice_problem(options, {"rotary_extension": EXTENSIONS}):
        return problem
    if type(factor) not in (int, float) or not 1 < factor < math.inf:
        return f"needs a rotary_factor greater than 1; received: {factor}. Use 4"
    received = f"received: rotary_extension={extension}"
    if extension == "none":
        if factor == Block.rotary_factor:
            return None
        return f"has a rotary_factor of an extension; {received}, rotary_factor={factor}. Give both"
    if not is_rotary:
        return (
            f"extends rotary positions alone; {received}, positions={options['positions']}. "
            "Use positions=rotary"
        )
    if (window := options["window"]) is not None:
        return (
            "has a rotary extension without a window, whose distances are short; "
            f"{received}, window={window}. Leave either out"
        )
    if extension == "ntk" and size.width // size.num_heads < 4:
        return (
            "needs heads of at least 4 channels for NTK-aware scaling; "
            f"{received}, width={size.width}, num_heads={size.num_heads}. Use fewer heads or yarn"
        )
    return None


def positions_problem(
    request: BuildRequest, allowed: Sequence[str] = ADDED_POSITIONS
) -> str | None:
    """Return why the option `positions` is not allowed or does not suit the width, or None."""
    positions = request.options["positions"]
    return choice_problem(request.options, {"positions": allowed}) or Block(positions).problem(
        request
    )


def limited_positions_reason(positions: str) -> str | None:
    """Return why positions end at the training length, or None if they extrapolate."""
    if positions in LIMITED_POSITIONS:
        return f"has {positions} positions, which end at its training length"
    return None


def turned_channels(head_size: int, share: float) -> int | None:
    """Return the number of channels of a head that rotary positions turn, or None if it is odd."""
    turned = round(share * head_size)
    return turned if turned % 2 == 0 and 2 <= turned <= head_size else None
