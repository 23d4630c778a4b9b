"""Pretraining on a task's own training text, or on files, before the task is learned."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from suite.api import (
    Cell,
    DataError,
    Examples,
    Form,
    Inputs,
    Method,
    MethodContext,
    MethodRequest,
    Options,
    Part,
    Stage,
    Task,
    TaskData,
    Unsupported,
    count_real,
)
from suite.methods._options import at_least, check_options
from suite.methods._pretraining import (
    INFILLING,
    SPANS,
    PretrainingTask,
    digest_documents,
    encodes_plain_text,
    hides_tokens,
    read_documents,
)

ROLE = "pretrained"
FINE_TUNING = frozenset({"learning_rate", "train_share"})
"""The options of a cell that are not those of its pretraining, which reads all texts."""
VALIDATION_SEED = 0


class Pretrain(Method):
    """Self-supervised training on the texts of the training split, then the task's own training.

    The objective is that of the form: masked language modelling for encoders (Devlin et al. 2019),
    the next token for decoders (Radford et al. 2018), and for encoder-decoders span corruption
    (Raffel et al. 2020) or text infilling (Lewis et al. 2020). The texts are those that the task
    encodes: its token ids, and of an encoder-decoder the source side. Some tasks embed words by
    several features: a hidden word loses those that `Task.hide_tokens` hides, and the model
    predicts its identity. Targets and test texts are not read.

    `steps` are those of the pretraining, with batches of the cell's size. `share` is the share of
    hidden tokens, and `span` the mean size of a hidden span of an encoder-decoder. `corruption` is
    "spans" or "infilling".

    `next_sentence` adds next-sentence prediction (Devlin et al. 2019, section 3.1) to the masks of
    an encoder. Encoded texts have no sentences: a pair is the two halves of a text, however short
    it is. Half of the second pieces are those of another text of the batch.

    `files` names a file of documents in UTF-8, one on each line or with blank lines between them.
    They replace the training texts, and are encoded as the task encodes raw text. Validation keeps
    the task's own texts. `digest`, which follows from `files`, makes the cell run again for a
    changed file.

    `only` trains the pretrained model itself, whose weights are kept: it is the parent of the
    others. Embedding and backbone start with its weights, the head anew. The parent has token ids
    for masks after those of the vocabulary; the child has none.
    """

    version = 1
    title = "Pretraining"
    summary = "predict hidden tokens of the training texts, or of files, first"
    paper = "Devlin et al. 2019, BERT: Pre-training of Deep Bidirectional Transformers"
    stage = Stage.PREPARE
    options = {
        "steps": 1_000,
        "learning_rate": 1e-3,
        "share": 0.15,
        "span": 3.0,
        "corruption": "spans",
        "next_sentence": False,
        "files": "",
        "digest": "",
        "only": False,
    }

    def check(self, options: Options) -> None:
        check_options(
            self,
            options,
            at_least(1, options, "steps"),
            ("learning_rate", 0 < options["learning_rate"] < float("inf"), "above 0"),
            ("share", 0 < options["share"] < 1, "above 0 and below 1"),
            ("span", 1 <= options["span"] < float("inf"), "at least 1"),
            ("corruption", options["corruption"] in (SPANS, INFILLING), f"{SPANS} or {INFILLING}"),
        )
        if options["files"]:
            read_documents(options["files"])

    def derived_options(self, options: Options) -> Options:
        return {"digest": digest_documents(options["files"])} if options["files"] else {}

    def parts(self, request: MethodRequest) -> Collection[Part]:
        """Return the table of the tokens, with which the head of the objective scores them."""
        return (Part.TABLE,) if request.build.inputs is Inputs.TOKEN_IDS else ()

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        task, options, inputs = request.task, request.options, request.build.inputs
        if not hides_tokens(task, inputs):
            return (
                "hides tokens, and the architecture gets none from this task that can be hidden; "
                f"received: {inputs}. Use a task of texts, without options that embed them"
            )
        if options["next_sentence"]:
            if task.form is not Form.ENCODER or inputs is not Inputs.TOKEN_IDS:
                return (
                    "predicts next sentences in encoders of token ids alone; received: "
                    f"{task.form}, {inputs}. Leave out next_sentence=true"
                )
            if request.cell.batch_size < 2:
                return "needs another text in each batch for next_sentence=true; batch_size is 1"
        if options["files"] and not encodes_plain_text(task):
            return (
                f"reads plain texts from files, and {task.title} encodes none: it has no raw text, "
                f"or its texts have marks; received: files={options['files']}. Leave out files"
            )
        if options["only"] and request.cell.scores_test:
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
        return PretrainingTask(task, options) if options["only"] else task

    def data(self, data: TaskData, context: MethodContext) -> TaskData:
        """Return the texts; those of the validation split are corrupted once, for all seeds.

        Raises:
            DataError: the file of documents has changed since the plan.
        """
        if not context.options["only"]:
            return data
        import numpy as np

        task: Any = context.task
        generator = np.random.default_rng(VALIDATION_SEED)
        train = _documents(data, context) if context.options["files"] else data.train
        return replace(
            data,
            train=Examples(task.text_of(train.features), {}),
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
        own, pretrained = map(_weights, (model, context.parents[ROLE]()))
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


def _weights(model: Any) -> list[Any]:
    parts = [part for part in (model.embedding, model.backbone) if part is not None]
    return [weight for part in parts for weight in part.weights]


def _documents(data: TaskData, context: MethodContext) -> Examples:
    path = context.options["files"]
    if digest_documents(path) != context.options["digest"]:
        raise DataError(
            "Documents for pretraining stay the same while a cell waits to run",
            received=f"{path}, which has changed since the plan",
            remedy="Run the command again",
        )
    task: Task = context.task
    return task.encode_raw(read_documents(path), context.cell.sequence_length, data.spec)


METHOD = Pretrain()
