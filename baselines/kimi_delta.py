"""Kimi Delta Attention: the delta rule with decays of channels, linear in the length.

Kimi team 2025, "Kimi Linear: An Expressive, Efficient Attention Architecture", section 3.
"""

from __future__ import annotations

from baselines.layers.mixers.kimi_delta import MIXER
from baselines.layers.pattern import Part, Pattern, PatternArchitecture
from suite.api import BuildRequest


class KimiDelta(PatternArchitecture):
    """Blocks of x + Mixer(RMSNorm(x)) and x + SwiGLU(RMSNorm(x)), without positions.

    The mixer is Kimi Delta Attention, the linear layer of Kimi Linear; hybrids of it with attention
    are patterns of `hybrid`. Keys and values are as wide as the model, in heads of at most
    `head_size` channels. `short_convolution` is the kernel size of the convolution; 0 means none.
    The width of SwiGLU gives a layer as many parameters as a Transformer layer. The encoder's
    layers read the sequence from its start and from its end in turn. In the encoder-decoder form,
    attention to the encoder's output follows each mixer.
    """

    version = 1
    title = "Kimi Delta Attention"
    paper = "Kimi team 2025, Kimi Linear"
    options = MIXER.options

    def pattern(self, request: BuildRequest) -> Pattern:
        """Return the layers."""
        return Pattern([Part(MIXER, request.options)])


ARCHITECTURE = KimiDelta()
