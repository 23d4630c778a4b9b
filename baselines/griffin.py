"""Griffin: two gated linear recurrences to one local attention, linear in the length.

De et al. 2024, "Griffin: Mixing Gated Linear Recurrences with Local Attention for Efficient
Language Models", sections 2.3 and 2.4; RecurrentGemma is this architecture.
"""

from __future__ import annotations

from dataclasses import replace

from baselines.layers.mixers.attention import MIXER as ATTENTION
from baselines.layers.mixers.rg_lru import MIXER as RECURRENCE
from baselines.layers.pattern import PRENORM, Part, Pattern, PatternArchitecture
from suite.api import BuildRequest, Form

BLOCK = replace(
    PRENORM,
    scaled_embeddings=True,
    gate_activation="gelu_tanh",
    gate_bias=True,
)


class Griffin(PatternArchitecture):
    """Layers of x + Mixer(RMSNorm(x)) and x + GEGLU(RMSNorm(x)).

    Every third mixer is attention of one key/value head to the last `window` positions, with rotary
    positions on half of the channels. The others are recurrent blocks with the RG-LRU. A model of
    two layers, such as one of the size `tiny`, has no attention: it is the paper's Hawk.
    `short_convolution` is the kernel size of their convolutions; 0 means none. GEGLU is as wide as
    gives a layer the parameters of a Transformer layer. In an encoder, windows extend to both
    sides, and the recurrences read the sequence from its start and from its end in turn.
    """

    version = 1
    title = "Griffin"
    paper = "De et al. 2024, Griffin"
    forms = frozenset({Form.DECODER, Form.ENCODER})
    options = {"window": 1024, "short_convolution": 4}

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why the window is invalid, or None."""
        if (window := request.options["window"]) < 1:
            return f"needs a window of at least 1 position; received: window={window}. Use 1024"
        return super().unsupported_reason(request)

    def pattern(self, request: BuildRequest) -> Pattern:
        """Return two recurrences and one local attention."""
        options = request.options
        attention = {
            **ATTENTION.options,
            "window": options["window"],
            "key_value_heads": 1,
            "rotary_share": 0.5,
            "output_bias": True,
        }
        recurrence = Part(RECURRENCE, {"short_convolution": options["short_convolution"]})
        return Pattern([recurrence, recurrence, Part(ATTENTION, attention)], BLOCK)


ARCHITECTURE = Griffin()
