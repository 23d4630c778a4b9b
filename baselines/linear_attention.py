"""The linear Transformer: attention by a kernel, linear in the length.

Katharopoulos et al. 2020, "Transformers are RNNs: Fast Autoregressive Transformers with Linear
Attention", sections 3.2 and 3.3.
"""

from __future__ import annotations

from typing import Any

from baselines.layers.mixers.linear_attention import MIXER
from baselines.layers.state_sizes import source_bytes
from suite.api import Architecture, BuildRequest, Form, Inputs


class LinearTransformer(Architecture):
    """`vanilla` with the paper's linear attention in place of self-attention.

    In the encoder-decoder form, the decoder keeps softmax attention to the encoder's output.
    """

    version = 1
    title = "Linear Transformer"
    paper = "Katharopoulos et al. 2020, Transformers are RNNs"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: removable heads."""
        return ("heads",)

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of the sums over keys, and of the chunks where causal."""
        return MIXER.operations(request)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the sums over keys, in float32."""
        states = MIXER.state_bytes(request, max_length, value_bytes)
        return request.model_size.num_layers * states + source_bytes(request, value_bytes)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.linear_attention import LinearAttention
        from baselines.layers.transformer import build_transformer

        size = request.model_size
        return build_transformer(
            request,
            mixer=lambda index, causal: LinearAttention(size.num_heads, causal),
        )


ARCHITECTURE = LinearTransformer()
