"""Reformer: LSH attention, reversible residuals, axial positions.

Kitaev, Kaiser, Levskaya 2020, "Reformer: The Efficient Transformer", sections 2 and 3.
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs


class Reformer(Architecture):
    """Attention among positions with similar hashes, in reversible layers.

    There are twice as many buckets as chunks, as in the authors' code. Query and key share one
    projection; a wider feed-forward network uses the saved parameters. Chunks depend on the length,
    so adding padding changes which positions attend to each other. The values at padded positions
    change nothing. A sequence no longer than a chunk has full attention, without hashing. The axial
    grid is the squarest that holds the sequence, unless `axial_grid` gives rows and columns. The
    positions start with the standard deviation `axial_stddev`. The default None takes that of the
    embeddings; the authors' code has 1. In the encoder-decoder form, each decoder layer also has
    full attention to the encoder's output. It comes between LSH attention and the feed-forward
    network, and is reversible too.
    """

    version = 4
    title = "Reformer"
    paper = "Kitaev et al. 2020, Reformer: The Efficient Transformer"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n log n"
    claimed_memory = "n"
    content_dependent_layout = True
    options = {"chunk": 64, "hashes": 2, "axial_grid": [0, 0], "axial_stddev": None}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why the chunk, the hashes or the axial grid are invalid, or None."""
        chunk, hashes = request.options["chunk"], request.options["hashes"]
        if chunk < 1 or hashes < 1:
            return (
                "needs a chunk of at least one position and at least one hash; "
                f"received: chunk={chunk}, hashes={hashes}"
            )
        grid = request.options["axial_grid"]
        if len(grid) != 2 or (any(grid) and grid[0] * grid[1] < request.sequence_length):
            return (
                "needs an axial grid of rows and columns with a place for each of "
                f"{request.sequence_length} positions; received: axial_grid={grid}"
            )
        stddev = request.options["axial_stddev"]
        if stddev is not None and (type(stddev) not in (int, float) or stddev <= 0):
            return f"needs an axial_stddev above 0; received: {stddev}"
        return None

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: removable heads."""
        return ("heads",)

    def fixed_length_reason(self, request: BuildRequest) -> str | None:
        """Return why the axial positions end at the training length."""
        from baselines.layers.block import limited_positions_reason

        return limited_positions_reason("axial")

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of hashing and of attention to two chunks, over all rounds."""
        from baselines.layers.flops import all_pairs, attend_pairs, over_stacks

        size, length = request.model_size, request.sequence_length
        chunk, hashes = request.options["chunk"], request.options["hashes"]
        if length <= chunk:  # full attention without hashing
            return over_stacks(
                request,
                lambda causal: (
                    size.num_layers * attend_pairs(all_pairs(length, causal), size.width)
                ),
            )
        num_buckets = 2 * -(-length // chunk)
        # Above 128 buckets, hashing uses two factors near the square root.
        hashed_to = num_buckets if num_buckets <= 128 else 2 * num_buckets**0.5
        hashing = length * size.width * hashed_to
        attending = attend_pairs(length * min(2 * chunk, length), size.width)
        return over_stacks(request, lambda causal: size.num_layers * hashes * (hashing + attending))

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of keys, values and buckets (int32) of all positions."""
        from baselines.layers.state_sizes import full_attention_bytes

        size = request.model_size
        buckets = size.num_layers * size.num_heads * request.options["hashes"] * max_length * 4
        return full_attention_bytes(request, max_length, value_bytes) + int(buckets)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.backbone import Backbone

        parts: dict[str, Any] = {}
        if request.form is not Form.DECODER:
            parts["encoder"] = self._stack(request, causal=False)
            parts["encoder_embedding"] = self._embedding(request)
        if request.form is not Form.ENCODER:
            crosses = request.form is Form.ENCODER_DECODER
            parts["decoder"] = self._stack(request, causal=True, crosses=crosses)
            parts["decoder_embedding"] = self._embedding(request)
        return Backbone(**parts)

    def _embedding(self, request: BuildRequest) -> Any:
        from baselines.layers.initialization import embedding_stddev
        from baselines.layers.input_embedding import InputEmbedding
        from baselines.layers.positions import AxialPositions

        grid = request.options["axial_grid"]
        positions = AxialPositions(
            request.sequence_length,
            tuple(grid) if any(grid) else None,
            request.options["axial_stddev"] or embedding_stddev(request),
        )
        return InputEmbedding.of_request(request, positions)

    def _stack(self, request: BuildRequest, *, causal: bool, crosses: bool = False) -> Any:
        from baselines.layers.full_attention import FullAttention
        from baselines.layers.lsh_attention import LSHAttention
        from baselines.layers.reversible import ReversibleLayer, ReversibleStack

        size = request.model_size
        chunk = min(request.options["chunk"], request.sequence_length)
        num_buckets = 2 * -(-request.sequence_length // chunk)
        layers = [
            ReversibleLayer(
                LSHAttention(size.num_heads, chunk, request.options["hashes"], num_buckets, causal),
                size.feedforward_width + size.width // 2,
                FullAttention(size.num_heads) if crosses else None,
            )
            for _ in range(size.num_layers)
        ]
        return ReversibleStack(layers, dropout=request.dropout)


ARCHITECTURE = Reformer()
