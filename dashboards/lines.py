"""The colour, symbol and dash of each line that is drawn."""

from __future__ import annotations

from typing import Any

import pandas as pd

COLORS = {
    "vanilla": ("#0072B2", "circle"),
    "bert": ("#56B4E9", "square"),
    "gpt": ("#E69F00", "diamond"),
    "transformer_xl": ("#D55E00", "triangle-up"),
    "longformer": ("#009E73", "triangle-down"),
    "reformer": ("#CC79A7", "cross"),
    "vit": ("#882255", "star"),
    "full_attention": ("#777777", "x"),
}
"""Okabe and Ito's colours, which the colour-blind can tell apart, and symbols for print: the same
on every page. Others take what is left over, by name."""
OTHERS = (("#44AA99", "hexagon"), ("#332288", "pentagon"), ("#999933", "hourglass"),
          ("#AA4499", "bowtie"), ("#661100", "star-diamond"), ("#6699CC", "hexagram"))  # fmt: skip
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SHADES = ((0, 0.0), (0, 0.45), (255, 0.4))
"""What an architecture's colour is mixed with, and how much: nothing, black, white."""


def draw_lines(records: pd.DataFrame) -> list[dict[str, Any]]:
    """Give each line its colour and symbol (its architecture's), shade and dash (its options').

    A line of a single length has no dash to be told by.
    """
    seen: dict[str, int] = {}
    lines = []
    pairs = (
        records[["architecture", "line"]].drop_duplicates().sort_values(["architecture", "line"])
    )
    for architecture, line in pairs.itertuples(index=False):
        color, symbol = COLORS.get(architecture) or OTHERS[sum(architecture.encode()) % len(OTHERS)]
        variant = seen.get(architecture, 0)
        seen[architecture] = variant + 1
        dash = DASHES[variant % len(DASHES)]
        shade = _mixed(color, *SHADES[variant % len(SHADES)])
        lines.append({"name": line, "architecture": architecture, "color": shade,
                      "symbol": symbol, "dash": dash})  # fmt: skip
    return lines


def _mixed(color: str, level: int, share: float) -> str:
    """Mix "#RRGGBB" with so large a share of a grey."""
    parts = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    mixed = [round(part + (level - part) * share) for part in parts]
    return "#" + "".join(f"{part:02X}" for part in mixed)
