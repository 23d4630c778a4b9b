"""Attention within a window, for patterns that also have attention to all positions.

Jiang et al. 2023, "Mistral 7B"; Gemma team 2025, "Gemma 3 Technical Report".
"""

from __future__ import annotations

from baselines.layers.mixers.attention import Attention


class WindowAttention(Attention):
    """`attention` with options of its own, and with a window by default."""

    options = {**Attention.options, "window": 512}


MIXER = WindowAttention()
