"""Python values → script files, which a page opened from disk can load."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from suite.api.files import atomic_write_bytes

QUALITY_NUMBER = -1
"""Stands for quality where measures are numbers: their places in `MEASURES`."""


def write_script(path: Path, name: str, content: Any) -> None:
    """Write a script that assigns the content to `window.NAME`."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    write_text(path, f"window.{name}={text};\n")


def write_text(path: Path, text: str) -> None:
    """Write a file that a web server may serve."""
    atomic_write_bytes(path, text.encode())


def shorten(value: Any) -> Any:
    """Round to five digits: more are noise, and a byte each; so is the point of a whole number."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.5g}")
    return int(rounded) if rounded.is_integer() else rounded
