"""Reformer: LSH attention, reversible residuals, axial positions.

Kitaev, Kaiser, Levskaya 2020, "Reformer: The Efficient Transformer".
"""

from __future__ import annotations

from typing import Any

from suite.contracts import Architecture, BuildRequest, Form, Inputs


class Reformer(Architecture):
    """Attends among positions that hash alike, and keeps no activations for the gradient.

    There are twice as many buckets as chunks, as the authors' code has it. The projection that
    query and key share is spent on a wider feed-forward network. Chunks depend on the length, so
    adding padding changes what a position sees; what stands at padded positions does not.
    """

    version = 1
    title = "Reformer"
    paper = "Kitaev et al. 2020, Reformer: The Efficient Transformer"
    forms = frozenset({Form.ENCODER})
    inputs = frozenset(Inputs)
    claimed_time = "n log n"
    claimed_memory = "n"
    depends_on_padding = True
    options = {"chunk": 64, "hashes": 2}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Refuse chunks and hashes that cannot be."""
        chunk, hashes = request.options["chunk"], request.options["hashes"]
        if chunk < 1 or hashes < 1:
            return (
                "a chunk has at least one position, and there is at least one hash; "
                f"received: chunk={chunk}, hashes={hashes}"
            )
        if chunk > request.sequence_length:
            return f"its chunk of {chunk} is longer than the sequence"
        return None

    def build(self, request: BuildRequest) -> Any:
        """Build the encoder."""
        from baselines.layers.backbone import Backbone
        from baselines.layers.input_embedding import InputEmbedding
        from baselines.layers.lsh_attention import LshAttention
        from baselines.layers.positions import AxialPositions
        from baselines.layers.reversible import ReversibleLayer, ReversibleStack

        size = request.model_size
        chunk, hashes = request.options["chunk"], request.options["hashes"]
        chunks = -(-request.sequence_length // chunk)
        stack = ReversibleStack(
            [
                ReversibleLayer(
                    LshAttention(size.num_heads, chunk, hashes, num_buckets=2 * chunks),
                    size.feedforward_width + size.width // 2,
                )
                for _ in range(size.num_layers)
            ],
            dropout=request.dropout,
        )
        embedding = InputEmbedding(request, AxialPositions(request.sequence_length))
        return Backbone(encoder=stack, encoder_embedding=embedding)


ARCHITECTURE = Reformer()
