"""LoRA: low-rank updates of the kernels of a frozen model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suite.api import Method, MethodContext, MethodRequest, Options, Stage, Unsupported
from suite.api.errors import RequestError


class Lora(Method):
    """Trains W + (α / r) A B in place of each kernel W of the backbone's dense layers.

    W (d, k) is frozen, A is (d, r) and B (r, k): r is `rank` and α `alpha`. B starts at 0, so the
    model starts unchanged (`keras.layers.Dense.enable_lora`). `embeddings` adds the same to the
    table of the token embedding. The head is trained too, because it is new. Norms, biases, and
    weights outside dense layers are frozen, as in the paper (section 4.2), which adapts the kernels
    of attention alone. Kept weights hold the sum, W + (α / r) A B.

    A probe measures A and B beside W, in inference too. There they cost time and memory that the
    sum does not.

    After `pretrain`, the pretrained model is adapted. Without it, W is random.
    """

    version = 1
    title = "LoRA"
    summary = "train low-rank updates of frozen dense layers, and the head"
    paper = "Hu et al. 2022, LoRA: Low-Rank Adaptation of Large Language Models"
    stage = Stage.TRAIN
    options = {"rank": 8, "alpha": 16.0, "embeddings": False}

    def check(self, options: Options) -> None:
        """Check rank and scale."""
        from suite.methods._efficient_tuning import check_size

        check_size("lora", "rank", options)
        if not 0 < options["alpha"] < float("inf"):
            raise RequestError("The option 'alpha' of lora is above 0", received=options["alpha"])

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        """Return why the rank does not fit the model, or None."""
        from suite.methods._efficient_tuning import wider_than_the_model

        return wider_than_the_model("rank", request)

    def model(self, model: Any, context: MethodContext) -> Any:
        """Return the model with A and B beside each kernel, and all other weights frozen.

        Raises:
            Unsupported: the backbone has no dense layers.
        """
        import keras

        from suite.methods._efficient_tuning import layers_of, train_added

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

        train_added(model, extend)
        return model

    def facts(self, model: Any, context: MethodContext) -> Mapping[str, Any]:
        """Return the number of trained weights and their share."""
        from suite.methods._efficient_tuning import trained_facts

        return trained_facts(model)


METHOD = Lora()
