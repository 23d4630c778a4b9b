"""Words in rows of token ids, for text in which some words are replaced, dropped or moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from suite.api import ChangeWords
from tasks.common.tokenization import Tokenizer


@dataclass(frozen=True, slots=True)
class _Word:
    """A word with the white space before it: its ids and its text."""

    ids: np.ndarray
    text: str

    @property
    def stripped(self) -> str:
        return self.text.lstrip()

    @property
    def space(self) -> str:
        return self.text[: len(self.text) - len(self.stripped)]


def disturb_rows(
    rows: Sequence[np.ndarray], change: ChangeWords, tokenizer: Tokenizer
) -> list[np.ndarray]:
    """Return rows of token ids whose words `change` replaced, dropped or moved.

    A word ends before white space. A word is encoded again if its text changes, or if it now
    follows another word without white space between them. All other words keep their ids.
    """
    pieces = tokenizer.pieces()
    begins = np.array([piece[:1].isspace() for piece in pieces])
    blank = np.array([piece.isspace() for piece in pieces])
    kept: list[list[np.ndarray | None]] = []
    changed: list[str] = []
    for row in rows:
        words = _words(row, pieces, begins, blank)
        parts: list[np.ndarray | None] = []
        for place, text in change([word.stripped for word in words]):
            word = words[place]
            space = word.space or (" " if parts else "")
            if text == word.stripped and space == word.space:
                parts.append(word.ids)
            else:
                parts.append(None)
                changed.append(space + text)
        kept.append(parts)
    encoded = iter(tokenizer.encode(changed) if changed else ())
    empty = np.empty(0, np.int32)
    return [
        np.concatenate([empty, *(next(encoded) if part is None else part for part in parts)])
        for parts in kept
    ]


def _words(
    row: np.ndarray, pieces: Sequence[bytes], begins: np.ndarray, blank: np.ndarray
) -> list[_Word]:
    """Cut a row before each token that begins with white space and follows another token."""
    if not len(row):
        return []
    starts = begins[row]
    starts[1:] &= ~blank[row[:-1]]  # white space of several tokens belongs to one word
    starts[0] = True
    ends = [*np.flatnonzero(starts)[1:].tolist(), len(row)]
    found = []
    start = 0
    for end in ends:
        ids = row[start:end]
        text = b"".join(pieces[token] for token in ids.tolist()).decode("utf-8", "replace")
        found.append(_Word(ids, text))
        start = end
    return found
