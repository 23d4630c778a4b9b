"""Stretches of documents: an update sees the same ones at every sequence length.

A stretch is a run of consecutive tokens of one document. At a sequence length n it is cut into
windows of n tokens, so that models of all lengths train on the same tokens in the same update, and
are scored on the same targets. Only the visible context differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from suite.api import DataError, Examples
from tasks.common.tokenization import Tokenizer
from tasks.language_modeling.documents import Documents, by_digest

HELD_OUT_SHARE = 0.05
"""The share of the stretches that becomes validation, and also test, up to a maximum."""
MOST_HELD_OUT = 64
"""The most stretches that are held out: 262,144 tokens in stretches of 4,096."""
DOCUMENTS_PER_STRETCH = 5 / 8
"""The documents that are held out for each stretch, so that 64 stretches come from 40 documents."""
RECURRING_TOKENS = 8
"""The tokens whose earlier occurrence helps to predict the next one."""
FAR = 256
"""A recurrence is far if the tokens occurred last more than this many positions ago."""


def hold_out_documents(documents: Documents, stretch: int) -> Documents:
    """Return documents with the splits that are missing, each taken from train as a whole.

    Documents that may hold a stretch are drawn by their contents. A split gets about
    `HELD_OUT_SHARE` of the stretches, and no more documents than `MOST_HELD_OUT` stretches need.

    Raises:
        DataError: no document of a split can hold a stretch, or train has too few documents.
    """
    for split, texts in documents.items():
        if not any(len(text.encode("utf-8", "surrogatepass")) > stretch for text in texts):
            raise _too_short(split, stretch, len(texts), max(map(len, texts), default=0))
    missing = [split for split in ("validation", "test") if split not in documents]
    train = documents["train"]
    stretches = [(len(text) - 1) // stretch for text in train]
    wanted = min(MOST_HELD_OUT, max(1, round(HELD_OUT_SHARE * sum(stretches))))
    order = [index for index in by_digest(train) if stretches[index]]
    found, left = dict(documents), set(range(len(train)))
    for split in missing:
        taken: list[int] = []
        while order and (
            len(taken) < DOCUMENTS_PER_STRETCH * wanted
            or sum(stretches[index] for index in taken) < wanted
        ):
            taken.append(order.pop())
        found[split] = [train[index] for index in taken]
        left -= set(taken)
    if missing and not order:
        raise DataError(
            f"{' and '.join(missing)} are made of whole documents of train: it needs more of them",
            received=f"{sum(map(bool, stretches))} documents with more than {stretch:,} characters",
            remedy="Give more documents, or a file or folder for each split",
        )
    return {**found, "train": [train[index] for index in sorted(left)]}


def encode_documents(
    split: str, texts: Sequence[str], tokenizer: Tokenizer, stretch: int
) -> list[np.ndarray]:
    """Return the token ids of the documents of a split that hold a stretch.

    Raises:
        DataError: no document holds a stretch and the token after it.
    """
    encoded = tokenizer.encode(texts)
    long = [token_ids for token_ids in encoded if len(token_ids) > stretch]
    if not long:
        raise _too_short(split, stretch, len(encoded), max(map(len, encoded)))
    return long


def _too_short(split: str, stretch: int, count: int, longest: int) -> DataError:
    return DataError(
        f"With stretch={stretch}, a document has more than {stretch:,} tokens",
        received=f"{count} documents of {split}, the longest of {longest:,}",
        remedy="Give longer documents, or a smaller stretch",
    )


def cut_stretches(
    documents: Sequence[np.ndarray],
    tokenizer: Tokenizer,
    stretch: int,
    length: int,
    most: int | None = None,
    *,
    marks_recurrences: bool = False,
) -> Examples:
    """Cut documents into stretches and these into windows of `length` tokens.

    With `most`, only that many stretches are taken: the first of each document, then the second,
    and so on. `targets` has the numbers of stretch and document of each window, and with
    `marks_recurrences` the places of `follows_far_recurrence`.
    """
    places = [
        (number, document)
        for document, ids in enumerate(documents)
        for number in range((len(ids) - 1) // stretch)
    ]
    places = sorted(places)[:most] if most is not None else places
    tokens = np.stack(
        [
            documents[document][number * stretch : (number + 1) * stretch + 1]
            for number, document in places
        ]
    )
    windows = stretch // length

    def cut(values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(values.reshape(-1, length))

    inputs, targets = cut(tokens[:, :-1]), cut(tokens[:, 1:])
    characters = tokenizer.count_characters(targets.reshape(-1)).reshape(targets.shape)
    marks = {}
    if marks_recurrences:
        marks = {"after_far_recurrence": cut(follows_far_recurrence(tokens[:, :-1]))}
    return Examples(
        {"token_ids": inputs, "padding_mask": np.ones(inputs.shape, bool)},
        {
            "next_ids": targets,
            "characters": characters,
            "stretch": np.repeat(np.arange(len(places), dtype=np.int32), windows),
            "document": np.repeat(
                np.array([document for _, document in places], np.int32), windows
            ),
            **marks,
        },
    )


def follows_far_recurrence(token_ids: np.ndarray) -> np.ndarray:
    """Return after which tokens of each row the last ones recur from afar: (rows, n), booleans.

    True where the last `RECURRING_TOKENS` tokens occurred before in the row, most recently more
    than `FAR` positions ago. Only a model that sees farther can look up what followed them.
    """
    found = np.zeros(token_ids.shape, bool)
    for row, ids in enumerate(token_ids):
        content = ids.astype(np.int32).tobytes()
        seen: dict[bytes, int] = {}
        for last in range(RECURRING_TOKENS - 1, len(ids)):
            gram = content[4 * (last - RECURRING_TOKENS + 1) : 4 * (last + 1)]
            found[row, last] = last - seen.get(gram, last) > FAR
            seen[gram] = last
    return found


def draw_updates(
    targets: Mapping[str, np.ndarray], batch_size: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield the rows of each update, without end: whole stretches of different documents.

    The stretches of an epoch are drawn without replacement. Their order does not depend on the
    sequence length. If an update has more stretches than there are documents, the numbers of
    stretches of two documents differ by at most one.
    """
    _, first_rows, windows = np.unique(
        np.asarray(targets["stretch"]), return_index=True, return_counts=True
    )
    num_windows = int(windows.max())
    first_rows = first_rows[windows == num_windows]
    documents = np.asarray(targets["document"])[first_rows].tolist()
    per_update = batch_size // num_windows
    most = -(-per_update // len(set(documents)))
    waiting: list[int] = []
    while True:
        waiting += generator.permutation(len(first_rows)).tolist()
        while chosen := _next_update(waiting, documents, per_update, most):
            rows = first_rows[chosen][:, None] + np.arange(num_windows)
            yield rows.reshape(-1)


def _next_update(
    waiting: list[int], documents: Sequence[int], per_update: int, most: int
) -> list[int]:
    """Take the next stretches from those waiting; none if too few documents are left."""
    taken: list[int] = []
    counts: dict[int, int] = {}
    for place, stretch in enumerate(waiting):
        document = documents[stretch]
        if counts.get(document, 0) < most:
            counts[document] = counts.get(document, 0) + 1
            taken.append(place)
            if len(taken) == per_update:
                chosen = [waiting[place] for place in taken]
                for place in reversed(taken):
                    del waiting[place]
                return chosen
    return []
