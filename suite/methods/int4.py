"""Weights of four bits: Keras's quantization of a trained model."""

from __future__ import annotations

from typing import Any

from suite.api import Options
from suite.methods._options import at_least, check_options
from suite.methods._quantization import Quantization


class Int4(Quantization):
    """Dense layers and embeddings with weights of four bits, two in a byte.

    The products are in the precision of the cell. With `block_size` b, each b consecutive inputs of
    a column of a kernel have a scale and a zero point of their own, and so do b consecutive
    channels of an embedding. With a `block_size` of 0, a column or an embedding has one scale
    (`keras.quantizers.Int4QuantizationConfig`).
    """

    title = "Weights of 4 bits"
    paper = "Dettmers and Zettlemoyer 2023, The case for 4-bit precision: k-bit Inference Scaling"
    mode = "int4"
    options = {"block_size": 128}

    def check(self, options: Options) -> None:
        check_options(self, options, at_least(0, options, "block_size"))

    def config(self, options: Options) -> Any:
        import keras

        return keras.quantizers.Int4QuantizationConfig(block_size=options["block_size"] or None)


METHOD = Int4()
