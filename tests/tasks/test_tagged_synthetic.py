"""The generator: repeatable, honest about its distances, quick."""

from __future__ import annotations

import time

import numpy as np

from tasks.ner.tagged_synthetic import (
    CUE_WORDS,
    DOCUMENT_LENGTH,
    KEYS_A_DOCUMENT,
    MAX_DISTANCE,
    NAMES_A_KEY,
    TAGS,
    TYPES,
    build_lexicon,
    generate,
)

LEXICON = build_lexicon()
TEXT = generate(200, seed=3, lexicon=LEXICON)


def test_the_same_seed_gives_the_same_documents_and_another_others():
    again, other = generate(200, 3), generate(200, 4)
    assert (again.words == TEXT.words).all() and (again.tags == TEXT.tags).all()
    assert (other.words != TEXT.words).any()


def test_the_cue_stands_where_the_record_says_and_tells_the_type():
    cued = np.flatnonzero(TEXT.cue_distance)
    cues = TEXT.words[cued - TEXT.cue_distance[cued]] - LEXICON.cues
    assert (cues >= 0).all() and (cues < LEXICON.stop - LEXICON.cues).all()
    assert (cues % len(TYPES) == TEXT.tags[cued] - 1).all()
    keys = (TEXT.words[cued] - LEXICON.cued) // NAMES_A_KEY
    assert (keys == cues // len(TYPES)).all()
    documents = cued // DOCUMENT_LENGTH
    assert (documents == (cued - TEXT.cue_distance[cued]) // DOCUMENT_LENGTH).all()


def test_the_nearest_earlier_cue_of_the_key_is_the_one_that_counts():
    place = {}
    for position, word in enumerate(TEXT.words.tolist()):
        if LEXICON.cues <= word < LEXICON.stop:
            place[(word - LEXICON.cues) // len(TYPES)] = position
        if TEXT.cue_distance[position]:
            key = (word - LEXICON.cued) // NAMES_A_KEY
            assert position - place[key] == TEXT.cue_distance[position]


def test_a_cue_is_said_up_to_eight_times_in_a_row():
    said = np.flatnonzero((TEXT.words >= LEXICON.cues) & (TEXT.words < LEXICON.stop))
    runs = np.split(said, np.flatnonzero(np.diff(said) > 2) + 1)  # a full stop may stand between
    assert 7 < np.mean([len(run) for run in runs]) <= CUE_WORDS
    assert all(len(set(TEXT.words[run].tolist())) == 1 for run in runs)


def test_every_octave_of_distances_is_as_frequent_and_types_are_balanced():
    distances = TEXT.cue_distance[TEXT.cue_distance > 0]
    assert distances.min() == 1 and distances.max() <= MAX_DISTANCE
    edges = MAX_DISTANCE / 2.0 ** np.arange(6)[::-1]  # nearer ones often find their place taken
    counts, _ = np.histogram(distances, bins=edges)
    assert counts.min() / counts.max() > 0.8
    many = generate(2_000, seed=3, lexicon=LEXICON)  # a document's cued names have one type
    kinds = np.bincount(many.tags[many.cue_distance > 0])[1 : len(TYPES) + 1]
    assert kinds.min() / kinds.max() > 0.7


def test_a_cued_name_s_spelling_does_not_tell_its_type():
    cued = TEXT.cue_distance > 0
    names, tags = TEXT.words[cued], TEXT.tags[cued]
    by_name = [np.bincount(tags[names == name], minlength=5)[1:] for name in np.unique(names)]
    assert all(counts.max() / counts.sum() < 0.6 for counts in by_name if counts.sum() > 50)


def test_a_plain_name_s_spelling_does():
    plain = (TEXT.tags > 0) & (TEXT.cue_distance == 0)
    for word, tag in zip(TEXT.words[plain], TEXT.tags[plain], strict=True):
        kind = TAGS[tag][2:]
        ending = {"LOC": "burg", "MISC": "ish", "ORG": "corp", "PER": "son"}[kind]
        assert LEXICON.words[word].endswith(ending)


def test_words_are_distinct_and_neighbouring_documents_use_other_keys():
    assert len(set(LEXICON.words)) == len(LEXICON.words)
    cued = np.flatnonzero(TEXT.cue_distance)
    keys = (TEXT.words[cued] - LEXICON.cued) // NAMES_A_KEY
    assert (keys // KEYS_A_DOCUMENT == cued // DOCUMENT_LENGTH % 2).all()


def test_ten_million_words_take_under_thirty_seconds():
    started = time.perf_counter()
    text = generate(10_000_000 // DOCUMENT_LENGTH, seed=5, lexicon=LEXICON)
    assert len(text.words) > 9_990_000
    assert time.perf_counter() - started < 30
