"""Hybrids: a pattern of mixers, such as three layers of a recurrence to one of attention.

Qwen team 2025, "Qwen3-Next: Towards Ultimate Training & Inference Efficiency"; Ai2 2025 (OLMo
hybrid); Lieber et al. 2024, "Jamba: A Hybrid Transformer-Mamba Language Model"; Ren et al. 2024,
"Samba: Simple Hybrid State Space Models for Efficient Unlimited Context Language Modeling".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import ClassVar

from baselines.layers.mixer import Mixer
from baselines.layers.pattern import Part, Pattern, PatternArchitecture
from baselines.layers.pattern_presets import PRESETS, Preset
from suite.api import BuildRequest
from suite.api.options import Options

REPEATED = re.compile(r"(?P<name>\w+)\*(?P<count>[1-9]\d?)")
"""A mixer of several layers in a pattern: "mamba2*7"."""


def _find_mixers() -> dict[str, Mixer]:
    """Return the mixers of the files in `layers/mixers`, by the names of the files."""
    files = sorted(Path(__file__).parent.glob("layers/mixers/[!_]*.py"))
    return {
        name: import_module(f"baselines.layers.mixers.{name}").MIXER
        for name in (file.stem for file in files)
    }


def _names_in(pattern: str) -> list[str]:
    """Return the names in a pattern, each as often as its star says."""
    names: list[str] = []
    for part in pattern.split(","):
        name = part.strip()
        match = REPEATED.fullmatch(name)
        names += [match["name"]] * int(match["count"]) if match else [name]
    return [name for name in names if name]


class Hybrid(PatternArchitecture):
    """Layers of x + Mixer(RMSNorm(x)) and x + SwiGLU(RMSNorm(x)) with a pattern of mixers.

    `pattern` names the mixers of consecutive layers, separated by commas: attention,
    window_attention, gated_deltanet, kimi_delta, gla, linear_attention, mamba, mamba2, mamba3,
    mlstm, rg_lru, lstm or convolution. `mamba2*7` names seven layers. The pattern is repeated over
    the layers. Other options are those of a mixer, whose name comes first: `attention_window` is
    the `window` of attention. Only attention has positions: rotary positions, or none. A pattern
    may also be the name of a published one: qwen3_next, olmo_hybrid, kimi_linear, jamba, samba,
    griffin or gemma3. It sets options of its mixers unless they are given.

    The width of SwiGLU gives each layer as many parameters as a Transformer layer. The encoder's
    recurrent layers read the sequence from its start and from its end in turn, an LSTM from both.
    In the encoder-decoder form, attention to the encoder's output follows each mixer of the
    decoder.

    A subclass with other `mixers` and another `default_pattern` has mixers of its own.
    """

    version = 1
    title = "Hybrid"
    paper = "Qwen team 2025, Qwen3-Next; Lieber et al. 2024, Jamba"
    claimed_time = "n^2"
    mixers: ClassVar[Mapping[str, Mixer]] = _find_mixers()
    default_pattern: ClassVar[str] = "gated_deltanet,attention"

    def __init__(self) -> None:
        """Give the options of each mixer its name as a prefix, and find the presets that suit."""
        of_mixers = {
            f"{key}_{name}": default
            for key, mixer in self.mixers.items()
            for name, default in mixer.options.items()
        }
        self.options = {"pattern": self.default_pattern, **of_mixers}
        self.presets = {
            name: preset
            for name, preset in PRESETS.items()
            if self.mixers.keys() >= set(_names_in(preset.pattern))
            and of_mixers.keys() >= preset.options.keys()
        }

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why the pattern or an option of a mixer is invalid, or None."""
        text = f"pattern={request.options['pattern']}"
        names, num_layers = self._names(request), request.model_size.num_layers
        known = ", ".join([*self.mixers, *self.presets])
        if not names:
            return f"needs a pattern of at least one mixer; received: {text}. Name some of {known}"
        for name in names:
            if name in self.presets and name not in self.mixers:
                return (
                    f"takes the name {name} alone, not among mixers; received: {text}. "
                    f"Write {self.presets[name].pattern} instead"
                )
            if name not in self.mixers:
                return f"has no mixer '{name}'; received: {text}. Choose from {known}"
        if len(names) > num_layers:
            return (
                f"needs a layer for each mixer of its pattern; received: {text}, which names "
                f"{len(names)}, and num_layers={num_layers}. Shorten it or use a larger model size"
            )
        for key in sorted(self.mixers.keys() - set(names)):
            for name, default in self.mixers[key].options.items():
                if (value := request.options[f"{key}_{name}"]) != default:
                    return (
                        f"takes options only of the mixers in its pattern; received: {text}, "
                        f"{key}_{name}={value}. Add {key} to the pattern or leave the option out"
                    )
        return super().unsupported_reason(request)

    def defaults(self, given: Options) -> Options:
        """Return the options with their defaults: a preset has some of its own."""
        preset = self._preset(given.get("pattern", self.options["pattern"]))
        return {**self.options, **preset.options} if preset else self.options

    def _preset(self, pattern: str) -> Preset | None:
        return self.presets.get(str(pattern).strip())

    def _names(self, request: BuildRequest) -> list[str]:
        """Return the mixers that the pattern names."""
        pattern = request.options["pattern"]
        preset = self._preset(pattern)
        return _names_in(preset.pattern if preset else pattern)

    def _options(self, request: BuildRequest, key: str) -> Options:
        """Return the options of a mixer without their prefix."""
        return {name: request.options[f"{key}_{name}"] for name in self.mixers[key].options}

    def pattern(self, request: BuildRequest) -> Pattern:
        """Return the mixers with their options."""
        return Pattern(
            [
                Part(self.mixers[key], self._options(request, key), key)
                for key in self._names(request)
            ]
        )


ARCHITECTURE = Hybrid()
