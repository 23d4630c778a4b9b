"""Linformer: attention to a fixed number of projected keys and values.

Wang et al. 2020, "Linformer: Self-Attention with Linear Complexity".
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs

SHARING = ("headwise", "key_value", "layerwise")


class Linformer(Architecture):
    """`vanilla` with the paper's attention in place of self-attention; an encoder only.

    `projected_length` is k; at most the sequence length is used. `sharing` is the paper's (section
    4): the projections of the length are shared by the heads, by keys and values too, or by all
    layers too. A narrower feed-forward network makes up for their n · k parameters each, down to
    half of its width. Longer models have more parameters than `vanilla`.
    """

    version = 1
    title = "Linformer"
    paper = "Wang et al. 2020, Linformer: Self-Attention with Linear Complexity"
    forms = frozenset({Form.ENCODER})
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    options = {"projected_length": 128, "sharing": "layerwise"}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None."""
        projected, sharing = request.options["projected_length"], request.options["sharing"]
        if projected < 1:
            return f"needs a projected_length of at least 1; received: {projected}"
        if sharing not in SHARING:
            return f"shares its projections {', '.join(SHARING)}; received: {sharing}"
        return None

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: removable heads, and a longer input."""
        return ("heads", "prefix")

    def fixed_length_reason(self, request: BuildRequest) -> str | None:
        """Return why the projections end at the training length."""
        return "has projections with a weight for each position of its training length"

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of attention to k positions, and of the projections to them.

        A weight of a projection belongs to one position and multiplies all channels. The suite
        counts every weight once for each position, which is too much here and is taken off.
        """
        from baselines.layers.flops import attend_pairs

        size, length = request.model_size, request.sequence_length
        k = _projected_length(request)
        products = 4.0 * length * k * size.width  # of keys and values
        attention = attend_pairs(float(length * k), size.width)
        counted = 2.0 * length * _num_projections(request) * length * k
        return size.num_layers * (attention + products) - counted

    def assemble(self, request: BuildRequest) -> Any:
        """Build the encoder."""
        from baselines.layers.projected_attention import LengthProjection, ProjectedAttention
        from baselines.layers.transformer import build_transformer

        size, sharing = request.model_size, request.options["sharing"]

        def project() -> LengthProjection:
            return LengthProjection(request.sequence_length, _projected_length(request))

        of_all = project()

        def mixer(index: int, causal: bool) -> ProjectedAttention:
            keys = of_all if sharing == "layerwise" else project()
            values = project() if sharing == "headwise" else keys
            return ProjectedAttention(size.num_heads, keys, values)

        width = max(size.feedforward_width // 2, size.feedforward_width - _excess(request))
        return build_transformer(request, mixer=mixer, feedforward_width=lambda causal: width)


def _projected_length(request: BuildRequest) -> int:
    return min(int(request.options["projected_length"]), request.sequence_length)


def _num_projections(request: BuildRequest) -> int:
    layers = request.model_size.num_layers
    counts = {"headwise": 2 * layers, "key_value": layers, "layerwise": 1}
    return counts[request.options["sharing"]]


def _excess(request: BuildRequest) -> int:
    """Return the width of the feed-forward networks with as many parameters as the projections."""
    size = request.model_size
    parameters = request.sequence_length * _projected_length(request)
    parameters *= _num_projections(request)
    return int(parameters // (2 * size.width * size.num_layers))


ARCHITECTURE = Linformer()
