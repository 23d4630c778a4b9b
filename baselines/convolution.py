"""The convolutional control: the Transformer with convolutions in place of self-attention.

Wu et al. 2019, "Pay Less Attention with Lightweight and Dynamic Convolutions".
"""

from __future__ import annotations

from typing import Any

from baselines.layers.block import Block, limited_positions_reason, positions_problem
from baselines.layers.flops import over_stacks
from baselines.layers.mixer import layer_request
from baselines.layers.mixers.convolution import MIXER
from baselines.layers.state_sizes import source_bytes
from suite.api import Architecture, BuildRequest, Form, Inputs


class Convolution(Architecture):
    """`vanilla` with the paper's LightConv blocks in place of self-attention.

    `kernels` are the kernel sizes from the lowest layer to the highest. The default is the paper's
    for 7 layers (section 4.1). They are spread evenly over another number of layers: 2 layers take
    the first and the last. Convolutions of the encoder see neighbours on both sides, those of the
    decoder only on the left. In the encoder-decoder form, the decoder keeps attention to the
    encoder's output, as in the paper. Its projections have 3 · width² parameters, those of
    attention 4 · width². The feed-forward network is therefore wider by width / 2. `positions` are
    those of `vanilla` that are added to the embeddings, or "none".
    """

    version = 1
    title = "Lightweight convolution (control)"
    paper = "Wu et al. 2019, Pay Less Attention with Lightweight and Dynamic Convolutions"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    control = True
    options = {"kernels": [3, 7, 15, 31, 31, 31, 31], "positions": "sinusoidal"}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why the kernel sizes are invalid, or None."""
        kernels = request.options["kernels"]
        if not kernels or any(kernel < 1 or kernel % 2 == 0 for kernel in kernels):
            return f"needs kernel sizes that are odd and at least 1; received: {kernels}"
        return positions_problem(request)

    def fixed_length_reason(self, request: BuildRequest) -> str | None:
        """Return why the positions end at the training length, or None if they extrapolate."""
        return limited_positions_reason(request.options["positions"])

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: removable heads."""
        return ("heads",)

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of the convolutions: two for each channel of an attended pair."""

        def of_stack(causal: bool) -> float:
            return sum(MIXER.operations(own) for own in _requests(request, causal))

        return over_stacks(request, of_stack)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the inputs that the next positions see."""
        own = sum(
            MIXER.state_bytes(own, max_length, value_bytes) for own in _requests(request, True)
        )
        return own + source_bytes(request, value_bytes)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.lightweight_convolution import LightweightConvolution
        from baselines.layers.transformer import build_transformer

        size = request.model_size
        kernels = _per_layer(request.options["kernels"], size.num_layers)
        return build_transformer(
            request,
            Block(request.options["positions"]),
            mixer=lambda index, causal: LightweightConvolution(
                size.num_heads, kernels[index], causal
            ),
            feedforward_width=lambda causal: size.feedforward_width + size.width // 2,
        )


def _requests(request: BuildRequest, causal: bool) -> list[BuildRequest]:
    """Return the request of each layer, with its own kernel size."""
    kernels = _per_layer(request.options["kernels"], request.model_size.num_layers)
    return [layer_request(request, causal, {"kernel_size": kernel}) for kernel in kernels]


def _per_layer(kernels: list[int], num_layers: int) -> list[int]:
    """Return one kernel size per layer; a single layer takes the last."""
    if num_layers == 1:
        return kernels[-1:]
    last = len(kernels) - 1
    return [kernels[index * last // (num_layers - 1)] for index in range(num_layers)]


ARCHITECTURE = Convolution()
