"""The base of the methods `int8` and `int4`: quantization of a trained model by Keras."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from suite.api import AppliedMethod, Method, MethodContext, MethodRequest, Options, Stage

QUANTIZING = ("int8", "int4")


class Quantization(Method):
    """Quantizes dense layers and embeddings after training, in place.

    Layers that no call has built, such as the heads of a pretraining, stay as they are. So do
    weights outside of dense layers and embeddings: norms, positions, convolutions and LSTMs.
    """

    version = 1
    summary = "quantize dense layers and embeddings after training"
    stage = Stage.COMPRESS
    mode: str
    """The name of the quantization in Keras, and of the method."""

    def config(self, options: Options) -> Any:
        """Return the settings of the quantization; None for those of Keras."""
        return None

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        if quantized_before(self.mode, request.cell.methods):
            return f"quantizes weights once; leave {' or '.join(QUANTIZING)} out"
        return None

    def compress(self, model: Any, context: MethodContext) -> Any:
        with warnings.catch_warnings():
            # Keras warns of each layer that has no weights to quantize.
            warnings.filterwarnings("ignore", message="Layer .* does not have a `quantize` method")
            model.quantize(
                self.mode,
                config=self.config(context.options),
                filters=lambda layer: layer.built,
            )
        return model


def quantized_before(name: str, methods: Sequence[AppliedMethod]) -> bool:
    """Return whether the weights of a cell are quantized when a method is applied."""
    names = [method.name for method in methods]
    return any(other in QUANTIZING for other in names[: names.index(name)])
