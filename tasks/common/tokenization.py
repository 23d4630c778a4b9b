"""Tokenizers: bytes, or characters and subwords that are learned from the training split."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suite.api import RequestError, SourceRequest, atomic_write_bytes
from tasks.common.options import check_range

PADDING, UNKNOWN, START, END = range(4)
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[START]", "[END]")
FIRST_TEXT_ID = len(SPECIAL_TOKENS)
"""Lower ids are special tokens."""
UNITS = ("subwords", "bytes", "characters", "preset")
MIN_VOCABULARY = 100
TEXTS_AT_ONCE = 256
"""The most texts whose places are found at once, since the library's results take much memory."""
SPACE = "\u2581"
"""The character by which subwords and SentencePiece write a space."""


class Tokenizer(ABC):
    """A mapping between texts and token ids."""

    vocabulary_size: int
    fingerprint: str
    given: str = ""
    """The fingerprint, if files of the user give the vocabulary; the data identifies others."""
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
        encoded = (text.encode("utf-8", "surrogatepass") for text in texts)
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
            counts.update(text)
        self._characters = sorted(counts)
        self._code_points = np.array([ord(character) for character in self._characters], np.int64)
        self.vocabulary_size = len(self._characters) + FIRST_TEXT_ID
        self.fingerprint = hashlib.sha256("".join(self._characters).encode()).hexdigest()

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the token ids of each text's characters."""
        return [self._encode(text) for text in texts]

    def _encode(self, text: str) -> np.ndarray:
        utf_32 = text.encode("utf-32-le", "surrogatepass")
        code_points = np.frombuffer(utf_32, np.uint32).astype(np.int64)
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
        return [b""] * FIRST_TEXT_ID + [
            text.encode() for text in replace_surrogates(self._characters)
        ]

    def state(self) -> str:
        """Return the known characters."""
        return "".join(self._characters)


class SubwordTokenizer(Tokenizer):
    """A token is a subword: byte-pair encoding after splitting at spaces and punctuation.

    Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", implemented
    by the `tokenizers` library.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.vocabulary_size = tokenizer.get_vocab_size()
        self.fingerprint = hashlib.sha256(tokenizer.to_str().encode()).hexdigest()

    def state(self) -> str:
        """Return the tokenizer as JSON, for `from_json`."""
        return str(self._tokenizer.to_str())

    @classmethod
    def from_json(cls, text: str) -> SubwordTokenizer:
        """Return the tokenizer that `state` serialized."""
        import tokenizers

        return cls(tokenizers.Tokenizer.from_str(text))

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the subword ids of each text."""
        encodings = self._tokenizer.encode_batch(replace_surrogates(texts))
        return [np.array(encoding.ids, np.int32) for encoding in encodings]

    def encode_with_places(self, texts: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the subword ids of each text, and the characters that each subword covers.

        The second array (subwords, 2) holds the first character of a subword and the one after its
        last. A subword may cover the space before it.
        """
        found = []
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            batch = replace_surrogates(texts[first : first + TEXTS_AT_ONCE])
            found += [
                (
                    np.array(encoding.ids, np.int32),
                    np.array(encoding.offsets, np.int32).reshape(-1, 2),
                )
                for encoding in self._tokenizer.encode_batch(batch)
            ]
        return found

    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Return the text of each row."""
        text_ids = [[int(token) for token in row if token >= FIRST_TEXT_ID] for row in rows]
        return list(self._tokenizer.decode_batch(text_ids))

    def pieces(self) -> list[bytes]:
        """Return each subword, with the space before it."""
        found = [b""] * self.vocabulary_size
        for subword, token in self._tokenizer.get_vocab().items():
            if token >= FIRST_TEXT_ID:
                found[token] = subword.replace(SPACE, " ").encode()
        return found

    def count_characters(self, token_ids: np.ndarray) -> np.ndarray:
        """Return the number of characters in each subword, including a leading space."""
        lengths = np.ones(self.vocabulary_size, np.int32)
        for subword, token in self._tokenizer.get_vocab().items():
            lengths[token] = 1 if token < FIRST_TEXT_ID else len(subword)
        counts: np.ndarray = lengths[token_ids]
        return counts


def learn_subwords(
    train_texts: Sequence[str], vocabulary_size: int, request: SourceRequest, *, lowercase: bool
) -> SubwordTokenizer:
    """Learn a subword tokenizer from the training split, or read it from the cache."""
    import tokenizers

    texts = replace_surrogates(train_texts)
    settings = [tokenizers.__version__, vocabulary_size, lowercase]
    digest = hashlib.sha256(json.dumps(settings).encode())
    for text in texts:
        digest.update(text.encode() + b"\0")
    cached = None
    if request.cache_dir:
        cached = Path(request.cache_dir) / f"subwords-{digest.hexdigest()[:16]}.json"
        if cached.exists():
            return SubwordTokenizer.from_json(cached.read_text(encoding="utf-8"))
    tokenizer = SubwordTokenizer(_train_byte_pairs(texts, vocabulary_size, lowercase))
    if cached:
        cached.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(cached, tokenizer.state().encode())
    return tokenizer


def replace_surrogates(texts: Sequence[str]) -> list[str]:
    """Return texts that UTF-8 can hold: a lone surrogate becomes a question mark."""
    return [text.encode("utf-8", "replace").decode() for text in texts]


def _train_byte_pairs(texts: Sequence[str], vocabulary_size: int, lowercase: bool) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL_TOKENS[UNKNOWN]))
    steps = [normalizers.NFKC(), *([normalizers.Lowercase()] if lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation("isolated")]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=list(SPECIAL_TOKENS),
        show_progress=False,
        limit_alphabet=1_000,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def build_tokenizer(
    options: Mapping[str, Any],
    train_texts: Sequence[str],
    request: SourceRequest,
    *,
    lowercase: bool = False,
) -> Tokenizer:
    """Return the tokenizer of the option `units`.

    Characters and subwords are learned from the training split; `lowercase` concerns subwords.
    """
    units = options["units"]
    if units == "bytes":
        return ByteTokenizer()
    if units == "characters":
        return CharacterTokenizer(train_texts)
    if units == "preset":
        from tasks.common.preset_tokenizer import PresetTokenizer

        return PresetTokenizer(options["preset"])
    return learn_subwords(train_texts, options["vocabulary"], request, lowercase=lowercase)


def describe_tokenizer(tokenizer: Tokenizer, options: Mapping[str, Any]) -> dict[str, str]:
    """Return what `tokenizer_of` needs, as JSON values for a task's spec."""
    return {"units": options.get("units", "subwords"), "state": tokenizer.state()}


def tokenizer_of(described: Mapping[str, str]) -> Tokenizer:
    """Return the tokenizer that `describe_tokenizer` described."""
    units, state = described["units"], described["state"]
    if units == "bytes":
        return ByteTokenizer()
    if units == "characters":
        return CharacterTokenizer([state])
    if units == "preset":
        from tasks.common.preset_tokenizer import PresetTokenizer

        return PresetTokenizer(state)
    return SubwordTokenizer.from_json(state)


def check_tokenizer_options(options: Mapping[str, Any]) -> None:
    """Check the options `vocabulary`, and `units` and `preset` if the task has them.

    Raises:
        RequestError: the units are unknown, the vocabulary is smaller than `MIN_VOCABULARY`, or
            there is no preset for units=preset, or one for other units.
    """
    units, preset = options.get("units", "subwords"), options.get("preset", "")
    if units not in UNITS:
        raise RequestError(
            f"The option 'units' must be one of {', '.join(UNITS)}", received=repr(units)
        )
    if units == "preset":
        from tasks.common.preset_tokenizer import check_preset

        check_preset(preset)
    elif preset:
        raise RequestError(
            "The option 'preset' needs units=preset: a preset knows the ids of its own tokens",
            received=f"preset={preset} and units={units}",
            remedy="Add --option units=preset",
        )
    check_range(options, "vocabulary", MIN_VOCABULARY)


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
