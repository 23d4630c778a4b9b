"""Weights of eight bits: Keras's quantization of a trained model."""

from __future__ import annotations

from typing import Any

from suite.api import Method, MethodContext, MethodRequest, Stage


class Int8(Method):
    """Dense layers and embeddings with weights of eight bits, and products of eight bits.

    Keras quantizes each column of a kernel by its largest absolute value, and the inputs of a layer
    by that of each position (`keras.Model.quantize`). Norms, positions, convolutions and LSTMs keep
    their weights.
    """

    version = 1
    title = "Weights of 8 bits"
    summary = "quantize dense layers and embeddings after training"
    paper = "Dettmers et al. 2022, LLM.int8(): 8-bit Matrix Multiplication for Transformers"
    stage = Stage.COMPRESS

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        """Return why the weights or the precision of the cell cannot be quantized, or None."""
        from suite.methods._quantization import twice_reason

        if request.cell.precision == "mixed_float16":
            return "overflows in mixed_float16; use float32 or mixed_bfloat16"
        return twice_reason("int8", request)

    def compress(self, model: Any, context: MethodContext) -> Any:
        """Return the quantized model."""
        from suite.methods._quantization import quantize

        return quantize(model, "int8")


METHOD = Int8()
