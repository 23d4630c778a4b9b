"""The base of the methods that train few weights and the head, and freeze everything else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from suite.api import Method, MethodContext, MethodRequest, Options, Stage
from suite.methods._options import check_options

NORM_WEIGHTS = ("gamma", "beta")
"""The names of the weights of norms."""


class EfficientTuning(Method):
    """Adds weights to a model. These and the head are trained; everything else is frozen.

    The head is trained because it is new. After `pretrain`, the pretrained model is adapted.
    Without it, the frozen weights are random.
    """

    version = 1
    stage = Stage.TRAIN
    size: str
    """The name of the option that sets the number of added weights."""

    def check(self, options: Options) -> None:
        """Check the size: with 0, the head alone would be trained."""
        rule = "at least 1. To train all weights, leave the method out"
        check_options(self, options, (self.size, options[self.size] >= 1, rule))

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        name, width = self.size, request.build.model_size.width
        value = request.options[name]
        if value > width:
            return f"has a {name} of at most the width; received: {name}={value}, width={width}"
        return None

    def facts(self, model: Any, context: MethodContext) -> Mapping[str, Any]:
        trained = sum(math.prod(weight.shape) for weight in model.trainable_variables)
        total = model.parameter_counts()["total"]
        return {"num_trained_weights": trained, "trained_weights_share": trained / total}


def layers_of(layer: Any) -> list[Any]:
    """Return the built layers within a layer, at any depth."""
    return [part for part in layer._flatten_layers(include_self=False) if part.built]


def train_added(model: Any, extend: Callable[[], None], others: Iterable[Any] = ()) -> Any:
    """Return the model with weights that `extend` adds; these, head and `others` are trained."""
    parts = [part for part in (model.embedding, model.backbone) if part is not None]
    trained = {id(weight) for weight in others}
    weights = [weight for part in parts for weight in part.weights if weight.trainable]
    frozen = [weight for weight in weights if id(weight) not in trained]
    extend()
    model.freeze(frozen)
    return model
