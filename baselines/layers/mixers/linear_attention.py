"""Linear attention: the kernel trick in place of the softmax.

Katharopoulos et al. 2020, "Transformers are RNNs: Fast Autoregressive Transformers with Linear
Attention".
"""

from __future__ import annotations

from typing import Any

from baselines.layers.flops import feature_attention_operations
from baselines.layers.mixer import Mixer
from baselines.layers.state_sizes import FLOAT32_BYTES
from suite.api import BuildRequest, Form


class Linear(Mixer):
    """Attention with weights φ(q)·φ(k), in the causal form as a recurrence."""

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: removable heads."""
        return ("heads",)

    def count_weights(self, request: BuildRequest) -> int:
        """Return the number of weights in the kernels of queries, keys, values and output."""
        return 4 * request.model_size.width**2

    def operations(self, request: BuildRequest) -> float:
        """Return the operations of the sums over keys, and of the chunks where causal."""
        size = request.model_size
        return feature_attention_operations(request, size.width // size.num_heads)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the sums over keys, in float32."""
        size = request.model_size
        return size.width * (size.width // size.num_heads + 1) * FLOAT32_BYTES

    def layer(self, request: BuildRequest, backward: bool) -> Any:
        """Return the attention, which has no direction where it is not causal."""
        from baselines.layers.linear_attention import LinearAttention

        return LinearAttention(request.model_size.num_heads, request.form is Form.DECODER)


MIXER = Linear()
