"""Gated DeltaNet: a recurrent state that forgets and replaces, linear in the length.

Yang, Kautz and Hatamizadeh 2025, "Gated Delta Networks: Improving Mamba2 with Delta Rule", sections
3.1 and 3.4.
"""

from __future__ import annotations

from dataclasses import replace

from baselines.layers.mixers.gated_deltanet import MIXER
from baselines.layers.pattern import PRENORM, Part, Pattern, PatternArchitecture
from suite.api import BuildRequest


class GatedDeltaNet(PatternArchitecture):
    """Blocks of x + Mixer(RMSNorm(x)) and x + SwiGLU(RMSNorm(x)), without positions.

    A mixer has the authors' size: with the default `expansion` 2, the keys of all heads together
    have 3/4 of the width, and the values `expansion` times as much. Heads of keys have `head_size`
    channels or a little less. `values_per_key` is the number of value heads that share a key head.
    `short_convolution` is the kernel size of the convolution; 0 means none. With
    `negative_eigenvalues`, β is between 0 and 2 (Grazzi et al. 2025, "Unlocking State-Tracking in
    Linear RNNs Through Negative Eigenvalues"). SwiGLU is narrower than in the paper, so that a
    layer has as many parameters as a Transformer layer. The encoder's layers read the sequence from
    its start and from its end in turn. In the encoder-decoder form, attention to the encoder's
    output follows each mixer.
    """

    version = 1
    title = "Gated DeltaNet"
    paper = "Yang, Kautz and Hatamizadeh 2025, Gated Delta Networks"
    options = MIXER.options

    def pattern(self, request: BuildRequest) -> Pattern:
        """Return the layers, whose attention to an encoder's output has biases."""
        return Pattern([Part(MIXER, request.options)], replace(PRENORM, use_bias=True))


ARCHITECTURE = GatedDeltaNet()
