"""LoRA: low-rank updates of the kernels of a frozen model."""

from __future__ import annotations

from typing import Any

from suite.api import MethodContext, Options, Unsupported
from suite.methods._efficient_tuning import EfficientTuning, layers_of, train_added
from suite.methods._options import check_options


class Lora(EfficientTuning):
    """Trains W + (α / r) A B in place of each kernel W of the backbone's dense layers.

    W (d, k) is frozen, A is (d, r) and B (r, k): r is `rank` and α `alpha`. B starts at 0, so the
    model starts unchanged (`keras.layers.Dense.enable_lora`). `embeddings` adds the same to the
    table of the token embedding. Norms, biases, and weights outside dense layers are frozen, as in
    the paper (section 4.2), which adapts the kernels of attention alone. Kept weights hold the sum,
    W + (α / r) A B.

    A probe measures A and B beside W, in inference too. There they cost time and memory that the
    sum does not.
    """

    title = "LoRA"
    summary = "train low-rank updates of frozen dense layers, and the head"
    paper = "Hu et al. 2022, LoRA: Low-Rank Adaptation of Large Language Models"
    options = {"rank": 8, "alpha": 16.0, "embeddings": False}
    size = "rank"

    def check(self, options: Options) -> None:
        super().check(options)
        rule = ("alpha", 0 < options["alpha"] < float("inf"), "above 0")
        check_options(self, options, rule)

    def model(self, model: Any, context: MethodContext) -> Any:
        """Return the model with A and B beside each kernel, and all other weights frozen.

        Raises:
            Unsupported: the backbone has no dense layers.
        """
        import keras

        kinds = (keras.layers.Dense, keras.layers.EinsumDense)
        layers = layers_of(model.backbone)
        adapted = [layer for layer in layers if isinstance(layer, kinds)]
        if not adapted:
            raise Unsupported("LoRA adapts dense layers, and the architecture has none.")
        if context.options["embeddings"]:
            adapted += [layer for layer in layers if isinstance(layer, keras.layers.Embedding)]

        def extend() -> None:
            for layer in adapted:
                layer.enable_lora(context.options["rank"], lora_alpha=context.options["alpha"])

        return train_added(model, extend)


METHOD = Lora()
