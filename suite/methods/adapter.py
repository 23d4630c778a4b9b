"""Adapters: small layers within a frozen model."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from suite.api import MethodContext, MethodRequest, Part, Unsupported
from suite.methods._efficient_tuning import NORM_WEIGHTS, EfficientTuning, layers_of, train_added


class Adapter(EfficientTuning):
    """Trains a bottleneck of `size` after each sub-layer, before the residual addition.

    It starts near the identity. Adapters, norms and the head are trained, everything else is
    frozen (Houlsby et al. 2019, section 2.1). A layer takes adapters if it has a method
    `add_adapters`: `TransformerLayer` and `ReversibleLayer` have it. With a `size` of m, a layer of
    width d with two sub-layers gets about 4 · m · d weights.
    """

    title = "Adapters"
    summary = "train small layers within a frozen model, norms and the head"
    paper = "Houlsby et al. 2019, Parameter-Efficient Transfer Learning for NLP"
    options = {"size": 16}
    size = "size"

    def parts(self, request: MethodRequest) -> Collection[Part]:
        return (Part.ADAPTERS,)

    def model(self, model: Any, context: MethodContext) -> Any:
        """Return the model with adapters, and everything but these, norms and head frozen.

        Raises:
            Unsupported: no layer of the backbone takes adapters.
        """
        from suite.methods._adapter_layer import Bottleneck

        layers = [part for part in layers_of(model.backbone) if hasattr(part, "add_adapters")]
        if not layers:
            raise Unsupported(
                "Adapters come after the sub-layers of residual layers with `add_adapters`, and "
                "the architecture has none."
            )

        def make_adapter() -> Any:
            adapter = Bottleneck(context.options["size"])
            adapter.build((None, None, context.build.model_size.width))
            return adapter

        def extend() -> None:
            for layer in layers:
                layer.add_adapters(make_adapter)

        norms = [weight for weight in model.backbone.weights if weight.name in NORM_WEIGHTS]
        return train_added(model, extend, norms)


METHOD = Adapter()
