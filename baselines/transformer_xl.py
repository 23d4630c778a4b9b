"""Transformer-XL: relative positions, and memory carried from segment to segment.

Dai et al. 2019, "Transformer-XL: Attentive Language Models beyond a Fixed-Length Context".
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs


class TransformerXl(Architecture):
    """Reads segments from left to right, each with a memory of those before it.

    The projection of distances is paid for by a narrower feed-forward network. In the encoder form
    a position sees its whole segment, at signed distances, and the memory to the left. In the
    encoder-decoder form only the decoder remembers; the encoder's one segment is the whole source.
    """

    version = 2
    title = "Transformer-XL"
    paper = "Dai et al. 2019, Transformer-XL: Language Models beyond a Fixed-Length Context"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    options = {"segment": 128, "memory": 128}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Refuse segments and memories that cannot be."""
        segment, memory = request.options["segment"], request.options["memory"]
        if segment < 1 or memory < 0:
            return (
                "needs segments of at least one position and a memory of none or more; "
                f"received: segment={segment}, memory={memory}"
            )
        return None

    def mixing_operations(self, request: BuildRequest) -> float:
        """Count attention to a segment and what is remembered, and its scores by distance.

        Those are a third product beside the two of plain attention (Dai et al. 2019, section 3.3).
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

    def assemble(self, request: BuildRequest) -> Any:
        """Build the form asked for."""
        from baselines.layers.recurrent_backbone import RecurrentBackbone

        parts: dict[str, Any] = {}
        segment, memory = request.options["segment"], request.options["memory"]
        if request.form is Form.ENCODER:
            parts["encoder"] = self._stack(request, segment, memory)
            parts["encoder_embedding"] = self._embedding(request)
        elif request.form is Form.ENCODER_DECODER:
            parts["encoder"] = self._stack(request, request.sequence_length, 0)
            parts["encoder_embedding"] = self._embedding(request)
        if request.form is not Form.ENCODER:
            crosses = request.form is Form.ENCODER_DECODER
            parts["decoder"] = self._stack(request, segment, memory, causal=True, crosses=crosses)
            parts["decoder_embedding"] = self._embedding(request)
        return RecurrentBackbone(request.model_size.width, **parts)

    def _embedding(self, request: BuildRequest) -> Any:
        from baselines.layers.input_embedding import InputEmbedding
        from baselines.layers.positions import NoPositions

        width = request.model_size.width
        return InputEmbedding(request, NoPositions(), stddev=width**-0.5, scale=width**0.5)

    def _stack(
        self,
        request: BuildRequest,
        segment: int,
        memory: int,
        *,
        causal: bool = False,
        crosses: bool = False,
    ) -> Any:
        from baselines.layers.full_attention import FullAttention
        from baselines.layers.relative_attention import RelativeAttention
        from baselines.layers.segment_recurrence import RecurrentStack
        from baselines.layers.transformer_layer import stack_layers

        size = request.model_size
        return RecurrentStack(
            stack_layers(
                request,
                lambda: RelativeAttention(size.num_heads, causal, segment, memory),
                activation="relu",
                feedforward_width=size.feedforward_width - size.width // 2,
                make_cross_attention=(lambda: FullAttention(size.num_heads)) if crosses else None,
            )
        )


ARCHITECTURE = TransformerXl()
