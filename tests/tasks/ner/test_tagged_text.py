"""Tests of streams of tagged words and their windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ner.tagged_text import build_corpus, pack_sentences, sentence_starts


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(1, 50))
def test_every_word_is_in_exactly_one_window_in_order(lengths, window):
    lengths = np.array(lengths)
    windows = pack_sentences(lengths, window)
    words = np.arange(lengths.sum())
    filled = windows.fill(words, padding=-1)
    assert filled[windows.mask()].tolist() == words.tolist()
    assert filled.shape == (windows.num_windows, window)
    assert windows.split_sentences == (lengths > window).sum()


@given(st.lists(st.integers(1, 10), min_size=1, max_size=60), st.integers(10, 50))
def test_sentences_that_fit_are_not_split_and_windows_are_filled(lengths, window):
    lengths = np.array(lengths)
    windows = pack_sentences(lengths, window)
    ends = np.cumsum(lengths)
    for begin, end in zip(ends - lengths, ends, strict=True):
        assert len(set(windows.row[begin:end])) == 1
    sizes = np.bincount(windows.row)
    first = np.searchsorted(windows.row, np.arange(1, windows.num_windows))
    following = lengths[np.searchsorted(ends - lengths, first)]
    assert (sizes[:-1] + following > window).all()


def test_a_longer_length_needs_fewer_windows():
    lengths = np.full(100, 7)
    counts = [pack_sentences(lengths, window).num_windows for window in (7, 14, 28, 700)]
    assert counts == [100, 50, 25, 1]


def test_sentence_starts():
    assert sentence_starts(np.array([2, 1, 3])).tolist() == [True, False, True, True, False, False]


def test_the_fingerprint_depends_on_words_tags_and_sentence_ends():
    def corpus(sentences):
        return build_corpus({"train": sentences, "validation": sentences, "test": sentences})

    base = corpus([(["a", "b"], ["O", "B-X"])])
    assert base.fingerprint() == corpus([(["a", "b"], ["O", "B-X"])]).fingerprint()
    others = [
        [(["a", "c"], ["O", "B-X"])],
        [(["a", "b"], ["O", "O"])],
        [(["a"], ["O"]), (["b"], ["B-X"])],
        [(["b", "a"], ["B-X", "O"])],
    ]
    fingerprints = {corpus(sentences).fingerprint() for sentences in others}
    assert len(fingerprints | {base.fingerprint()}) == 5


@pytest.mark.parametrize("tags", [["B-Z", "O", "B-A"], ["O", "B-A", "B-Z"]])
def test_tags_are_sorted(tags):
    corpus = build_corpus({"train": [(["w"] * 3, tags)]})
    assert corpus.tags == ["O", "B-A", "B-Z"]
    assert [corpus.tags[tag] for tag in corpus.splits["train"].tags] == tags
