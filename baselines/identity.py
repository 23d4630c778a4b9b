"""The control without mixing: the Transformer without its self-attention.

The control shows how much a task depends on mixing. An architecture that scores no better has
learned nothing from other positions.
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs


class Identity(Architecture):
    """`vanilla` without the self-attention sub-layers: each position is processed alone.

    A hidden state depends only on its own token and position, so padding changes nothing. The head
    may still combine positions, as the mean of a document does. In the encoder-decoder form, the
    decoder keeps attention to the encoder's output, without which it could not see the source. The
    feed-forward network is wider by 2 · width, which replaces the parameters of attention (4 ·
    width²). `positions` are those of `vanilla` that are added to the embeddings, or "none".
    """

    version = 1
    title = "No mixing (control)"
    paper = "Vaswani et al. 2017, Attention Is All You Need, without self-attention"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    control = True
    options = {"positions": "sinusoidal"}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why the positions are invalid, or None."""
        from baselines.layers.block import positions_problem

        return positions_problem(request)

    def fixed_length_reason(self, request: BuildRequest) -> str | None:
        """Return why the positions end at the training length, or None if they extrapolate."""
        from baselines.layers.block import limited_positions_reason

        return limited_positions_reason(request.options["positions"])

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: only attention to an encoder's output has removable heads."""
        return () if request.form is Form.ENCODER_DECODER else ("heads",)

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of attention to the encoder's output, the only mixing."""
        from baselines.layers.flops import over_stacks

        return over_stacks(request, lambda causal: 0.0)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the encoder output; the decoder has no state of its own."""
        from baselines.layers.state_sizes import source_bytes

        return source_bytes(request, value_bytes)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.block import Block
        from baselines.layers.transformer import build_transformer

        size = request.model_size
        return build_transformer(
            request,
            Block(request.options["positions"]),
            mixer=lambda index, causal: None,
            feedforward_width=lambda causal: size.feedforward_width + 2 * size.width,
        )


ARCHITECTURE = Identity()
