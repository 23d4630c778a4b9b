"""Texts as token ids: characters, bytes or subwords learned from the training split."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suite.api import SourceRequest
from suite.api.errors import RequestError
from tasks.common.options import check_range

PADDING, UNKNOWN, START, END = range(4)
SPECIAL = ("[PAD]", "[UNK]", "[START]", "[END]")
UNITS = ("subwords", "bytes", "characters")
MIN_VOCABULARY = 100


class Units:
    """How a text becomes ids; the first four ids stand for no text."""

    vocabulary_size: int
    fingerprint: str

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return each text's ids."""
        raise NotImplementedError

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Return the texts of ids."""
        raise NotImplementedError

    def characters_of(self, ids: np.ndarray) -> np.ndarray:
        """Return how many characters of text each id stands for."""
        return np.ones(len(ids), np.int32)


class Bytes(Units):
    """A token is a byte of UTF-8."""

    vocabulary_size = 256 + len(SPECIAL)
    fingerprint = "bytes"

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return each text's bytes, above the special ids."""
        encoded = (text.encode("utf-8", "surrogatepass") for text in texts)
        return [
            np.frombuffer(content, np.uint8).astype(np.int32) + len(SPECIAL) for content in encoded
        ]

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Return the texts; bytes that are no UTF-8 are replaced."""
        return [
            bytes(number - len(SPECIAL) for number in row if number >= len(SPECIAL)).decode(
                "utf-8", "replace"
            )
            for row in ids
        ]

    def characters_of(self, ids: np.ndarray) -> np.ndarray:
        """Count a character where its first byte stands."""
        first: np.ndarray = ((ids - len(SPECIAL)) & 0xC0) != 0x80
        return first.astype(np.int32)


class Characters(Units):
    """A token is a character that the training split has."""

    def __init__(self, train: Iterable[str]) -> None:
        counts: Counter[str] = Counter()
        for text in train:
            counts.update(text)
        self._characters = sorted(counts)
        self._codes = np.array([ord(character) for character in self._characters], np.int64)
        self.vocabulary_size = len(self._characters) + len(SPECIAL)
        self.fingerprint = hashlib.sha256("".join(self._characters).encode()).hexdigest()

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return each text's characters as ids."""
        return [self._encode(text) for text in texts]

    def _encode(self, text: str) -> np.ndarray:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
        places = np.searchsorted(self._codes, codes).clip(max=len(self._codes) - 1)
        known = self._codes[places] == codes
        return np.where(known, places + len(SPECIAL), UNKNOWN).astype(np.int32)

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Return the texts."""
        first = len(SPECIAL)
        return ["".join(self._characters[n - first] for n in row if n >= first) for row in ids]


class Subwords(Units):
    """A token is a piece of a word: byte-pair encoding over words split as BERT does.

    Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", through the
    `tokenizers` library. Texts are cut in front of spaces and around punctuation.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.vocabulary_size = tokenizer.get_vocab_size()
        self.fingerprint = hashlib.sha256(tokenizer.to_str().encode()).hexdigest()

    def to_json(self) -> str:
        """Write down all that `from_json` needs."""
        return str(self._tokenizer.to_str())

    @classmethod
    def from_json(cls, text: str) -> Subwords:
        """Return what was written down."""
        import tokenizers

        return cls(tokenizers.Tokenizer.from_str(text))

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return each text's pieces."""
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        return [np.array(found.ids, np.int32) for found in self._tokenizer.encode_batch(clean)]

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Return the texts."""
        rows = [[int(number) for number in row if number >= len(SPECIAL)] for row in ids]
        return list(self._tokenizer.decode_batch(rows))

    def characters_of(self, ids: np.ndarray) -> np.ndarray:
        """Count the characters of each piece, the space in front of a word too."""
        lengths = np.ones(self.vocabulary_size, np.int32)
        for piece, number in self._tokenizer.get_vocab().items():
            lengths[number] = 1 if number < len(SPECIAL) else len(piece)
        counts: np.ndarray = lengths[ids]
        return counts


def learn_subwords(
    train: Sequence[str], size: int, request: SourceRequest, *, lowercase: bool
) -> Subwords:
    """Learn pieces from the training split, or take those learned before from the same texts."""
    import tokenizers

    clean = [text.encode("utf-8", "replace").decode() for text in train]
    digest = hashlib.sha256(json.dumps([tokenizers.__version__, size, lowercase]).encode())
    for text in clean:
        digest.update(text.encode() + b"\0")
    kept = None
    if request.cache_dir:
        kept = Path(request.cache_dir) / f"subwords-{digest.hexdigest()[:16]}.json"
        if kept.exists():
            return Subwords(tokenizers.Tokenizer.from_file(str(kept)))
    tokenizer = _train(clean, size, lowercase)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        descriptor, aside = tempfile.mkstemp(dir=kept.parent, prefix=".making-")
        os.close(descriptor)
        tokenizer.save(aside)
        os.replace(aside, kept)
    return Subwords(tokenizer)


def _train(texts: Sequence[str], size: int, lowercase: bool) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL[UNKNOWN]))
    normal = [normalizers.NFKC(), *([normalizers.Lowercase()] if lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(normal)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation("isolated")]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), show_progress=False, limit_alphabet=1_000
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def find_units(
    name: str, train: Sequence[str], request: SourceRequest, size: int, *, lowercase: bool = False
) -> Units:
    """Return the units of that name, learned from the training split where they are learned."""
    if name == "bytes":
        return Bytes()
    if name == "characters":
        return Characters(train)
    return learn_subwords(train, size, request, lowercase=lowercase)


def check_units(options: Mapping[str, Any]) -> None:
    """Refuse `units` that there are not, and a `vocabulary` too small to hold an alphabet.

    Raises:
        RequestError: there are none of that name, or too few pieces.
    """
    if (name := options.get("units", "subwords")) not in UNITS:
        raise RequestError(f"The option 'units' is one of {', '.join(UNITS)}", received=repr(name))
    check_range(options, "vocabulary", MIN_VOCABULARY)


def lay(
    rows: Sequence[np.ndarray], length: int, *, from_end: int = 0
) -> tuple[np.ndarray, np.ndarray, int]:
    """Lay rows of ids into (rows, length) with a mask; longer ones are cut, and counted.

    Of a longer row the beginning is kept and the last `from_end` ids; what goes is between them.
    A row of nothing becomes one unknown token: every example has a real position.
    """
    token_ids = np.zeros((len(rows), length), np.int32)
    mask = np.zeros((len(rows), length), bool)
    cut = 0
    for index, row in enumerate(rows):
        if len(row) > length:
            cut += 1
            row = np.concatenate([row[: length - from_end], row[len(row) - from_end :]])
        kept = row if len(row) else np.array([UNKNOWN], np.int32)
        token_ids[index, : len(kept)] = kept
        mask[index, : len(kept)] = True
    return token_ids, mask, cut
