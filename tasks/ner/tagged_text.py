"""Tagged text as arrays: a stream of words with tags, and its cutting into windows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

Sentence = tuple[Sequence[str], Sequence[str]]
"""The words of a sentence, and their tags in IOB2."""


@dataclass(frozen=True, slots=True)
class TaggedText:
    """One split as a stream of words.

    `words` and `tags` index the corpus's tables. `sentence_lengths` sum to the stream's length.
    `cue_distance` is the number of words from a name back to its cue and 0 elsewhere; only
    generated text has it. `columns` (words, columns) holds further annotations of each word, as
    text.
    """

    words: np.ndarray
    tags: np.ndarray
    sentence_lengths: np.ndarray
    cue_distance: np.ndarray | None = None
    columns: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Corpus:
    """The splits of a source, with tables of the distinct words and tags ("O" comes first)."""

    words: Sequence[str]
    tags: Sequence[str]
    splits: Mapping[str, TaggedText]
    facts: Mapping[str, object] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Hash the raw examples in order: words, columns, tags and sentence ends of every split."""
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

    def count_shared_with_train(self) -> dict[str, int]:
        """Return for each other split how many distinct sentences also occur in train."""
        distinct = {}
        for name, text in self.splits.items():
            ends = np.cumsum(text.sentence_lengths)[:-1]
            distinct[name] = {sentence.tobytes() for sentence in np.split(text.words, ends)}
        train = distinct.pop("train")
        return {name: len(sentences & train) for name, sentences in distinct.items()}


def build_corpus(
    splits: Mapping[str, Iterable[Sentence]],
    facts: Mapping[str, object] | None = None,
    columns: Mapping[str, Sequence[Sequence[str]]] | None = None,
) -> Corpus:
    """Build a corpus from sentences; tags are sorted, with "O" first.

    `columns` has one row for each word of a split's stream.
    """
    words: dict[str, int] = {}
    tag_numbers: dict[str, int] = {}
    streams = {}
    for name, sentences in splits.items():
        word_ids: list[int] = []
        tag_ids: list[int] = []
        lengths: list[int] = []
        for sentence, tags in sentences:
            word_ids += [words.setdefault(word, len(words)) for word in sentence]
            tag_ids += [tag_numbers.setdefault(tag, len(tag_numbers)) for tag in tags]
            lengths.append(len(sentence))
        streams[name] = (word_ids, tag_ids, lengths)
    tag_table = ["O", *sorted(set(tag_numbers) - {"O"})]
    renumbered = np.array([tag_table.index(tag) for tag in tag_numbers], dtype=np.int32)
    texts = {
        name: TaggedText(
            np.array(word_ids, np.int32),
            renumbered[np.array(tag_ids, np.int64)],
            np.array(lengths, np.int32),
            columns=np.array(columns[name]) if columns else None,
        )
        for name, (word_ids, tag_ids, lengths) in streams.items()
    }
    return Corpus(list(words), tag_table, texts, facts or {})


@dataclass(frozen=True, slots=True)
class Windows:
    """The window (`row`) and the position in it (`column`) of each word of a stream."""

    row: np.ndarray
    column: np.ndarray
    num_windows: int
    length: int
    split_sentences: int

    def fill(self, values: np.ndarray, padding: int = 0) -> np.ndarray:
        """Return the stream's values as (windows, length, …), with `padding` elsewhere."""
        shape = (self.num_windows, self.length, *values.shape[1:])
        filled = np.full(shape, padding, dtype=values.dtype)
        filled[self.row, self.column] = values
        return filled

    def mask(self) -> np.ndarray:
        """Return the padding mask (windows, length), True at words."""
        return self.fill(np.ones(len(self.row), bool))


def pack_sentences(sentence_lengths: np.ndarray, length: int) -> Windows:
    """Cut a stream into windows of at most `length` words.

    Consecutive sentences share a window while they fit. A longer sentence is split over several
    windows, and counted. Every word is in exactly one window, in the stream's order.
    """
    sizes: list[int] = []
    free = 0
    num_split = 0
    for size in sentence_lengths.tolist():
        if size <= free:
            sizes[-1] += size
            free -= size
            continue
        num_split += size > length
        pieces = [min(length, size - start) for start in range(0, size, length)]
        sizes += pieces
        free = length - pieces[-1]
    row = np.repeat(np.arange(len(sizes)), sizes)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    column = np.arange(len(row)) - starts[row]
    return Windows(row, column, len(sizes), length, num_split)


def sentence_starts(sentence_lengths: np.ndarray) -> np.ndarray:
    """Return for each word of the stream whether a sentence begins there."""
    starts = np.zeros(int(sentence_lengths.sum()), bool)
    starts[np.concatenate([[0], np.cumsum(sentence_lengths)[:-1]])] = True
    return starts
