"""Tagged text as arrays: a stream of words with tags, and its windows of up to N positions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

Sentence = tuple[Sequence[str], Sequence[str]]
"""The words of a sentence, and their tags in IOB2."""


@dataclass(frozen=True, slots=True)
class TaggedText:
    """One split as a stream: `words` and `tags` index the corpus's tables.

    `sentence_lengths` sum to the stream's length. `cue_distance` (where the source knows it) is
    how many words before a mention its cue stands, 0 elsewhere. `columns` (words, columns) is what
    else the source says of each word, as text.
    """

    words: np.ndarray
    tags: np.ndarray
    sentence_lengths: np.ndarray
    cue_distance: np.ndarray | None = None
    columns: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Corpus:
    """The splits of a source over one table of distinct words and one of tags ("O" first)."""

    words: Sequence[str]
    tags: Sequence[str]
    splits: Mapping[str, TaggedText]
    facts: Mapping[str, object] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Hash the raw examples in order: words, columns, tags, sentence ends of every split."""
        digest = hashlib.sha256()
        for name in sorted(self.splits):
            text = self.splits[name]
            ends = np.zeros(len(text.words), bool)
            ends[np.cumsum(text.sentence_lengths) - 1] = True
            columns = [()] * len(text.words) if text.columns is None else text.columns.tolist()
            lines = (
                "\t".join((self.words[word], *between, self.tags[tag])) + ("\n\n" if end else "\n")
                for word, between, tag, end in zip(
                    text.words, columns, text.tags, ends, strict=True
                )
            )
            digest.update(name.encode() + b"\n")
            digest.update("".join(lines).encode())
        return digest.hexdigest()


def build_corpus(
    splits: Mapping[str, Iterable[Sentence]],
    facts: Mapping[str, object] | None = None,
    columns: Mapping[str, Sequence[Sequence[str]]] | None = None,
) -> Corpus:
    """Collect sentences into a corpus; the tags' order is sorted, whatever the sentences'.

    `columns` has a row for each word of a split's stream.
    """
    words: dict[str, int] = {}
    found: dict[str, int] = {}
    streams = {}
    for name, sentences in splits.items():
        word_ids: list[int] = []
        tag_ids: list[int] = []
        lengths: list[int] = []
        for sentence, tags in sentences:
            word_ids += [words.setdefault(word, len(words)) for word in sentence]
            tag_ids += [found.setdefault(tag, len(found)) for tag in tags]
            lengths.append(len(sentence))
        streams[name] = (word_ids, tag_ids, lengths)
    names = ["O", *sorted(set(found) - {"O"})]
    renumbered = np.array([names.index(tag) for tag in found], dtype=np.int32)
    texts = {
        name: TaggedText(
            np.array(word_ids, np.int32),
            renumbered[np.array(tag_ids, np.int64)],
            np.array(lengths, np.int32),
            columns=np.array(columns[name]) if columns else None,
        )
        for name, (word_ids, tag_ids, lengths) in streams.items()
    }
    return Corpus(list(words), names, texts, facts or {})


@dataclass(frozen=True, slots=True)
class Windows:
    """Where each word of a stream lies when it is cut into windows: its row and its column."""

    row: np.ndarray
    column: np.ndarray
    num_windows: int
    length: int
    split_sentences: int

    def fill(self, values: np.ndarray, filler: int = 0) -> np.ndarray:
        """Lay the stream's values into (windows, length, …), with `filler` where nothing lies."""
        shape = (self.num_windows, self.length, *values.shape[1:])
        laid = np.full(shape, filler, dtype=values.dtype)
        laid[self.row, self.column] = values
        return laid

    def mask(self) -> np.ndarray:
        """Return (windows, length), True where a word lies."""
        return self.fill(np.ones(len(self.row), bool))


def pack(sentence_lengths: np.ndarray, length: int) -> Windows:
    """Cut a stream into windows of at most `length` words.

    Consecutive sentences share a window while they fit; one longer than `length` is cut into
    windows of its own, and counted. Every word lies in exactly one window, in the stream's order.
    """
    sizes: list[int] = []
    room = 0
    cut = 0
    for size in sentence_lengths.tolist():
        if size <= room:
            sizes[-1] += size
            room -= size
            continue
        cut += size > length
        pieces = [min(length, size - start) for start in range(0, size, length)]
        sizes += pieces
        room = length - pieces[-1]
    row = np.repeat(np.arange(len(sizes)), sizes)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    column = np.arange(len(row)) - starts[row]
    return Windows(row, column, len(sizes), length, cut)


def sentence_starts(sentence_lengths: np.ndarray) -> np.ndarray:
    """Return a flag for each word of the stream: whether a sentence begins there."""
    starts = np.zeros(int(sentence_lengths.sum()), bool)
    starts[np.concatenate([[0], np.cumsum(sentence_lengths)[:-1]])] = True
    return starts
