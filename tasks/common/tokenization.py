"""Tokenizers: what all have in common, bytes, and characters of the training split."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum

import numpy as np

PADDING, UNKNOWN, START, END = range(4)
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[START]", "[END]")
FIRST_TEXT_ID = len(SPECIAL_TOKENS)
"""Lower ids are special tokens."""
SPACE = "\u2581"
"""The character by which subwords and SentencePiece write a space."""


class Purpose(Enum):
    """The use of a text, which decides what its subwords keep of it."""

    READ = "read"
    """The text is only read: compatibility characters and capitals need not be distinguished."""
    MARK = "mark"
    """A span of the text is an answer, and the subwords end where answers may end."""
    WRITE = "write"
    """The text is written: no character of the training split is changed or left out."""


class Tokenizer(ABC):
    """A mapping between texts and token ids."""

    vocabulary_size: int
    fingerprint: str
    given: str = ""
    """The fingerprint of a vocabulary from the user's files; the data identifies other
    vocabularies."""
    unknown_id: int = UNKNOWN

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the token ids of each text."""

    @abstractmethod
    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Return the text of each row of token ids, without special tokens."""

    @abstractmethod
    def pieces(self) -> list[bytes]:
        """Return the UTF-8 bytes that each token adds to a text; special tokens add none.

        A byte of a character may be a token, so only the bytes of several tokens make a text.
        """

    @abstractmethod
    def state(self) -> str:
        """Return the text from which `tokenizer_of` makes the tokenizer again."""

    def count_characters(self, token_ids: np.ndarray) -> np.ndarray:
        """Return the number of characters in each token."""
        return np.ones(len(token_ids), np.int32)


class ByteTokenizer(Tokenizer):
    """A token is a byte of UTF-8."""

    vocabulary_size = 256 + FIRST_TEXT_ID
    fingerprint = "bytes"

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the bytes of each text, shifted by the number of special tokens."""
        encoded = (text.encode("utf-8", "replace") for text in texts)
        return [
            np.frombuffer(content, np.uint8).astype(np.int32) + FIRST_TEXT_ID for content in encoded
        ]

    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Return the text of each row; invalid UTF-8 is replaced."""
        return [
            bytes(token - FIRST_TEXT_ID for token in row if token >= FIRST_TEXT_ID).decode(
                "utf-8", "replace"
            )
            for row in rows
        ]

    def pieces(self) -> list[bytes]:
        """Return each byte."""
        return [b""] * FIRST_TEXT_ID + [bytes([value]) for value in range(256)]

    def state(self) -> str:
        """Return an empty text: all byte tokenizers are equal."""
        return ""

    def count_characters(self, token_ids: np.ndarray) -> np.ndarray:
        """Return 1 for the first byte of a character and 0 for its other bytes."""
        is_first_byte: np.ndarray = ((token_ids - FIRST_TEXT_ID) & 0xC0) != 0x80
        return is_first_byte.astype(np.int32)


class CharacterTokenizer(Tokenizer):
    """A token is a character of the training split; other characters are unknown."""

    def __init__(self, train_texts: Iterable[str]) -> None:
        counts: Counter[str] = Counter()
        for text in train_texts:
            counts.update(replace_surrogates([text])[0])
        self._characters = sorted(counts)
        self._code_points = np.array([ord(character) for character in self._characters], np.int64)
        self.vocabulary_size = len(self._characters) + FIRST_TEXT_ID
        self.fingerprint = hashlib.sha256("".join(self._characters).encode()).hexdigest()

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the token ids of each text's characters."""
        return [self._encode(text) for text in replace_surrogates(texts)]

    def _encode(self, text: str) -> np.ndarray:
        code_points = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.int64)
        indices = np.searchsorted(self._code_points, code_points)
        indices = indices.clip(max=len(self._code_points) - 1)
        known = self._code_points[indices] == code_points
        return np.where(known, indices + FIRST_TEXT_ID, UNKNOWN).astype(np.int32)

    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Return the text of each row."""
        return [
            "".join(
                self._characters[token - FIRST_TEXT_ID] for token in row if token >= FIRST_TEXT_ID
            )
            for row in rows
        ]

    def pieces(self) -> list[bytes]:
        """Return each character."""
        return [b""] * FIRST_TEXT_ID + [text.encode() for text in self._characters]

    def state(self) -> str:
        """Return the known characters."""
        return "".join(self._characters)


def replace_surrogates(texts: Sequence[str]) -> list[str]:
    """Return texts that UTF-8 can hold: a lone surrogate becomes a question mark."""
    return [text.encode("utf-8", "replace").decode() for text in texts]


def cut_and_pad(
    rows: Sequence[np.ndarray], length: int, *, from_end: int = 0
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return token ids and padding mask of shape (rows, length), and the number of rows cut.

    A longer row is cut in its middle: its beginning and its last `from_end` ids remain. An empty
    row becomes one unknown token, since every example needs a real position.
    """
    token_ids = np.zeros((len(rows), length), np.int32)
    mask = np.zeros((len(rows), length), bool)
    num_cut = 0
    for index, row in enumerate(rows):
        if len(row) > length:
            num_cut += 1
            row = np.concatenate([row[: length - from_end], row[len(row) - from_end :]])
        kept = row if len(row) else np.array([UNKNOWN], np.int32)
        token_ids[index, : len(kept)] = kept
        mask[index, : len(kept)] = True
    return token_ids, mask, num_cut
