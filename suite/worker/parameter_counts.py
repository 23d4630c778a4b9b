"""Counts of the weights of a model, by part."""

from __future__ import annotations

import math
from typing import Any

QUANTIZED = ("kernel", "embeddings")
"""The names of the weights that Keras quantizes; their scales have other names."""


def count_parameters(model: Any) -> dict[str, int]:
    """Count the weights by part; parity between architectures is about `mixing`.

    A quantized weight counts as many parameters as before its quantization.
    """
    sizes = _sizes(model)
    parts = [*getattr(model.backbone, "embedding_layers", ()), model.embedding]
    embedded = {id(weight) for part in parts if part for weight in part.weights}
    own = {id(weight) for weight in model.head.weights} - embedded
    embedding, head = (sum(sizes.get(key, 0) for key in part) for part in (embedded, own))
    total = sum(sizes.values())
    return {
        "total": total,
        "embedding": embedding,
        "head": head,
        "mixing": total - embedding - head,
    }


def _sizes(model: Any) -> dict[int, int]:
    """Return the numbers in each trainable, frozen or quantized weight, by its id."""
    sizes = {
        id(weight): math.prod(weight.shape)
        for weight in model.weights
        if weight.trainable or id(weight) in model.frozen
    }
    for layer in model._flatten_layers():
        if layer.quantization_mode:
            for weight in layer.weights:
                if weight.name in QUANTIZED:  # the property of this name unpacks the values
                    sizes[id(weight)] = math.prod(getattr(layer, weight.name).shape)
    return sizes
