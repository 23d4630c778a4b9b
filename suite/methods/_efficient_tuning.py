"""Training of few weights: everything but some weights of the backbone, and the head, is frozen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from suite.api import MethodRequest, Options
from suite.api.errors import RequestError

NORM_WEIGHTS = ("gamma", "beta")
"""The names of the weights of norms."""


def check_size(method: str, name: str, options: Options) -> None:
    """Check that an option is at least 1: with 0, the head alone would be trained.

    Raises:
        RequestError: it is not.
    """
    if options[name] < 1:
        raise RequestError(
            f"The option '{name}' of {method} is at least 1",
            received=options[name],
            remedy="Leave the method out to train all weights",
        )


def wider_than_the_model(name: str, request: MethodRequest) -> str | None:
    """Return why an option exceeds the width of the model, or None."""
    value, width = request.options[name], request.build.model_size.width
    if value > width:
        return f"has a {name} of at most the width; received: {name}={value}, width={width}"
    return None


def layers_of(layer: Any) -> list[Any]:
    """Return the built layers within a layer, at any depth."""
    return [part for part in layer._flatten_layers(include_self=False) if part.built]


def train_added(model: Any, extend: Callable[[], None], others: Iterable[Any] = ()) -> None:
    """Add weights to the backbone by `extend`, and train these, the head and `others` alone."""
    parts = [part for part in (model.embedding, model.backbone) if part is not None]
    trained = {id(weight) for weight in others}
    weights = [weight for part in parts for weight in part.weights if weight.trainable]
    frozen = [weight for weight in weights if id(weight) not in trained]
    extend()
    model.freeze(frozen)


def trained_facts(model: Any) -> dict[str, Any]:
    """Return the number of trained weights, and their share of the model's."""
    trained = sum(math.prod(weight.shape) for weight in model.trainable_variables)
    total = model.parameter_counts()["total"]
    return {"num_trained_weights": trained, "trained_weights_share": trained / total}
