"""T5: full attention whose scores have a learned bias for each bucket of distances.

Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
Transformer".
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs

EPSILON = 1e-6


class T5(Architecture):
    """Layers of x + Attention(RMSNorm(x)) and x + ReLU network(RMSNorm(x)), without biases.

    Scores are not divided by √d. Distances fall into `num_buckets` buckets (section 2.1): short
    ones have a bucket each, and those from `max_distance` on share one. The layers of a stack share
    the biases of the buckets, one for each head; attention to the encoder's output has no biases.
    """

    version = 1
    title = "T5"
    paper = "Raffel et al. 2020, Exploring the Limits of Transfer Learning"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n^2"
    claimed_memory = "n"
    options = {"num_buckets": 32, "max_distance": 128}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why the buckets are invalid, or None."""
        buckets, distance = (request.options[name] for name in ("num_buckets", "max_distance"))
        if buckets < 4 or distance <= buckets // 2:
            return (
                "needs num_buckets of at least 4, and max_distance greater than half of it; "
                f"received: num_buckets={buckets}, max_distance={distance}. Use 32 and 128"
            )
        return None

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: removable heads."""
        return ("heads",)

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of full attention, without those of the biases."""
        from baselines.layers.flops import full_attention_operations

        return full_attention_operations(request)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the keys and values of all positions."""
        from baselines.layers.state_sizes import full_attention_bytes

        return full_attention_bytes(request, max_length, value_bytes)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.attention_positions import BucketedPositions
        from baselines.layers.block import Block
        from baselines.layers.full_attention import FullAttention
        from baselines.layers.transformer import build_transformer

        options, unscaled = request.options, {"use_bias": False, "scaled": False}
        positions = {
            causal: BucketedPositions(
                options["num_buckets"], options["max_distance"], bidirectional=not causal
            )
            for causal in (False, True)
        }

        def mixer(index: int, causal: bool) -> FullAttention:
            heads = request.model_size.num_heads
            return FullAttention(heads, causal, positions=positions[causal], **unscaled)

        block = Block(
            "none",
            norm="rms",
            norm_placement="before",
            epsilon=EPSILON,
            scaled_embeddings=False,
            scaled_scores=False,
            use_bias=False,
        )
        return build_transformer(request, block, mixer=mixer)


ARCHITECTURE = T5()
