"""CoNLL-2003 from TensorFlow Datasets."""

from __future__ import annotations

from suite.api import SourceRequest
from tasks.common.tfds import describe_prepared, open_prepared
from tasks.ner.tagged_text import Corpus, build_corpus

NAME = "conll2003"
COLUMNS = ("pos", "chunks")
"""The features that the data set has besides words and tags."""
SPLITS = {"train": "train", "validation": "dev", "test": "test"}
BATCH_SIZE = 1_024

Sentences = list[tuple[list[str], list[str]]]


def read_conll(request: SourceRequest, with_columns: bool) -> Corpus:
    """Read the prepared data set, optionally with part of speech and chunk of each word."""
    sentences, columns = _read_splits(request)
    facts = {
        "neighbours": "unrelated: the data set stores its sentences in shuffled order",
        **describe_prepared(NAME, request),
    }
    return build_corpus(sentences, facts, columns if with_columns else None)


def _read_splits(
    request: SourceRequest,
) -> tuple[dict[str, Sentences], dict[str, list[list[str]]]]:
    """Return the sentences of each split, and the columns of each word."""
    builder = open_prepared(NAME, request)
    tag_names, *column_names = (
        builder.info.features[feature].feature.names for feature in ("ner", *COLUMNS)
    )
    splits = {}
    columns: dict[str, list[list[str]]] = {}
    for split, tfds_split in SPLITS.items():
        dataset = builder.as_dataset(split=tfds_split, shuffle_files=False)
        rows = dataset.map(
            lambda example: tuple(example[name] for name in ("tokens", "ner", *COLUMNS))
        )
        sentences: Sentences = []
        columns[split] = []
        for batch in rows.ragged_batch(BATCH_SIZE):
            for words, tags, *ids in zip(*(part.to_list() for part in batch), strict=True):
                if words:
                    sentences.append(
                        ([word.decode() for word in words], [tag_names[tag] for tag in tags])
                    )
                    columns[split] += [
                        [names[id_] for names, id_ in zip(column_names, word_ids, strict=True)]
                        for word_ids in zip(*ids, strict=True)
                    ]
        splits[split] = sentences
    return splits, columns
