"""xLSTM: matrix memories with exponential gates, linear in the length.

Beck et al. 2024, "xLSTM: Extended Long Short-Term Memory", section 2.3; Beck et al. 2025, "xLSTM
7B: A Recurrent LLM for Fast and Efficient Inference".
"""

from __future__ import annotations

from baselines.layers.mixers.mlstm import MIXER
from baselines.layers.pattern import Part, Pattern, PatternArchitecture
from suite.api import BuildRequest, Form


class XLSTM(PatternArchitecture):
    """Blocks of x + mLSTM(RMSNorm(x)) and x + SwiGLU(RMSNorm(x)), without positions.

    This is the form of 2025, whose blocks are all mLSTM. Keys have `key_share` of the width in all
    heads together. SwiGLU is as wide as gives a layer the parameters of a Transformer layer. The
    encoder's layers read the sequence from its start and from its end in turn.
    """

    version = 1
    title = "xLSTM"
    paper = "Beck et al. 2024, xLSTM; Beck et al. 2025, xLSTM 7B"
    forms = frozenset({Form.DECODER, Form.ENCODER})
    options = MIXER.options

    def pattern(self, request: BuildRequest) -> Pattern:
        """Return the layers."""
        return Pattern([Part(MIXER, request.options)])


ARCHITECTURE = XLSTM()
