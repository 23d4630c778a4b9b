"""Weights of four bits: Keras's quantization of a trained model."""

from __future__ import annotations

from typing import Any

from suite.api import Method, MethodContext, MethodRequest, Options, Stage
from suite.api.errors import RequestError


class Int4(Method):
    """Dense layers and embeddings with weights of four bits, two in a byte.

    The products are in the precision of the cell. With `block_size` b, each b consecutive inputs of
    a column of a kernel have a scale and a zero point of their own, and so do b consecutive
    channels of an embedding. With a `block_size` of 0, a column or an embedding has one scale
    (`keras.quantizers.Int4QuantizationConfig`). Norms, positions, convolutions and LSTMs keep their
    weights.
    """

    version = 1
    title = "Weights of 4 bits"
    summary = "quantize dense layers and embeddings after training"
    paper = "Dettmers and Zettlemoyer 2023, The case for 4-bit precision: k-bit Inference Scaling"
    stage = Stage.COMPRESS
    options = {"block_size": 128}

    def check(self, options: Options) -> None:
        """Check the block size."""
        if options["block_size"] < 0:
            raise RequestError(
                "The option 'block_size' of int4 is 0 or more: 0 is one scale for each column",
                received=options["block_size"],
            )

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        """Return why the weights cannot be quantized, or None."""
        from suite.methods._quantization import twice_reason

        return twice_reason("int4", request)

    def compress(self, model: Any, context: MethodContext) -> Any:
        """Return the quantized model."""
        import keras

        from suite.methods._quantization import quantize

        block_size = context.options["block_size"] or None
        config = keras.quantizers.Int4QuantizationConfig(block_size=block_size)
        return quantize(model, "int4", config)


METHOD = Int4()
