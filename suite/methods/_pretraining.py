"""A task's texts with an objective of pretraining."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from suite.api import (
    Examples,
    Form,
    Inputs,
    Metric,
    Options,
    Score,
    SourceRequest,
    Task,
    TaskData,
)

if TYPE_CHECKING:
    import numpy as np

SPANS, INFILLING = "spans", "infilling"
TEXT_FEATURES = ("token_ids", "padding_mask", "global_mask")
"""The features of a task's examples that pretraining takes; the others belong to its targets."""


class PretrainingTask(Task):
    """The texts of a task, encoded by the task, with the objective of the task's form.

    Encoders predict masked tokens, decoders the next token, and encoder-decoders hidden spans
    (`_corruption.py`). `options` are those of the method. Labels and other targets are not used.
    """

    primary_metric = Metric("nats_per_token", higher_is_better=False)
    other_metrics = (Metric("accuracy", share=True),)

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
        self.max_global_tokens = task.max_global_tokens
        in_spans = task.form is Form.ENCODER_DECODER and options["corruption"] == SPANS
        masks = 0 if task.form is Form.DECODER else 1
        self.added_token_ids = NUM_SENTINELS if in_spans else masks

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Check the source as the task does."""
        return self._task.inspect(request, options)

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Encode the source as the task does."""
        return self._task.load(request, sequence_length, options)

    def inputs_for(self, options: Options) -> Inputs:
        """Return the kind of input that the task gives the architecture."""
        return self._task.inputs_for(options)

    def unsupported_reason(self, sequence_length: int, options: Options) -> str | None:
        """Return why the task's data does not fit a length, or None if it does."""
        return self._task.unsupported_reason(sequence_length, options)

    def text_of(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return the features of the texts alone."""
        return {name: features[name] for name in TEXT_FEATURES if name in features}

    def corrupt(
        self, features: Mapping[str, Any], spec: Mapping[str, Any], generator: np.random.Generator
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the features that the model gets for some texts, and its targets.

        The targets are `ids`, (batch, k), and `scored`, whether each counts.
        """
        import numpy as np

        from suite.methods import _corruption

        text = self.text_of(features)
        token_ids, mask = (np.asarray(text[name]) for name in TEXT_FEATURES[:2])
        share, size = self._pretraining["share"], spec["vocabulary_size"]
        if self.form is Form.ENCODER:
            found, targets = _corruption.mask_tokens(token_ids, mask, share, size, generator)
        elif self.form is Form.DECODER:
            found, targets = _corruption.next_tokens(token_ids, mask)
        else:
            is_spans = self._pretraining["corruption"] == SPANS
            corrupt = _corruption.corrupt_spans if is_spans else _corruption.infill
            start_id = self._task.generation.start_id if self._task.generation else 0
            found, targets = _corruption.fill_pairs(
                token_ids,
                mask,
                start_id,
                lambda tokens: corrupt(tokens, share, self._pretraining["span"], size, generator),
            )
        return {**text, **found}, targets

    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Build a head that scores token ids."""
        from suite.methods._token_head import TokenHead

        return TokenHead()

    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the mean cross-entropy of the scored tokens."""
        from keras import ops

        sums = ops.sum(self.predict(outputs, targets, features), axis=0)
        return sums[0] / ops.maximum(sums[2], 1.0)

    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return each example's nats, hits and number of scored tokens: (batch, 3)."""
        from keras import ops

        scored = ops.cast(targets["scored"], "float32")
        nats = ops.sparse_categorical_crossentropy(targets["ids"], outputs, from_logits=True)
        hits = ops.equal(ops.argmax(outputs, axis=-1), ops.cast(targets["ids"], "int32"))
        counted = (ops.cast(nats, "float32"), ops.cast(hits, "float32"), ops.ones_like(scored))
        return ops.stack([ops.sum(part * scored, axis=1) for part in counted], axis=1)

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Average over all scored tokens."""
        nats, hits, count = predictions.astype("float64").sum(axis=0)
        return Score(
            {"nats_per_token": float(nats / count), "accuracy": float(hits / count)},
            {"scored_tokens": int(count)},
        )
