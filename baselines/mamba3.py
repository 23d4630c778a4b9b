"""Mamba-3: rotated states fed by a trapezoidal rule, linear in the length.

Lahoti et al. 2026, "Mamba-3: Improved Sequence Modeling using State Space Principles".
"""

from __future__ import annotations

from baselines.layers.mixers.mamba3 import MIXER
from baselines.layers.pattern import Part, Pattern, PatternArchitecture
from suite.api import BuildRequest, Form


class Mamba3(PatternArchitecture):
    """Blocks of x + Mixer(RMSNorm(x)) and x + SwiGLU(RMSNorm(x)), without positions.

    The mixer expands the width by `expansion` into heads of at most `head_size` channels.
    `state_size` is the number of values in a channel's state; 0 selects a quarter of the width.
    `rotated_share` of them are rotated by angles that depend on the input. `rank` is the number of
    inputs and outputs of a state at each position (1: the ordinary form). `output_norm` normalises
    each head before the gates. `heavy_tail_decay` selects the rates of the newer code. The width of
    SwiGLU gives a layer as many parameters as a Transformer layer. The encoder's layers read the
    sequence from its start and from its end in turn.
    """

    version = 1
    title = "Mamba-3"
    paper = "Lahoti et al. 2026, Mamba-3"
    forms = frozenset({Form.DECODER, Form.ENCODER})
    options = MIXER.options

    def pattern(self, request: BuildRequest) -> Pattern:
        """Return the layers."""
        return Pattern([Part(MIXER, request.options)])


ARCHITECTURE = Mamba3()
