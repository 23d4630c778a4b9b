"""Transformer-XL: relative positions, and a memory carried from segment to segment.

Dai et al. 2019, "Transformer-XL: Attentive Language Models beyond a Fixed-Length Context", sections
3.2 and 3.3.
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs


class TransformerXL(Architecture):
    """Attention to the current segment and to a memory of the segments before it.

    A narrower feed-forward network compensates for the parameters of the distance projection. A
    position of the encoder form attends to its whole segment, at signed distances, and to the
    memory on its left. A position that is decoded alone attends to itself and to the memory. In the
    encoder-decoder form only the decoder has a segment memory; the encoder's single segment is the
    whole source.
    """

    version = 2
    title = "Transformer-XL"
    paper = "Dai et al. 2019, Transformer-XL: Language Models beyond a Fixed-Length Context"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    part_dependent_layout = True
    options = {"segment": 128, "memory": 128}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why the segment or the memory is invalid, or None."""
        segment, memory = request.options["segment"], request.options["memory"]
        if segment < 1 or memory < 0:
            return (
                "needs segments of at least one position and a memory of zero or more; "
                f"received: segment={segment}, memory={memory}"
            )
        return None

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: removable heads, and a longer input."""
        return ("heads", "prefix")

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of attention to a segment and its memory.

        Scores by distance are a third product, after the two products of plain attention (Dai et
        al. 2019, section 3.3).
        """
        from baselines.layers.flops import all_pairs, attend_pairs, over_stacks

        size, length = request.model_size, request.sequence_length
        segment, memory = request.options["segment"], request.options["memory"]

        def of_stack(causal: bool) -> float:
            whole = not causal and request.form is Form.ENCODER_DECODER
            step, remembered = (length, 0) if whole else (min(segment, length), memory)
            pairs = sum(
                all_pairs(min(step, length - start), causal)
                + min(step, length - start) * min(remembered, start)
                for start in range(0, length, step)
            )
            return 1.5 * size.num_layers * attend_pairs(pairs, size.width)

        return over_stacks(request, of_stack)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the memories of all layers, and of their masks."""
        from baselines.layers.state_sizes import source_bytes

        size, memory = request.model_size, int(request.options["memory"])
        kept = size.num_layers * memory * (size.width * value_bytes + 1)
        return kept + source_bytes(request, value_bytes)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.recurrent_backbone import RecurrentBackbone

        segment, memory = request.options["segment"], request.options["memory"]
        parts: dict[str, Any] = {}
        if request.form is Form.ENCODER:
            parts |= self._stack(request, "encoder", segment, memory)
        elif request.form is Form.ENCODER_DECODER:
            parts |= self._stack(request, "encoder", request.sequence_length, 0)
        if request.form is not Form.ENCODER:
            parts |= self._stack(request, "decoder", segment, memory)
        return RecurrentBackbone(request.model_size.width, **parts)

    def _stack(self, request: BuildRequest, side: str, segment: int, memory: int) -> dict[str, Any]:
        """Return a stack and its embedding, with their names in the backbone."""
        from baselines.layers.block import Block
        from baselines.layers.relative_attention import RelativeAttention
        from baselines.layers.segment_recurrence import RecurrentStack
        from baselines.layers.transformer import make_embedding, make_layers

        size, block = request.model_size, Block(positions="none")
        layers = make_layers(
            request,
            block,
            side == "decoder",
            mixer=lambda index, causal: RelativeAttention(size.num_heads, causal, segment, memory),
            feedforward_width=lambda causal: size.feedforward_width - size.width // 2,
        )
        embedding = make_embedding(request, block)
        return {side: RecurrentStack(layers), f"{side}_embedding": embedding}


ARCHITECTURE = TransformerXL()
