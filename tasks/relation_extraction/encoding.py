"""Token ids of sentences with two marked entities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.common.tokenization import Tokenizer, cut_and_pad
from tasks.relation_extraction.marked_text import MARKERS, split_at_markers


@dataclass(frozen=True, slots=True)
class EncodedSentences:
    """Sentences at a length n.

    `token_ids` and `mask` have shape (sentences, n). `entity_starts` (sentences, 2) are the
    positions of <e1> and <e2>. `distances` (sentences,) are the numbers of positions from the end
    of the first entity to the beginning of the second, before cutting. `num_cut` sentences were
    longer than n.
    """

    token_ids: np.ndarray
    mask: np.ndarray
    entity_starts: np.ndarray
    distances: np.ndarray
    num_cut: int


def encode_sentences(
    sentences: Sequence[str], tokenizer: Tokenizer, length: int
) -> EncodedSentences:
    """Encode sentences with a token for each marker; longer ones are cut around the entities.

    The ids of the markers follow those of the tokenizer.
    """
    marker_ids = np.arange(len(MARKERS), dtype=np.int32) + tokenizer.vocabulary_size
    ids_of = dict(zip(MARKERS, marker_ids, strict=True))
    parts = [split_at_markers(text) for text in sentences]
    texts = iter(tokenizer.encode([text.strip() for split in parts for text in split[::2]]))
    rows, distances = [], []
    num_cut = 0
    for split in parts:
        tokens = [
            np.array([ids_of[part]], np.int32) if number % 2 else next(texts)
            for number, part in enumerate(split)
        ]
        row = np.concatenate(tokens)
        places = np.cumsum([len(part) for part in tokens])[::2]
        distances.append(places[2] - places[1])
        rows.append(keep_entities(row, length, int(places[0]), int(places[3])))
        num_cut += len(row) > length
    token_ids, mask, _ = cut_and_pad(rows, length, from_end=length // 2)
    starts = [(token_ids == ids_of[name]).argmax(axis=1) for name in (MARKERS[0], MARKERS[2])]
    return EncodedSentences(
        token_ids,
        mask,
        np.stack(starts, axis=1).astype(np.int32),
        np.array(distances, np.int32),
        num_cut,
    )


def keep_entities(row: np.ndarray, length: int, first: int, last: int) -> np.ndarray:
    """Return at most `length` ids around those from `first` to `last`, or these if they are more.

    The context before and after has the same number of ids, as far as the row has them.
    """
    free = length - (last + 1 - first)
    if len(row) <= length or free <= 0:
        return row if len(row) <= length else row[first : last + 1]
    after = len(row) - (last + 1)
    start = first - min(first, max(free // 2, free - after))
    return row[start : start + length]
