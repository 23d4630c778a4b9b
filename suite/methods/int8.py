"""Weights of eight bits: Keras's quantization of a trained model."""

from __future__ import annotations

from suite.api import MethodRequest
from suite.methods._quantization import Quantization


class Int8(Quantization):
    """Dense layers and embeddings with weights of eight bits, and products of eight bits.

    Keras quantizes each column of a kernel by its largest absolute value, and the inputs of a layer
    by that of each position (`keras.Model.quantize`).
    """

    title = "Weights of 8 bits"
    paper = "Dettmers et al. 2022, LLM.int8(): 8-bit Matrix Multiplication for Transformers"
    mode = "int8"

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        if request.cell.precision == "mixed_float16":
            return "overflows in mixed_float16; use float32 or mixed_bfloat16"
        return super().unsupported_reason(request)


METHOD = Int8()
