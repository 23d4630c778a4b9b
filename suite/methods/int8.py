"""Weights of eight bits: Keras's quantization of a trained model."""

from __future__ import annotations

from typing import Any

from suite.api import Method, MethodContext, Stage


class Int8(Method):
    """Dense layers and embeddings with weights of eight bits, and products of eight bits.

    Keras quantizes each column of a kernel by its largest absolute value, and the inputs of a layer
    by that of each position (`keras.Model.quantize`).
    """

    version = 1
    title = "Weights of 8 bits"
    summary = "quantize dense layers and embeddings after training"
    paper = "Dettmers et al. 2022, LLM.int8(): 8-bit Matrix Multiplication for Transformers"
    stage = Stage.COMPRESS

    def compress(self, model: Any, context: MethodContext) -> Any:
        """Return the quantized model."""
        import warnings

        with warnings.catch_warnings():
            # Keras warns of each layer that has no weights to quantize.
            warnings.filterwarnings("ignore", message="Layer .* does not have a `quantize` method")
            model.quantize("int8")
        return model


METHOD = Int8()
