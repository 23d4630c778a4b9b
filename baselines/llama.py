"""Llama: rotary positions, RMS norms, gated feed-forward networks, shared key/value heads.

Touvron et al. 2023, "LLaMA: Open and Efficient Foundation Language Models", section 2.2. The
options are those of its successors: Ainslie et al. 2023, "GQA: Training Generalized Multi-Query
Transformer Models"; Jiang et al. 2023, "Mistral 7B"; Xiao et al. 2023, "Efficient Streaming
Language Models with Attention Sinks"; DeepSeek 2024, "DeepSeek-V2: A Strong, Economical, and
Efficient Mixture-of-Experts Language Model".
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
    causal mask, and its window shows the w − 1 positions after a position too, as that of
    FlashAttention does without a causal mask. In the encoder-decoder form, attention to the
    encoder's output follows the decoder's own.

    With a `latent_rank`, the decoder has multi-head latent attention (DeepSeek-V2). Keys and values
    come from a latent vector of this size. Decoding keeps this vector and one rotary key of half a
    head. `latent_query_rank` is the size of a bottleneck of the queries. None means no bottleneck.

    `rotary_extension` and `rotary_factor` are those of `vanilla`.

    The width of SwiGLU gives a layer as many parameters as a Transformer layer.
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
        "latent_rank": None,
        "latent_query_rank": None,
        "rotary_extension": "none",
        "rotary_factor": 4.0,
    }

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why the heads, the window or the base are invalid, or None."""
        from baselines.layers.block import extension_problem

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
        if problem := extension_problem(options, size) or _latent_problem(request):
            return problem
        if sinks and window is None:
            return (
                "has sinks beside a window alone; received: "
                f"num_sinks={sinks}, window=None. Give a window too"
            )
        return None

    def claimed_costs(self, request: BuildRequest) -> tuple[str, str]:
        """Return the claimed time and memory: with a window, a decoder or an encoder is linear."""
        time, memory = super().claimed_costs(request)
        sees_all = request.options["window"] is None or request.form is Form.ENCODER_DECODER
        return time if sees_all else "n", memory

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: removable heads, if attention is latent."""
        return () if request.options["latent_rank"] is None else ("heads",)

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of attention to all visible pairs, without the rotations."""
        from baselines.layers.flops import attend_pairs, over_stacks, pairs_in_window

        size, length = request.model_size, request.sequence_length
        if request.options["latent_rank"] is not None:
            pairs = pairs_in_window(length, length - 1, 0)
            per_pair = size.num_heads * sum(_latent_sizes(request).values())
            return 2.0 * size.num_layers * pairs * per_pair
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
        if (rank := options["latent_rank"]) is not None:
            kept = rank + _latent_sizes(request)["rotary_size"]
            return int(request.model_size.num_layers * max_length * kept * value_bytes)
        return full_attention_bytes(
            request,
            max_length,
            value_bytes,
            num_heads=options["key_value_heads"],
            window=options["window"],
            num_sinks=options["num_sinks"],
        )

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.block import Block
        from baselines.layers.full_attention import FullAttention
        from baselines.layers.latent_attention import LatentAttention
        from baselines.layers.rotary_extension import extended_rotary
        from baselines.layers.transformer import build_transformer

        options = request.options
        is_latent = options["latent_rank"] is not None
        positions = extended_rotary(
            options["rotary_extension"],
            options["rotary_factor"],
            request.sequence_length,
            options["rotary_base"],
        )

        def mixer(index: int, causal: bool) -> Any:
            if is_latent:
                return LatentAttention(
                    request.model_size.num_heads,
                    options["latent_rank"],
                    query_rank=options["latent_query_rank"],
                    rotary_base=options["rotary_base"],
                    epsilon=EPSILON,
                    **_latent_sizes(request),
                )
            return FullAttention(
                request.model_size.num_heads,
                causal,
                num_key_value_heads=options["key_value_heads"],
                window=options["window"],
                num_sinks=options["num_sinks"],
                positions=positions,
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
        width = (lambda causal: _latent_feedforward_width(request)) if is_latent else None
        return build_transformer(request, block, mixer=mixer, feedforward_width=width)


def _latent_sizes(request: BuildRequest) -> dict[str, int]:
    """Return the channels of a head: plain ones and values as large as a head, rotary ones half."""
    head_size = request.model_size.width // request.model_size.num_heads
    return {
        "plain_size": head_size,
        "rotary_size": max(2, head_size // 4 * 2),
        "value_size": head_size,
    }


def _latent_feedforward_width(request: BuildRequest) -> int:
    """Return the width of SwiGLU that gives a layer the parameters of a Transformer layer."""
    size, rank = request.model_size, request.options["latent_rank"]
    plain, rotary, value = _latent_sizes(request).values()
    queries, width = size.num_heads * (plain + rotary), size.width
    query_rank = request.options["latent_query_rank"]
    of_queries = width * queries if query_rank is None else query_rank * (width + queries)
    expanded = size.num_heads * (plain + value)
    attention = of_queries + width * (rank + rotary) + rank * expanded
    attention += width * size.num_heads * value
    transformer = width * (4 * width + 2 * size.feedforward_width)
    feedforward_width: int = round((transformer - attention) / (3 * width))
    return feedforward_width


def _latent_problem(request: BuildRequest) -> str | None:
    """Return why latent attention is not possible, or None."""
    options, size = request.options, request.model_size
    rank, query_rank = options["latent_rank"], options["latent_query_rank"]
    if rank is None:
        if query_rank is None:
            return None
        return (
            "has a latent_query_rank with latent attention alone; received: "
            f"latent_query_rank={query_rank}, latent_rank=None. Give a latent_rank too"
        )
    for name, value in (("latent_rank", rank), ("latent_query_rank", query_rank)):
        if value is not None and (type(value) is not int or not 1 <= value <= size.width):
            return (
                f"needs a {name} of 1 to the width; received: {name}={value}, "
                f"width={size.width}. Use {max(1, size.width // 2)}"
            )
    if request.form is not Form.DECODER:
        return f"has latent attention in decoders alone; received: form={request.form}"
    if (extension := options["rotary_extension"]) != "none":
        return (
            "has latent attention without a rotary extension; received: "
            f"rotary_extension={extension}, latent_rank={rank}. Leave either out"
        )
    others = {name: options[name] for name in ("window", "num_sinks", "key_value_heads")}
    if any(others.values()):
        return (
            "has latent attention without a window, num_sinks and key_value_heads; received: "
            f"{', '.join(f'{name}={value}' for name, value in others.items())}. Leave them out"
        )
    if _latent_feedforward_width(request) < 1:
        return (
            "needs a feed-forward network whose parameters make up for latent attention; "
            f"received: width={size.width}, feedforward_width={size.feedforward_width}"
        )
    return None


ARCHITECTURE = Llama()
