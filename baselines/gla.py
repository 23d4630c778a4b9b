"""Gated linear attention: a state whose channels decay, linear in the length.

Yang et al. 2024, "Gated Linear Attention Transformers with Hardware-Efficient Training", sections
4.1 and 4.4.
"""

from __future__ import annotations

from baselines.layers.mixers.gla import MIXER
from baselines.layers.pattern import Part, Pattern, PatternArchitecture
from suite.api import BuildRequest


class GLA(PatternArchitecture):
    """Blocks of x + Mixer(RMSNorm(x)) and x + SwiGLU(RMSNorm(x)), without positions.

    The mixer is gated linear attention with the model's heads. Keys have `key_share` of the width,
    and `decay_rank` numbers make the decays of a position. The width of SwiGLU gives a layer as
    many parameters as a Transformer layer. The encoder's layers read the sequence from its start
    and from its end in turn. In the encoder-decoder form, attention to the encoder's output follows
    each mixer.
    """

    version = 1
    title = "Gated linear attention"
    paper = "Yang et al. 2024, Gated Linear Attention Transformers"
    options = MIXER.options

    def pattern(self, request: BuildRequest) -> Pattern:
        """Return the layers."""
        return Pattern([Part(MIXER, request.options)])


ARCHITECTURE = GLA()
