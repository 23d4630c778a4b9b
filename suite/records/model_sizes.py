"""The model sizes: the choices of `--model-size`, and their text for people."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from suite.api import ModelSize
from suite.api.errors import check_name

MODEL_SIZES: Mapping[str, ModelSize] = {
    size.name: size
    for size in (
        ModelSize("tiny", num_layers=2, width=128, num_heads=4, feedforward_width=512),
        ModelSize("mini", num_layers=4, width=128, num_heads=4, feedforward_width=512),
        ModelSize("small", num_layers=4, width=256, num_heads=4, feedforward_width=1024),
        ModelSize("base", num_layers=12, width=768, num_heads=12, feedforward_width=3072),
    )
}
CUSTOM = re.compile(r"(\d+)x(\d+)x(\d+)")
"""The name of a size of a card: its layers, width and heads, as "4x256x4"."""


def model_size_text(name: str, num_parameters: float | None = None) -> str:
    """Return a model size with what it means: "tiny: 2 layers, width 128, 0.4 M parameters".

    The parameters are those of the backbone, as measured. A size of another version has its name.
    """
    size = MODEL_SIZES.get(name)
    facts = [f"{size.num_layers} layers", f"width {size.width}"] if size else []
    if num_parameters:
        facts.append(f"{num_parameters / 1e6:.2g} M parameters")
    return f"{name}: {', '.join(facts)}" if facts else name


def find_model_size(name: str) -> ModelSize:
    """Return a model size by its name, or that of layers, width and heads such as "4x256x4".

    Raises:
        RequestError: the name is unknown.
    """
    if parts := CUSTOM.fullmatch(name):
        layers, width, heads = map(int, parts.groups())
        if min(layers, width, heads) > 0:
            return ModelSize(name, layers, width, heads, feedforward_width=4 * width)
    check_name("model size", name, MODEL_SIZES)
    return MODEL_SIZES[name]


def size_of_parameters(parameters: int) -> str:
    """Return the name of the size with about as many parameters in its layers.

    A layer of width w has about 12w² parameters; heads are about 64 wide.
    """
    layers = max(2, round((parameters / (12 * 64**2)) ** (1 / 3)))
    width = math.sqrt(parameters / (12 * layers))
    heads = max(1, round(width / 64))
    width = 2 * heads * max(1, round(width / (2 * heads)))
    return find_model_size(f"{layers}x{width}x{heads}").name
