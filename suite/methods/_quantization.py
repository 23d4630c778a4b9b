"""Quantization of a trained model by Keras, for the methods `int8` and `int4`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from suite.api import AppliedMethod, MethodRequest
from suite.api.errors import Unsupported

QUANTIZING = ("int8", "int4")


def quantized_before(name: str, methods: Sequence[AppliedMethod]) -> bool:
    """Return whether the weights of a cell are quantized when a method is applied."""
    names = [method.name for method in methods]
    return any(other in QUANTIZING for other in names[: names.index(name)])


def twice_reason(name: str, request: MethodRequest) -> str | None:
    """Return that weights are quantized once, if another method has quantized them."""
    if quantized_before(name, request.cell.methods):
        return f"quantizes weights once; leave {' or '.join(QUANTIZING)} out"
    return None


def quantize(model: Any, mode: str, config: Any = None) -> Any:
    """Quantize all dense layers and embeddings of a model in place, and return the model.

    Layers that no call has built, such as the heads of a pretraining, stay as they are. So do
    weights outside of dense layers and embeddings: norms, positions, convolutions and LSTMs.

    Raises:
        Unsupported: the weights are quantized already.
    """
    if any(layer.quantization_mode for layer in model._flatten_layers()):
        raise Unsupported("Weights are quantized once. Give one of the methods int8 and int4.")
    with warnings.catch_warnings():
        # Keras warns of each layer that has no weights to quantize.
        warnings.filterwarnings("ignore", message="Layer .* does not have a `quantize` method")
        model.quantize(mode, config=config, filters=lambda layer: layer.built)
    return model
