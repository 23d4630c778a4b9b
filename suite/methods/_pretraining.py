"""A task's texts, or a user's documents, with an objective of pretraining."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.api import (
    IDENTITY,
    Examples,
    Form,
    Inputs,
    Metric,
    Options,
    RawText,
    Score,
    SourceRequest,
    Task,
    TaskData,
    digest_paths,
    read_text,
)

if TYPE_CHECKING:
    import numpy as np

BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")
SPANS, INFILLING = "spans", "infilling"
TEXT_FEATURES = ("token_ids", "padding_mask", "global_mask")
"""The features of token ids that pretraining takes; the others belong to the task's targets."""


class PretrainingTask(Task):
    """The texts of a task, encoded by the task, with the objective of the task's form.

    Encoders predict masked tokens, decoders the next token, and encoder-decoders hidden spans
    (`_corruption.py`). Encoders of words that have several features predict the ids of masked
    words. `options` are those of the method. Labels and other targets are not used.
    """

    primary_metric = Metric("nats_per_token", higher_is_better=False)
    other_metrics = (
        Metric("accuracy", share=True),
        Metric("next_sentence_accuracy", share=True),
    )

    def __init__(self, task: Task, options: Options) -> None:
        from suite.methods._corruption import NUM_SENTINELS

        self._task, self._pretraining = task, options
        self.version, self.title, self.summary = task.version, task.title, task.summary
        self.form, self.inputs, self.position = task.form, task.inputs, task.position
        self.default_lengths, self.scored_unit = task.default_lengths, task.scored_unit
        self.default_source, self.sources = task.default_source, task.sources
        self.options, self.open_options = task.options, task.open_options
        self.recipe = replace(task.recipe, learning_rate=options["learning_rate"])
        self.contiguous, self.length_buckets = task.contiguous, task.length_buckets
        self.max_global_tokens, self.hideable = task.max_global_tokens, task.hideable
        self.raw_example = task.raw_example
        in_spans = task.form is Form.ENCODER_DECODER and options["corruption"] == SPANS
        masks = 0 if task.form is Form.DECODER else 1
        self._pairs = options["next_sentence"]
        self.added_token_ids = NUM_SENTINELS if in_spans else masks + self._pairs
        self._in_words = task.inputs is Inputs.EMBEDDINGS

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        return self._task.inspect(request, options)

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        return self._task.load(request, sequence_length, options)

    def inputs_for(self, options: Options) -> Inputs:
        return self._task.inputs_for(options)

    def unsupported_reason(self, sequence_length: int, options: Options) -> str | None:
        return self._task.unsupported_reason(sequence_length, options)

    def encode_raw(
        self, texts: Sequence[str], sequence_length: int, spec: Mapping[str, Any]
    ) -> Examples:
        return self._task.encode_raw(texts, sequence_length, spec)

    def build_embedding(self, spec: Mapping[str, Any], width: int) -> Any:
        return self._task.build_embedding(spec, width)

    def text_of(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return the features of the texts alone."""
        names = features if self._in_words else TEXT_FEATURES
        return {name: features[name] for name in names if name in features}

    def corrupt(
        self, features: Mapping[str, Any], spec: Mapping[str, Any], generator: np.random.Generator
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the features that the model gets for some texts, and its targets.

        The targets are `ids`, (batch, k), and `scored`, whether each counts. With next-sentence
        prediction, they are those of `mask_pairs`.
        """
        import numpy as np

        from suite.methods import _corruption

        text, share = self.text_of(features), self._pretraining["share"]
        if self._in_words:
            return _corruption.mask_words(
                {name: np.asarray(values) for name, values in text.items()},
                self._task.token_ids_of(spec)[0],
                lambda words, hidden: self._task.hide_tokens(
                    words, dict.fromkeys(self.hideable, hidden), spec
                ),
                share,
                generator,
            )
        token_ids, mask = (np.asarray(text[name]) for name in TEXT_FEATURES[:2])
        size = spec["vocabulary_size"]
        if self._pairs:
            return _corruption.mask_pairs(token_ids, mask, share, size, generator)
        if self.form is Form.ENCODER:
            corrupted, targets = _corruption.mask_tokens(token_ids, mask, share, size, generator)
        elif self.form is Form.DECODER:
            corrupted, targets = _corruption.next_tokens(token_ids, mask)
        else:
            is_spans = self._pretraining["corruption"] == SPANS
            corrupt = _corruption.corrupt_spans if is_spans else _corruption.infill
            start_id = self._task.generation.start_id if self._task.generation else 0
            corrupted, targets = _corruption.fill_pairs(
                token_ids,
                mask,
                start_id,
                lambda tokens: corrupt(tokens, share, self._pretraining["span"], size, generator),
            )
        return {**text, **corrupted}, targets

    def build_head(self, spec: Mapping[str, Any]) -> Any:
        from suite.methods._token_head import TokenHead, WordHead

        return WordHead(self._task.token_ids_of(spec)[1]) if self._in_words else TokenHead()

    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the mean cross-entropy of the scored tokens, plus that of the pairs."""
        from keras import ops

        sums = ops.sum(self.predict(outputs, targets, features), axis=0)
        loss = sums[0] / ops.maximum(sums[2], 1.0)
        return loss + sums[3] / ops.maximum(sums[5], 1.0) if self._pairs else loss

    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return each example's nats, hits and number of scored tokens: (batch, 3).

        With next-sentence prediction, those of its pair follow: (batch, 6). The scores of the two
        added ids, mask and joint, at the joint say whether the second piece follows.
        """
        from keras import ops

        if not self._pairs:
            return _counted(outputs, targets["ids"], targets["scored"])
        tokens = _counted(outputs[:, :-1], targets["ids"], targets["scored"])
        follows, paired = (ops.expand_dims(targets[name], 1) for name in ("follows", "paired"))
        pairs = _counted(outputs[:, -1:, -2:], ops.cast(follows, "int32"), paired)
        return ops.concatenate([tokens, pairs], axis=1)

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Average over all scored tokens, and over all pairs."""
        nats, hits, count, *pairs = predictions.astype("float64").sum(axis=0)
        metrics = {"nats_per_token": float(nats / count), "accuracy": float(hits / count)}
        reports = {"scored_tokens": int(count)}
        if pairs:
            _, right, num_pairs = pairs
            metrics["next_sentence_accuracy"] = float(right / max(num_pairs, 1))
            reports["scored_pairs"] = int(num_pairs)
        return Score(metrics, reports)


def hides_tokens(task: Task, inputs: Inputs) -> bool:
    """Return whether a task's tokens can be hidden, which an architecture gets as `inputs`."""
    if inputs is not task.inputs:  # an option of the task embeds the tokens in another way
        return False
    return inputs is Inputs.TOKEN_IDS or (
        inputs is Inputs.EMBEDDINGS and task.form is Form.ENCODER and IDENTITY in task.hideable
    )


def encodes_plain_text(task: Task) -> bool:
    """Return whether a task encodes raw texts without marks; an objective does if its task does."""
    task = task._task if isinstance(task, PretrainingTask) else task
    has_marks = task.raw_example != RawText.raw_example
    return type(task).encode_raw is not RawText.encode_raw and not has_marks


def read_documents(path: str) -> list[str]:
    """Return the documents of a file: blank lines separate them, or else each line is one."""
    text = read_text(Path(path).expanduser()).strip()
    parts = BLANK_LINES.split(text) if BLANK_LINES.search(text) else text.split("\n")
    return [" ".join(part.split()) for part in parts]


def digest_documents(path: str) -> str:
    return digest_paths([Path(path).expanduser()])


def _counted(outputs: Any, ids: Any, scored: Any) -> Any:
    """Return the nats, the hits and the number of scored ids of each example: (batch, 3)."""
    from keras import ops

    nats = ops.sparse_categorical_crossentropy(ids, outputs, from_logits=True)
    hits = ops.equal(ops.argmax(outputs, axis=-1), ops.cast(ids, "int32"))
    counted = (ops.cast(part, "float32") for part in (nats, hits, ops.ones_like(hits)))
    return ops.stack([ops.sum(ops.where(scored, part, 0.0), axis=1) for part in counted], axis=1)
