"""BigBird: attention of blocks to global, neighbouring and random blocks.

Zaheer et al. 2020, "Big Bird: Transformers for Longer Sequences", section 2 and appendix D.
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs

EPSILON = 1e-12
POSITIONS = ("learned", "rotary")


class BigBird(Architecture):
    """BERT's layers (learned positions, GELU, normalisation after) with block-sparse attention.

    `block_size` is the number of positions in a block, and `random_blocks` the number of random
    blocks that a block sees in addition to itself, its neighbours, and the first and last block. Up
    to (5 + 2 · `random_blocks`) · `block_size` positions, attention is full, as in the published
    code. Padding completes the last block, if the length is not a multiple of the block size. The
    random blocks of a layer depend on its index and on the number of blocks. They do not depend on
    the run's seed, and are the same in training and in evaluation. The encoder-decoder form is that
    of appendix E: its decoder has full attention to itself and to the encoder's output.
    """

    version = 1
    title = "BigBird"
    paper = "Zaheer et al. 2020, Big Bird: Transformers for Longer Sequences"
    forms = frozenset({Form.ENCODER, Form.ENCODER_DECODER})
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    options = {"block_size": 64, "random_blocks": 3, "positions": "learned"}
    length_dependent_layout = True

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None."""
        from baselines.layers.block import positions_problem

        size, random_blocks = request.options["block_size"], request.options["random_blocks"]
        if size < 1 or random_blocks < 0:
            return (
                "needs blocks of at least 1 position, and at least 0 random blocks; "
                f"received: block_size={size}, random_blocks={random_blocks}"
            )
        return positions_problem(request, POSITIONS)

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: removable heads."""
        return ("heads",)

    def fixed_length_reason(self, request: BuildRequest) -> str | None:
        """Return why learned positions end at the training length, or None for rotary ones."""
        from baselines.layers.block import limited_positions_reason

        return limited_positions_reason(request.options["positions"])

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of block-sparse attention; the decoder has full attention."""
        from baselines.layers.flops import all_pairs, attend_pairs, over_stacks

        length, model_size = request.sequence_length, request.model_size
        size, random_blocks = request.options["block_size"], request.options["random_blocks"]

        def of_stack(causal: bool) -> float:
            pairs = all_pairs(length, causal)
            if not causal and length > (5 + 2 * random_blocks) * size:
                inner = -(-length // size) - 2
                # The second block and the last but one have a global block as a neighbour.
                seen = inner * (5 + random_blocks) - 2
                pairs = size * (2.0 * length + seen * size)
            return model_size.num_layers * attend_pairs(pairs, model_size.width)

        return over_stacks(request, of_stack)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the keys and values of the decoder, which has full attention."""
        from baselines.layers.state_sizes import full_attention_bytes

        return full_attention_bytes(request, max_length, value_bytes)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.attention_positions import make_attention_positions
        from baselines.layers.block import Block
        from baselines.layers.block_sparse_attention import BlockSparseAttention
        from baselines.layers.full_attention import FullAttention
        from baselines.layers.transformer import build_transformer

        num_heads, options = request.model_size.num_heads, request.options
        positions = make_attention_positions(options["positions"], causal=False)

        def mixer(index: int, causal: bool) -> Any:
            if causal:
                return FullAttention(num_heads, causal=True, positions=positions)
            return BlockSparseAttention(
                num_heads,
                options["block_size"],
                options["random_blocks"],
                seed=index,
                positions=positions,
            )

        block = Block(
            options["positions"],
            activation="gelu_tanh",
            epsilon=EPSILON,
            scaled_embeddings=False,
            embedding_norm=True,
        )
        return build_transformer(request, block, mixer=mixer)


ARCHITECTURE = BigBird()
