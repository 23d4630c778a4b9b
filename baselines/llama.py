"""Llama: rotary positions, RMS norms, gated feed-forward networks, shared key/value heads.

Touvron et al. 2023, "LLaMA: Open and Efficient Foundation Language Models". The options are those
of its successors: Ainslie et al. 2023, "GQA: Training Generalized Multi-Query Transformer Models";
Jiang et al. 2023, "Mistral 7B"; Xiao et al. 2023, "Efficient Streaming Language Models with
Attention Sinks".
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs

EPSILON = 1e-6


class Llama(Architecture):
    """Layers of x + Attention(RMSNorm(x)) and x + SwiGLU(RMSNorm(x)), without biases.

    Rotary positions have the base `rotary_base` (Su et al. 2021). `key_value_heads` is the number
    of heads of keys and values, each shared by as many query heads. With None, each query head has
    its own. With a `window` w, a position sees itself and the w − 1 before it, and the first
    `num_sinks` positions. With None there is no window. The encoder has the same layers without the
    causal mask, and its window extends to both sides. In the encoder-decoder form, attention to the
    encoder's output follows the decoder's own. The width of SwiGLU gives a layer as many parameters
    as a Transformer layer.
    """

    version = 1
    title = "Llama"
    paper = "Touvron et al. 2023, LLaMA: Open and Efficient Foundation Language Models"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n^2"
    claimed_memory = "n"
    options = {
        "rotary_base": 10_000.0,
        "key_value_heads": None,
        "window": None,
        "num_sinks": 0,
    }

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why the heads, the window or the base are invalid, or None."""
        size, options = request.model_size, request.options
        shared, window, sinks = (
            options[name] for name in ("key_value_heads", "window", "num_sinks")
        )
        if size.width // size.num_heads % 2:
            return (
                "needs an even head size, because rotary positions turn pairs of channels; "
                f"received: width={size.width}, num_heads={size.num_heads}. Use other numbers"
            )
        if shared is not None and (
            type(shared) is not int or shared < 1 or size.num_heads % shared
        ):
            return (
                "needs a number of heads that is a multiple of key_value_heads; received: "
                f"num_heads={size.num_heads}, key_value_heads={shared}. Use a divisor"
            )
        if (window is not None and (type(window) is not int or window < 1)) or sinks < 0:
            return (
                "needs a window of at least 1 position, and num_sinks of at least 0; received: "
                f"window={window}, num_sinks={sinks}. Leave the window out to see all positions"
            )
        if options["rotary_base"] <= 1:
            return (
                f"needs a rotary_base greater than 1; received: {options['rotary_base']}. Use 10000"
            )
        return None

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of attention to all visible pairs, without the rotations."""
        from baselines.layers.flops import attend_pairs, over_stacks, pairs_in_window

        size, length = request.model_size, request.sequence_length
        reach = (request.options["window"] or length) - 1

        def of_stack(causal: bool) -> float:
            pairs = pairs_in_window(length, reach, 0 if causal else reach)
            # A sink is seen from outside its window: after it, or on both sides.
            for sink in range(min(request.options["num_sinks"], length)):
                pairs += max(0, length - 1 - sink - reach)
                pairs += 0 if causal else max(0, sink - reach)
            return size.num_layers * attend_pairs(pairs, size.width)

        return over_stacks(request, of_stack)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the keys and values of all positions, or of window and sinks."""
        from baselines.layers.state_sizes import full_attention_bytes

        options = request.options
        return full_attention_bytes(
            request,
            max_length,
            value_bytes,
            num_heads=options["key_value_heads"],
            window=options["window"],
            num_sinks=options["num_sinks"] if options["window"] else 0,
        )

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.attention_positions import RotaryPositions
        from baselines.layers.block import Block
        from baselines.layers.full_attention import FullAttention
        from baselines.layers.transformer import build_transformer

        options = request.options

        def mixer(index: int, causal: bool) -> FullAttention:
            return FullAttention(
                request.model_size.num_heads,
                causal,
                num_key_value_heads=options["key_value_heads"],
                window=options["window"],
                num_sinks=options["num_sinks"],
                positions=RotaryPositions(options["rotary_base"]),
                use_bias=False,
            )

        block = Block(
            "none",
            norm="rms",
            norm_placement="before",
            feedforward="gated",
            key_value_heads=options["key_value_heads"],
            epsilon=EPSILON,
            scaled_embeddings=False,
            use_bias=False,
        )
        return build_transformer(request, block, mixer=mixer)


ARCHITECTURE = Llama()
