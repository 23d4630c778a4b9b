"""Subwords: byte-pair encoding that is learned from the training split."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suite.api import SourceRequest, atomic_write_bytes
from tasks.common.scripts import HANGUL, WITHOUT_SPACES
from tasks.common.tokenization import (
    FIRST_TEXT_ID,
    SPACE,
    SPECIAL_TOKENS,
    UNKNOWN,
    Purpose,
    Tokenizer,
    replace_surrogates,
)

TEXTS_AT_ONCE = 256
"""The most texts whose places are found at once, since the library's results take much memory."""
MAX_READ_CHARACTERS = 1_000
"""The most single characters in a vocabulary of subwords that are not written."""
WRITTEN_SPACE = "\ufdd0"
"""The private character of Unicode that replaces `SPACE` in a written text."""
WHITE_SPACE = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u1680\u2028\u2029"
"""The white space that is not a form of the space."""
ANSWER_BOUNDARIES = rf"[\s\p{{Sc}}\p{{Sm}}{WITHOUT_SPACES}{HANGUL}]"
"""The characters before and after which an answer may begin or end, apart from punctuation."""
UNSEEN = "\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
"""Further such characters, which few texts have: controls, zero-width spaces, and the marks of a
direction of writing."""

LONG_WORD = re.compile(r"\S{1000}")
"""Longer words are cut where subwords are learned: the time grows with the square of a word."""


class SubwordTokenizer(Tokenizer):
    """A token is a subword: byte-pair encoding after splitting at spaces and punctuation.

    Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", implemented
    by the `tokenizers` library. The name of a special token is ordinary text if it occurs in a
    text.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True
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
        last. A subword may cover the space before it. The marks that normalization composes with a
        letter belong to the letter's subword.
        """
        found = []
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            batch = replace_surrogates(texts[first : first + TEXTS_AT_ONCE])
            for text, encoding in zip(batch, self._tokenizer.encode_batch(batch), strict=True):
                places = np.array(encoding.offsets, np.int32).reshape(-1, 2)
                nexts = np.append(places[1:, 0], len(text))[: len(places)]
                places[:, 1] = np.maximum(places[:, 1], nexts)
                found.append((np.array(encoding.ids, np.int32), places))
        return found

    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Return the text of each row."""
        text_ids = [[int(token) for token in row if token >= FIRST_TEXT_ID] for row in rows]
        return [
            text.replace(WRITTEN_SPACE, SPACE) for text in self._tokenizer.decode_batch(text_ids)
        ]

    def pieces(self) -> list[bytes]:
        """Return each subword, with the space before it."""
        found = [b""] * self.vocabulary_size
        for subword, token in self._tokenizer.get_vocab().items():
            if token >= FIRST_TEXT_ID:
                found[token] = subword.replace(SPACE, " ").replace(WRITTEN_SPACE, SPACE).encode()
        return found

    def count_characters(self, token_ids: np.ndarray) -> np.ndarray:
        """Return the number of characters in each subword, including a leading space."""
        lengths = np.ones(self.vocabulary_size, np.int32)
        for subword, token in self._tokenizer.get_vocab().items():
            lengths[token] = 1 if token < FIRST_TEXT_ID else len(subword)
        counts: np.ndarray = lengths[token_ids]
        return counts

    def count_rewritten(self, texts: Iterable[str]) -> int:
        """Return the number of texts that come back otherwise, apart from white space."""
        texts = list(texts)
        written = self.decode([ids.tolist() for ids in self.encode(texts)])
        return sum(
            text.split() != other.split() for text, other in zip(texts, written, strict=True)
        )


def learn_subwords(
    train_texts: Sequence[str], vocabulary_size: int, request: SourceRequest, purpose: Purpose
) -> SubwordTokenizer:
    """Learn a subword tokenizer from the training split, or read it from the cache."""
    import tokenizers

    texts = [LONG_WORD.sub(r"\g<0> ", text) for text in replace_surrogates(train_texts)]
    boundaries = ANSWER_BOUNDARIES
    if purpose is Purpose.MARK and any(map(re.compile(f"[{UNSEEN}]").search, texts)):
        boundaries = f"[{UNSEEN}]|{boundaries}"  # other texts keep their vocabulary
    untrained = _untrained(purpose, boundaries)
    settings = f"{tokenizers.__version__} {vocabulary_size} {untrained.to_str()}"
    digest = hashlib.sha256(settings.encode())
    for text in texts:
        digest.update(text.encode() + b"\0")
    cached = None
    if request.cache_dir:
        cached = Path(request.cache_dir) / f"subwords-{digest.hexdigest()[:16]}.json"
        if cached.exists():
            return SubwordTokenizer.from_json(cached.read_text(encoding="utf-8"))
    tokenizer = SubwordTokenizer(_train(untrained, texts, vocabulary_size, purpose))
    if cached:
        cached.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(cached, tokenizer.state().encode())
    return tokenizer


def _untrained(purpose: Purpose, boundaries: str) -> Any:
    """Return byte-pair encoding without merges, and what comes before and after it."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL_TOKENS[UNKNOWN]))
    steps = [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation("isolated")]
    if purpose is Purpose.WRITE:
        kept = [
            normalizers.Replace(Regex(r"\p{Zs}"), " "),
            normalizers.Replace(SPACE, WRITTEN_SPACE),
        ]
        tokenizer.normalizer = normalizers.Sequence(kept)
    else:
        forms = [normalizers.NFKC(), normalizers.Lowercase()]
        tokenizer.normalizer = normalizers.Sequence(forms)
    if purpose is Purpose.MARK:
        steps.append(pre_tokenizers.Split(Regex(boundaries), "isolated"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def _train(tokenizer: Any, texts: Sequence[str], vocabulary_size: int, purpose: Purpose) -> Any:
    from tokenizers import Regex, normalizers, trainers

    writes = purpose is Purpose.WRITE
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=list(SPECIAL_TOKENS),
        show_progress=False,
        limit_alphabet=vocabulary_size if writes else MAX_READ_CHARACTERS,
    )
    tokenizer.train_from_iterator(texts, trainer)
    vocabulary = tokenizer.get_vocab()
    absent = [character for character in WHITE_SPACE if character not in vocabulary]
    if writes and absent:  # another split may have them, and any white space separates words
        spaces = normalizers.Replace(Regex(f"[{''.join(absent)}]"), " ")
        tokenizer.normalizer = normalizers.Sequence([spaces, tokenizer.normalizer])
    return tokenizer
