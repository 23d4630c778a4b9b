"""Patterns of layers: the mixers of a model's layers, repeated from the first to the last layer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from baselines.layers.block import Block
from baselines.layers.flops import over_stacks
from baselines.layers.mixer import STACKS, Mixer, layer_request
from baselines.layers.state_sizes import source_bytes
from suite.api import Architecture, BuildRequest, Form, Inputs
from suite.api.options import Options

PRENORM = Block(
    "none",
    norm="rms",
    norm_placement="before",
    feedforward="gated",
    epsilon=1e-6,
    scaled_embeddings=False,
    use_bias=False,
)
"""Layers of x + Mixer(RMSNorm(x)) and x + SwiGLU(RMSNorm(x)), without positions."""


class Part(NamedTuple):
    """A mixer of a pattern, with its options, and its name if messages are to say it."""

    mixer: Mixer
    options: Options
    name: str | None = None


@dataclass(frozen=True)
class Pattern:
    """The mixers of consecutive layers, and what all layers have in common.

    The width of SwiGLU gives each layer as many parameters as a Transformer layer. In an encoder,
    layers that read in one direction read from the start and from the end in turn. Attention to an
    encoder's output follows each mixer of the decoder. Without `normalizes_first`, the first mixer
    has no norm: that of the embedding serves.
    """

    parts: Sequence[Part]
    block: Block = PRENORM
    normalizes_first: bool = True

    def layers(self, request: BuildRequest, causal: bool) -> list[tuple[Mixer, BuildRequest]]:
        """Return the mixer and the request of each layer of a stack."""
        requests = [layer_request(request, causal, part.options) for part in self.parts]
        numbers = [index % len(self.parts) for index in range(request.model_size.num_layers)]
        return [(self.parts[number].mixer, requests[number]) for number in numbers]

    def problem(self, request: BuildRequest) -> str | None:
        """Return why a mixer cannot be built with its options, or None."""
        for part in self.parts:
            for causal in STACKS[request.form]:
                if problem := _part_problem(part, layer_request(request, causal, part.options)):
                    return problem
        return None

    def claimed_costs(self, request: BuildRequest) -> tuple[str, str]:
        """Return the largest claims of all layers and of attention to an encoder's output."""

        def order(claim: str) -> tuple[float, bool]:
            return float(claim.partition("^")[2].split(" ")[0] or 1), "log" in claim

        claims = [
            mixer.claimed_costs(own)
            for causal in STACKS[request.form]
            for mixer, own in self.layers(request, causal)
        ]
        if request.form is Form.ENCODER_DECODER:
            claims.append(("n^2", "n"))
        time, memory = (max(costs, key=order) for costs in zip(*claims, strict=True))
        return time, memory

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of all layers."""

        def of_stack(causal: bool) -> float:
            return sum(mixer.operations(own) for mixer, own in self.layers(request, causal))

        return over_stacks(request, of_stack)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the decoding states of all layers."""
        layers = self.layers(request, causal=True)
        states = [mixer.state_bytes(own, max_length, value_bytes) for mixer, own in layers]
        return sum(states) + source_bytes(request, value_bytes)

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: heads, without attention or with heads that stay."""
        crosses = request.form is Form.ENCODER_DECODER
        layers = [
            layer for causal in STACKS[request.form] for layer in self.layers(request, causal)
        ]
        has_heads = crosses or any(mixer.has_heads for mixer, _ in layers)
        stay = any("heads" in mixer.missing_parts(own) for mixer, own in layers)
        return () if has_heads and not stay else ("heads",)

    def build(self, request: BuildRequest) -> Any:
        """Return the requested form."""
        from baselines.layers.backbone import Backbone
        from baselines.layers.transformer import make_embedding
        from baselines.layers.transformer_layer import TransformerStack

        block, parts = self.block, {}
        for causal in STACKS[request.form]:
            name = "decoder" if causal else "encoder"
            layers = self._make_layers(request, causal)
            parts[name] = TransformerStack(layers, block.epsilon, block.norm)
            parts[f"{name}_embedding"] = make_embedding(request, block)
        carries_state = all(part.mixer.carries_state for part in self.parts)
        return Backbone(**parts, carries_state=carries_state)

    def _make_layers(self, request: BuildRequest, causal: bool) -> list[Any]:
        from baselines.layers.full_attention import FullAttention
        from baselines.layers.transformer_layer import TransformerLayer

        block, made, num_directed = self.block, [], 0
        crosses = causal and request.form is Form.ENCODER_DECODER
        for index, (mixer, own) in enumerate(self.layers(request, causal)):
            backward = mixer.has_direction and not causal and num_directed % 2 == 1
            num_directed += mixer.has_direction
            cross = None
            if crosses:
                cross = FullAttention(own.model_size.num_heads, use_bias=block.use_bias)
            made.append(
                TransformerLayer(
                    mixer.layer(own, backward),
                    max(1, feedforward_width(mixer, own)),
                    feedforward_type=block.feedforward,
                    dropout=request.dropout,
                    norm=block.norm,
                    norm_placement=mixer.norm_placement(own),
                    epsilon=block.epsilon,
                    cross_attention=cross,
                    gate_activation=block.gate_activation,
                    gate_bias=block.gate_bias,
                    normalizes_attention=self.normalizes_first or index > 0,
                )
            )
        return made


def feedforward_width(mixer: Mixer, request: BuildRequest) -> int:
    """Return the width of SwiGLU that gives a layer the parameters of a Transformer layer."""
    size = request.model_size
    transformer = size.width * (4 * size.width + 2 * size.feedforward_width)
    return round((transformer - mixer.count_weights(request)) / (3 * size.width))


def _part_problem(part: Part, request: BuildRequest) -> str | None:
    """Return why a mixer of a pattern cannot be built, or leaves no feed-forward network."""
    if problem := part.mixer.problem(request):
        return problem if part.name is None else f"has a mixer '{part.name}' that {problem}"
    if feedforward_width(part.mixer, request) < 1:
        size, name = request.model_size, "" if part.name is None else f" '{part.name}'"
        return (
            f"needs a feed-forward network whose parameters make up for the mixer{name}; "
            f"received: width={size.width}, feedforward_width={size.feedforward_width}. "
            "Use a wider feed-forward network"
        )
    return None


class PatternArchitecture(Architecture):
    """An architecture whose layers have the mixers of a pattern."""

    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"

    @abstractmethod
    def pattern(self, request: BuildRequest) -> Pattern:
        """Return the mixers of the layers with their options."""

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why a mixer cannot be built with its options, or None."""
        return self.pattern(request).problem(request)

    def claimed_costs(self, request: BuildRequest) -> tuple[str, str]:
        """Return the largest claims of all layers and of attention to an encoder's output."""
        return self.pattern(request).claimed_costs(request)

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return the missing parts: heads, without attention or with heads that stay."""
        return self.pattern(request).missing_parts(request)

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the sum of the operations of all layers."""
        return self.pattern(request).mixing_operations(request)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the sum of the bytes of all layers."""
        return self.pattern(request).state_bytes(request, max_length, value_bytes)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        return self.pattern(request).build(request)
