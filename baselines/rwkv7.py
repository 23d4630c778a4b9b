"""RWKV-7: a state with vector-valued gates and a generalised delta rule, linear in the length.

Peng et al. 2025, "RWKV-7 'Goose' with Expressive Dynamic State Evolution", section 4.
"""

from __future__ import annotations

from typing import Any

from baselines.layers.mixer import largest_head_size
from baselines.layers.state_sizes import FLOAT32_BYTES
from suite.api import Architecture, BuildRequest, Form, Inputs

CHUNK_LENGTH = 64


class RWKV7(Architecture):
    """Blocks of x + TimeMixing(LayerNorm(x)) and x + ChannelMixing(LayerNorm(x)).

    There are no positions. Heads have at most `head_size` channels. `low_rank` numbers make the
    decays, the strengths of removal, the gates and the shares of the first block's values; 0
    selects an eighth of the width. Both mixings also see the position before. Channel mixing is as
    wide as gives a block the parameters of a Transformer layer.
    """

    version = 2
    title = "RWKV-7"
    paper = "Peng et al. 2025, RWKV-7"
    forms = frozenset({Form.DECODER})
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    options = {"head_size": 64, "low_rank": 0}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None."""
        options = request.options
        if options["head_size"] < 1 or options["low_rank"] < 0:
            return (
                "needs a head_size of at least 1 and a low_rank of at least 0; "
                f"received: {dict(options)}. Use the defaults"
            )
        if _inner_width(request) < 1:
            return (
                "needs channel mixing whose parameters make up for time mixing; received: "
                f"low_rank={_low_rank(request)}, width={request.model_size.width}. Use a lower rank"
            )
        return None

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return that no heads or units can be removed, and that no layer takes adapters."""
        return ("heads", "units", "adapters")

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of the states, and of comparisons and inverses in chunks.

        Each position is multiplied with the state four times: queries and removal keys read it, and
        two outer products are added. In a chunk, queries and removal keys are compared with both
        keys (4 products of the size of the width), comparisons are multiplied with values (1), the
        inverse with these and with the removal keys (2), and the outputs are sums of two kinds (2).
        """
        size, length = request.model_size, request.sequence_length
        head_size, chunk = largest_head_size(request), min(CHUNK_LENGTH, length)
        states = 8.0 * head_size * size.width * length
        comparisons = 2.0 * 9 * size.width * length * (chunk + 1) / 2
        inverses = size.width // head_size * length * chunk**2 / 3
        return float(size.num_layers * (states + comparisons + inverses))

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the states, in float32, and of the last positions."""
        size = request.model_size
        state = largest_head_size(request) * size.width * FLOAT32_BYTES
        return size.num_layers * (state + 2 * size.width * value_bytes)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the decoder."""
        from baselines.layers.backbone import Backbone
        from baselines.layers.block import Block
        from baselines.layers.rwkv import EPSILON, RWKVStack
        from baselines.layers.transformer import make_embedding

        size = request.model_size
        stack = RWKVStack(
            size.num_layers,
            size.width // largest_head_size(request),
            _low_rank(request),
            _inner_width(request),
            request.dropout,
        )
        block = Block("none", epsilon=EPSILON, scaled_embeddings=False, embedding_norm=True)
        embedding = make_embedding(request, block)
        return Backbone(decoder=stack, decoder_embedding=embedding, carries_state=True)


def _low_rank(request: BuildRequest) -> int:
    return int(request.options["low_rank"]) or max(2, request.model_size.width // 8)


def _inner_width(request: BuildRequest) -> int:
    """Return the width that gives a block the parameters of a Transformer layer."""
    size = request.model_size
    transformer = size.width * (4 * size.width + 2 * size.feedforward_width)
    mixing = size.width * (4 * size.width + 8 * _low_rank(request))
    return round((transformer - mixing) / (2 * size.width))


ARCHITECTURE = RWKV7()
