"""GPT-2: a causal stack, normalisation before each sub-layer, learned positions.

Radford et al. 2019, "Language Models are Unsupervised Multitask Learners".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.api import Architecture, BuildRequest, Form, Inputs

if TYPE_CHECKING:
    from baselines.layers.block import Block

EPSILON = 1e-5


class GPT(Architecture):
    """GPT-2's decoder; with a state it decodes one position at a time.

    `positions` are those of `vanilla`'s option. With `scaled_residuals`, kernels at the end of
    residual branches start divided by √N for N branches, two a layer (section 2.3).
    """

    version = 3
    title = "GPT-2"
    paper = "Radford et al. 2019, Language Models are Unsupervised Multitask Learners"
    forms = frozenset({Form.DECODER})
    inputs = frozenset(Inputs)
    claimed_time = "n^2"
    claimed_memory = "n"
    options = {"positions": "learned", "scaled_residuals": True}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why the positions are invalid, or None."""
        return _block(request).problem(request)

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: removable heads, if each head has numbers for distances."""
        return _block(request).missing_parts()

    def fixed_length_reason(self, request: BuildRequest) -> str | None:
        """Return why the positions end at the training length, or None if they extrapolate."""
        return _block(request).fixed_length_reason()

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of full attention."""
        return _block(request).mixing_operations(request)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the keys and values of all positions, or of the window."""
        return _block(request).state_bytes(request, max_length, value_bytes)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the decoder."""
        from baselines.layers.transformer import build_transformer

        return build_transformer(request, _block(request))


def _block(request: BuildRequest) -> Block:
    from baselines.layers.block import Block

    return Block(
        **request.options,
        norm_placement="before",
        activation="gelu_tanh",
        epsilon=EPSILON,
        scaled_embeddings=False,
    )


ARCHITECTURE = GPT()
