"""Tests of the generated documents: reproducibility, cues, distances and run time."""

from __future__ import annotations

import numpy as np

from tasks.ner.synthetic_corpus import (
    CUE_WORDS,
    DOCUMENT_LENGTH,
    FAMILIES_PER_DOCUMENT,
    MAX_DISTANCE,
    NAMES_PER_FAMILY,
    TAGS,
    TYPES,
    build_lexicon,
    generate_documents,
)

LEXICON = build_lexicon()
TEXT = generate_documents(200, seed=3, lexicon=LEXICON)


def test_the_seed_determines_the_documents():
    again, other = generate_documents(200, 3), generate_documents(200, 4)
    assert (again.words == TEXT.words).all() and (again.tags == TEXT.tags).all()
    assert (other.words != TEXT.words).any()


def test_the_cue_is_at_the_stated_distance_and_determines_the_type():
    cued = np.flatnonzero(TEXT.cue_distance)
    cues = TEXT.words[cued - TEXT.cue_distance[cued]] - LEXICON.cues
    assert (cues >= 0).all() and (cues < LEXICON.full_stop - LEXICON.cues).all()
    assert (cues % len(TYPES) == TEXT.tags[cued] - 1).all()
    families = (TEXT.words[cued] - LEXICON.cued) // NAMES_PER_FAMILY
    assert (families == cues // len(TYPES)).all()
    documents = cued // DOCUMENT_LENGTH
    assert (documents == (cued - TEXT.cue_distance[cued]) // DOCUMENT_LENGTH).all()


def test_the_nearest_preceding_cue_of_the_family_applies():
    positions = {}
    for position, word in enumerate(TEXT.words.tolist()):
        if LEXICON.cues <= word < LEXICON.full_stop:
            positions[(word - LEXICON.cues) // len(TYPES)] = position
        if TEXT.cue_distance[position]:
            family = (word - LEXICON.cued) // NAMES_PER_FAMILY
            assert position - positions[family] == TEXT.cue_distance[position]


def test_a_cue_is_repeated_up_to_eight_times():
    cues = np.flatnonzero((TEXT.words >= LEXICON.cues) & (TEXT.words < LEXICON.full_stop))
    runs = np.split(cues, np.flatnonzero(np.diff(cues) > 2) + 1)  # a full stop may be in between
    assert 7 < np.mean([len(run) for run in runs]) <= CUE_WORDS
    assert all(len(set(TEXT.words[run].tolist())) == 1 for run in runs)


def test_octaves_of_distances_and_types_are_balanced():
    distances = TEXT.cue_distance[TEXT.cue_distance > 0]
    assert distances.min() == 1 and distances.max() <= MAX_DISTANCE
    edges = MAX_DISTANCE / 2.0 ** np.arange(6)[::-1]  # many near positions are taken
    counts, _ = np.histogram(distances, bins=edges)
    assert counts.min() / counts.max() > 0.8
    many = generate_documents(
        2_000, seed=3, lexicon=LEXICON
    )  # all cued names of a document share a type
    kinds = np.bincount(many.tags[many.cue_distance > 0])[1 : len(TYPES) + 1]
    assert kinds.min() / kinds.max() > 0.7


def test_the_spelling_of_a_cued_name_does_not_determine_its_type():
    cued = TEXT.cue_distance > 0
    names, tags = TEXT.words[cued], TEXT.tags[cued]
    by_name = [np.bincount(tags[names == name], minlength=5)[1:] for name in np.unique(names)]
    assert all(counts.max() / counts.sum() < 0.6 for counts in by_name if counts.sum() > 50)


def test_the_spelling_of_a_plain_name_determines_its_type():
    plain = (TEXT.tags > 0) & (TEXT.cue_distance == 0)
    for word, tag in zip(TEXT.words[plain], TEXT.tags[plain], strict=True):
        kind = TAGS[tag][2:]
        ending = {"LOC": "burg", "MISC": "ish", "ORG": "corp", "PER": "son"}[kind]
        assert LEXICON.words[word].endswith(ending)


def test_words_are_distinct_and_adjacent_documents_use_different_families():
    assert len(set(LEXICON.words)) == len(LEXICON.words)
    cued = np.flatnonzero(TEXT.cue_distance)
    families = (TEXT.words[cued] - LEXICON.cued) // NAMES_PER_FAMILY
    assert (families // FAMILIES_PER_DOCUMENT == cued // DOCUMENT_LENGTH % 2).all()
