"""Little data of every task, and the head for it."""

from __future__ import annotations

import keras
import pytest

from suite.api import SourceRequest
from suite.records.model_sizes import MODEL_SIZES
from tasks.listops.expressions import draw_expressions

WIDTH = MODEL_SIZES["tiny"].width

FEW_TEXTS = {"train": 600, "validation": 100, "test": 100}
FEWER_TEXTS = {"train": 200, "validation": 64, "test": 64}
LITTLE_DATA = {
    "tasks.translation.synthetic_pairs.PAIRS": {"train": 1_200, "validation": 200, "test": 400},
    "tasks.ner.synthetic_corpus.SIZES": {"train": 96, "validation": 64, "test": 96},
    "tasks.common.generated.MAX_EVALUATED": {"validation": 64, "test": 96},
}
"""The sizes of synthetic data sets that take seconds to encode."""


def load_little(task, length=None, options=None):
    """Load as `load` does, but little synthetic data."""

    def draw_few(sizes, *lengths):
        return draw_expressions({split: min(sizes[split], 200) for split in sizes}, *lengths)

    with pytest.MonkeyPatch.context() as patch:
        for name, sizes in LITTLE_DATA.items():
            patch.setattr(name, sizes)
        patch.setattr("tasks.listops.expressions.draw_expressions", draw_few)
        return load(task, length, options, FEWER_TEXTS)


def load(task, length=None, options=None, texts=FEW_TEXTS):
    """Load the default source, by default at its shortest length, with few examples if possible."""
    few = {name: 600 for name in ("train_examples",) if name in task.options}
    few |= options or {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.sentiment.synthetic_reviews.EXAMPLES", texts)
        patch.setattr("tasks.relation_extraction.synthetic_sentences.EXAMPLES", texts)
        return task.load(SourceRequest(task.default_source), length or task.default_lengths[0], few)


def build_head(task, data, table=None, width=WIDTH):
    head = task.build_head(data.spec)
    if hasattr(head, "tie"):
        table = table or keras.layers.Embedding(data.spec["vocabulary_size"], width)
        table.build()
        head.tie(table)
    return head
