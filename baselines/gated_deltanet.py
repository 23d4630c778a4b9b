"""Gated DeltaNet: a recurrent state that forgets and replaces, linear in the length.

Yang, Kautz and Hatamizadeh 2025, "Gated Delta Networks: Improving Mamba2 with Delta Rule".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from baselines.layers.mixers.gated_deltanet import MIXER
from baselines.layers.pattern import PRENORM, Part, Pattern
from suite.api import Architecture, BuildRequest, Form, Inputs


class GatedDeltaNet(Architecture):
    """Blocks of x + Mixer(RMSNorm(x)) and x + SwiGLU(RMSNorm(x)), without positions.

    A mixer has the authors' size: with the default `expansion` 2, the keys of all heads together
    have 3/4 of the width, and the values `expansion` times as much. Heads of keys have `head_size`
    channels or a little less. `values_per_key` is the number of value heads that share a key head.
    `short_convolution` is the kernel size of the convolution; 1 means none. With
    `negative_eigenvalues`, β is between 0 and 2 (Grazzi et al. 2025, "Unlocking State-Tracking in
    Linear RNNs Through Negative Eigenvalues"). SwiGLU is narrower than in the paper, so that a
    layer has as many parameters as a Transformer layer. The encoder's layers read the sequence from
    its start and from its end in turn. In the encoder-decoder form, attention to the encoder's
    output follows each mixer.
    """

    version = 1
    title = "Gated DeltaNet"
    paper = "Yang, Kautz and Hatamizadeh 2025, Gated Delta Networks"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    options = MIXER.options

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None."""
        return MIXER.problem(request)

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return that only heads of attention to an encoder's output can be removed."""
        return _pattern(request).missing_parts(request)

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of convolution and scan in all layers."""
        return _pattern(request).mixing_operations(request)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the states, in float32, and of the convolutions' inputs."""
        return _pattern(request).state_bytes(request, max_length, value_bytes)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        return _pattern(request).build(request)


def _pattern(request: BuildRequest) -> Pattern:
    """Return the layers, whose attention to an encoder's output has biases."""
    return Pattern([Part(MIXER, request.options)], replace(PRENORM, use_bias=True))


ARCHITECTURE = GatedDeltaNet()
