"""ModernBERT: windows of attention with a global layer in three, rotary positions and GEGLU.

Warner et al. 2024, "Smarter, Better, Faster, Longer: A Modern Bidirectional Encoder for Fast,
Memory Efficient, and Long Context Finetuning and Inference", section 2.1.
"""

from __future__ import annotations

from dataclasses import replace

from baselines.layers.mixers.attention import MIXER
from baselines.layers.pattern import PRENORM, Part, Pattern, PatternArchitecture
from suite.api import BuildRequest, Form

BLOCK = replace(
    PRENORM,
    norm="layer_no_bias",
    epsilon=1e-5,
    embedding_norm=True,
    gate_activation="gelu",
)


class ModernBERT(PatternArchitecture):
    """Layers of x + Attention(LayerNorm(x)) and x + GEGLU(LayerNorm(x)), without biases.

    The first of every `global_every` layers attends to all positions, with rotary positions of the
    base `global_rotary_base`. The others see `window` positions, half of them on each side of their
    own, with the base `local_rotary_base`. The embeddings pass a norm, which also is that of the
    first attention. The width of GEGLU gives a layer as many parameters as a Transformer layer.
    """

    version = 1
    title = "ModernBERT"
    paper = "Warner et al. 2024, Smarter, Better, Faster, Longer (ModernBERT)"
    forms = frozenset({Form.ENCODER})
    claimed_time = "n^2"
    options = {
        "window": 128,
        "global_every": 3,
        "global_rotary_base": 160_000.0,
        "local_rotary_base": 10_000.0,
    }

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why the windows, the global layers or the bases are invalid, or None."""
        options = request.options
        if (window := options["window"]) < 2 or window % 2:
            return (
                "needs an even window of at least 2 positions, half of them on each side; "
                f"received: window={window}. Use 128"
            )
        if (every := options["global_every"]) < 1:
            return (
                "needs a global layer in every one or more layers; "
                f"received: global_every={every}. Use 3"
            )
        for name in ("global_rotary_base", "local_rotary_base"):
            if options[name] <= 1:
                return f"needs a {name} greater than 1; received: {options[name]}. Use 10000"
        local = {name: options[name] for name in ("window", "local_rotary_base")}
        if every == 1 and any(value != self.options[name] for name, value in local.items()):
            return (
                "has no local layer with global_every=1; received: "
                f"{', '.join(f'{name}={value}' for name, value in local.items())}. Leave them out"
            )
        return super().unsupported_reason(request)

    def pattern(self, request: BuildRequest) -> Pattern:
        """Return a global layer, and the local ones that follow it."""
        options = request.options
        everywhere = {**MIXER.options, "rotary_base": options["global_rotary_base"]}
        nearby = {
            **MIXER.options,
            "rotary_base": options["local_rotary_base"],
            "window": options["window"] // 2 + 1,
        }
        local = [Part(MIXER, nearby)] * (options["global_every"] - 1)
        return Pattern([Part(MIXER, everywhere), *local], BLOCK, normalizes_first=False)


ARCHITECTURE = ModernBERT()
