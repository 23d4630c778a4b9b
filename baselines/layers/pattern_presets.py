"""Patterns of published hybrids by name, and the options that belong to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from suite.api.options import Options


class Preset(NamedTuple):
    """A pattern, and the options that it sets unless they are given."""

    pattern: str
    options: Options


PRESETS: Mapping[str, Preset] = {
    # Qwen team 2025. The published norms multiply by 1 + weight: here γ is this sum.
    "qwen3_next": Preset(
        "gated_deltanet*3,attention",
        {
            "attention_gated": True,
            "attention_query_key_norm": "head",
            "attention_rotary_share": 0.25,
        },
    ),
    # Ai2 2025: attention of OLMo 2 among layers of Gated DeltaNet.
    "olmo_hybrid": Preset(
        "gated_deltanet*3,attention",
        {
            "gated_deltanet_negative_eigenvalues": True,
            "attention_query_key_norm": "width",
            "attention_norm_placement": "result",
        },
    ),
    # Lieber et al. 2024, section 3: eight layers with one of attention, all networks dense.
    "jamba": Preset(
        "mamba*4,attention,mamba*3",
        {"mamba_normalized": True, "attention_positions": "none"},
    ),
    # Ren et al. 2024, "Samba: Simple Hybrid State Space Models", section 2.
    "samba": Preset("mamba,window_attention", {"window_attention_window": 2048}),
    # De et al. 2024, section 2, in this block: Griffin itself has GEGLU and scaled embeddings.
    "griffin": Preset(
        "rg_lru*2,window_attention",
        {
            "window_attention_window": 1024,
            "window_attention_key_value_heads": 1,
            "window_attention_rotary_share": 0.5,
        },
    ),
    # Kimi team 2025: without positions, in place of its latent attention.
    "kimi_linear": Preset("kimi_delta*3,attention", {"attention_positions": "none"}),
    # Gemma team 2025, section 2: the windows and the norms of queries and keys.
    "gemma3": Preset(
        "window_attention*5,attention",
        {
            "window_attention_window": 1024,
            "window_attention_query_key_norm": "head",
            "attention_query_key_norm": "head",
            "attention_rotary_base": 1_000_000.0,
        },
    ),
}
