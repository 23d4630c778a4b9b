"""Pretraining on a task's own training text, before the task is learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from suite.api import (
    Cell,
    Examples,
    Inputs,
    Method,
    MethodContext,
    MethodRequest,
    Options,
    Stage,
    Task,
    TaskData,
    Unsupported,
    count_real,
)
from suite.api.errors import RequestError

ROLE = "pretrained"
FINE_TUNING = frozenset({"learning_rate", "train_share"})
"""The options of a cell that are not those of its pretraining, which reads all texts."""
VALIDATION_SEED = 0


class Pretrain(Method):
    """Self-supervised training on the texts of the training split, then the task's own training.

    The objective is that of the form: masked language modelling for encoders (Devlin et al. 2019),
    the next token for decoders (Radford et al. 2018), and for encoder-decoders span corruption
    (Raffel et al. 2020) or text infilling (Lewis et al. 2020). The texts are those that the task
    encodes: its token ids, and of an encoder-decoder the source side. Targets and test texts are
    not read. Next-sentence prediction is left out, because an encoded text has no sentences.

    `steps` are those of the pretraining, with batches of the cell's size. `share` is the share of
    hidden tokens, and `span` the mean size of a hidden span of an encoder-decoder. `corruption` is
    "spans" or "infilling". `only` trains the pretrained model itself, whose weights are kept: it is
    the parent of the others. Embedding and backbone start with its weights, the head anew. The
    parent has token ids for masks after those of the vocabulary; the child has none.
    """

    version = 1
    title = "Pretraining"
    summary = "predict hidden tokens of the training texts first"
    paper = "Devlin et al. 2019, BERT: Pre-training of Deep Bidirectional Transformers"
    stage = Stage.PREPARE
    options = {
        "steps": 1_000,
        "learning_rate": 1e-3,
        "share": 0.15,
        "span": 3.0,
        "corruption": "spans",
        "only": False,
    }

    def check(self, options: Options) -> None:
        """Check the values."""
        from suite.methods._pretraining import INFILLING, SPANS

        for name, fits, wanted in (
            ("steps", options["steps"] >= 1, "at least 1; leave the method out for none"),
            ("learning_rate", 0 < options["learning_rate"] < float("inf"), "above 0"),
            ("share", 0 < options["share"] < 1, "above 0 and below 1"),
            ("span", 1 <= options["span"] < float("inf"), "at least 1"),
            ("corruption", options["corruption"] in (SPANS, INFILLING), f"{SPANS} or {INFILLING}"),
        ):
            if not fits:
                raise RequestError(
                    f"The option '{name}' of pretrain is {wanted}", received=options[name]
                )

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        """Return why a cell cannot be pretrained, or None."""
        if request.build.inputs is not Inputs.TOKEN_IDS:
            return (
                "hides token ids, and the architecture gets none from this task; "
                f"received: {request.build.inputs}. Use a task whose inputs are token ids"
            )
        if request.options["only"] and request.cell.scores_test:
            return "reads no test text with only=true. Leave out --test"
        return None

    def needs(self, cell: Cell, options: Options) -> Mapping[str, Cell]:
        """Return the cell that pretrains; its seed, size and length are those of the cell."""
        if options["only"]:
            return {}
        own = next(method for method in cell.methods if method.name == "pretrain")
        changed = {name: value for name, value in own.options.items() if name != "steps"}
        parent = replace(
            cell,
            steps=options["steps"],
            methods=(replace(own, options={**changed, "only": True}),),
            options={
                name: value for name, value in cell.options.items() if name not in FINE_TUNING
            },
        )
        return {ROLE: parent}

    def task(self, task: Task, options: Options) -> Task:
        """Return the task with the objective of pretraining, if the cell pretrains."""
        if not options["only"]:
            return task
        from suite.methods._pretraining import PretrainingTask

        return PretrainingTask(task, options)

    def data(self, data: TaskData, context: MethodContext) -> TaskData:
        """Return the texts; those of the validation split are corrupted once, for all seeds."""
        if not context.options["only"]:
            return data
        import numpy as np

        task: Any = context.task
        generator = np.random.default_rng(VALIDATION_SEED)
        return replace(
            data,
            train=Examples(task.text_of(data.train.features), {}),
            validation=Examples(*task.corrupt(data.validation.features, data.spec, generator)),
        )

    def batches(self, batches: Iterator[Any], context: MethodContext) -> Iterator[Any]:
        """Yield the batches with new hidden tokens each time."""
        if not context.options["only"]:
            yield from batches
            return
        import numpy as np

        task: Any = context.task
        generator = np.random.default_rng([context.cell.seed, 2])  # neither order nor augmentation
        for batch in batches:
            features, targets = task.corrupt(batch.features, context.spec, generator)
            num_tokens = count_real(features)
            yield replace(batch, features=features, targets=targets, num_tokens=num_tokens)

    def initialize(self, model: Any, context: MethodContext) -> None:
        """Set the weights of embedding and backbone to those of the pretrained model."""
        if context.options["only"]:
            return
        own, pretrained = model.backbone.weights, context.parents[ROLE]().backbone.weights
        if len(own) != len(pretrained):
            raise Unsupported(
                "A pretrained encoder-decoder has one token embedding for source and target. "
                f"Received: {len(own)} weights instead of {len(pretrained)}. "
                "Use a task whose head is tied to that embedding."
            )
        for weight, value in zip(own, pretrained, strict=True):
            # The token embedding of the pretrained model has rows for masks after those of tokens.
            is_same = tuple(value.shape) == tuple(weight.shape)
            weight.assign(value if is_same else value[: weight.shape[0]])


METHOD = Pretrain()
