"""The Performer: softmax attention estimated by random features, linear in the length.

Choromanski et al. 2021, "Rethinking Attention with Performers", section 2.4.
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs


class Performer(Architecture):
    """`vanilla` with FAVOR+ in place of self-attention.

    `features` is the number of random features of a head. The default is the paper's 256 (section
    4). The features are drawn once and stay the same during training. In the encoder-decoder form,
    the decoder keeps softmax attention to the encoder's output.
    """

    version = 1
    title = "Performer"
    paper = "Choromanski et al. 2021, Rethinking Attention with Performers"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    options = {"features": 256}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why the number of features is invalid, or None."""
        features = request.options["features"]
        return None if features >= 1 else f"needs at least 1 feature; received: {features}"

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: removable heads."""
        return ("heads",)

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of the features, of the sums over keys, and of causal chunks."""
        from baselines.layers.flops import feature_attention_operations

        features = int(request.options["features"])
        # Queries and keys are multiplied with the rows.
        rows = 4.0 * features * request.model_size.width * request.sequence_length
        layers = request.model_size.num_layers * (2 if request.form is Form.ENCODER_DECODER else 1)
        return feature_attention_operations(request, features) + layers * rows

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the sums over keys and of their scales, in float32."""
        from baselines.layers.state_sizes import FLOAT32_BYTES, source_bytes

        size = request.model_size
        numbers = request.options["features"] * (size.width + size.num_heads) + size.num_heads
        own = size.num_layers * numbers * FLOAT32_BYTES
        return int(own) + source_bytes(request, value_bytes)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.random_feature_attention import RandomFeatureAttention
        from baselines.layers.transformer import build_transformer

        size, features = request.model_size, request.options["features"]
        return build_transformer(
            request,
            mixer=lambda index, causal: RandomFeatureAttention(size.num_heads, causal, features),
        )


ARCHITECTURE = Performer()
