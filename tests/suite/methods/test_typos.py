"""Typing errors, dropped and swapped words, and examples whose other words keep their ids."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from suite.api import Examples
from suite.methods.typos import METHOD as TYPOS
from suite.methods.typos import NEIGHBOURS, misspell
from suite.methods.word_swap import METHOD as WORD_SWAP
from tasks.common.subwords import learn_subwords
from tasks.common.token_words import disturb_rows
from tasks.common.tokenization import ByteTokenizer, CharacterTokenizer, Purpose
from tasks.ner.raw_words import disturb_words, encode_sentences
from tasks.ner.word_features import build_word_tables, look_up, spellings

TEXTS = ["The plot was thin (really), and the end came late.", "  a  fine\nfilm! ", "", "x"]


def subwords():
    from suite.api import SourceRequest

    texts = [text for text in TEXTS if text] * 3
    return learn_subwords(texts, 200, SourceRequest("synthetic"), Purpose.READ)


TOKENIZERS = {
    "bytes": ByteTokenizer,
    "characters": lambda: CharacterTokenizer(TEXTS),
    "subwords": subwords,
}


@pytest.fixture(scope="module", params=TOKENIZERS)
def tokenizer(request):
    return TOKENIZERS[request.param]()


def same(words):
    return list(enumerate(words))


def test_neighbours_are_mutual_and_adjacent():
    assert sorted(NEIGHBOURS["g"]) == sorted("fhtyvb")
    assert sorted(NEIGHBOURS["q"]) == sorted("wa")
    assert all(letter in NEIGHBOURS[other] for letter, near in NEIGHBOURS.items() for other in near)


def test_a_typing_error_is_one_replacement_swap_or_deletion():
    generator = np.random.default_rng(0)
    kinds = {"replaced": 0, "swapped": 0, "deleted": 0}
    for _ in range(900):
        found = misspell("Great", generator)
        if len(found) == 4:
            kinds["deleted"] += 1
            continue
        places = [place for place in range(5) if found[place] != "Great"[place]]
        if len(places) == 1:
            kinds["replaced"] += 1
            (place,) = places
            assert found[place].lower() in NEIGHBOURS["great"[place]]
            assert found[place].isupper() == (place == 0)
        else:
            kinds["swapped"] += 1
            assert places[1] == places[0] + 1 and sorted(found) == sorted("Great")
    assert all(abs(count - 300) < 4 * (900 * 2 / 9) ** 0.5 for count in kinds.values()), kinds


def test_the_share_of_words_is_that_of_the_strength():
    words = ["word"] * 5_000 + ["a"] * 100
    found = TYPOS.draw(words, 0.1, np.random.default_rng(1))
    changed = sum(text != words[place] for place, text in found)
    assert abs(changed - 500) < 4 * (5_000 * 0.1 * 0.9) ** 0.5
    assert all(text == "a" for _, text in found[5_000:])


def test_unchanged_words_keep_their_ids(tokenizer):
    rows = tokenizer.encode(TEXTS)
    for row, kept in zip(rows, disturb_rows(rows, same, tokenizer), strict=True):
        assert row.tolist() == kept.tolist()


def test_a_changed_word_is_encoded_again_in_its_place(tokenizer):
    def change(words):
        return [(place, "late" if word == "thin" else word) for place, word in enumerate(words)]

    rows = tokenizer.encode(["The plot was thin and the end came late."])
    expected = tokenizer.encode(["The plot was late and the end came late."])
    found = disturb_rows(rows, change, tokenizer)
    assert tokenizer.decode(found) == tokenizer.decode(expected)
    assert found[0].tolist() == expected[0].tolist()


def test_moved_words_stay_apart(tokenizer):
    rows = tokenizer.encode(["The plot was thin"])
    found = disturb_rows(
        rows, lambda words: [(1, words[1]), (0, words[0]), (3, words[3])], tokenizer
    )
    assert tokenizer.decode(found)[0].lower().split() == ["plot", "the", "thin"]


SENTENCES = [["Anna", "met", "Bob", "in", "Paris"], ["He", "left"]]
WORDS = [word for sentence in SENTENCES for word in sentence]


@pytest.fixture
def tagged():
    names = build_word_tables(WORDS, np.repeat(np.arange(len(WORDS)), 2)).names
    examples = encode_sentences(SENTENCES, 8, names)
    tags = np.array([[1, 0, 1, 0, 2, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0]], np.int32)
    return Examples(examples.features, {**examples.targets, "tags": tags}), names


def test_the_features_of_unchanged_words_are_those_of_the_examples(tagged):
    examples, names = tagged
    found = disturb_words(Examples(examples.features, _per_word(examples)), same, names)
    for name, values in examples.features.items():
        np.testing.assert_array_equal(found.features[name], values, name)


def test_tags_follow_their_words_and_a_changed_word_gets_the_features_of_its_text(tagged):
    examples, names = tagged

    def change(words):
        if words == ["Anna", "met", "Bob", "in", "Paris"]:
            return [(1, "met"), (4, "Pariss"), (2, "Bob")]
        return same(words)

    found = disturb_words(Examples(examples.features, _per_word(examples)), change, names)
    real = found.features["padding_mask"]
    assert real.sum(axis=1).tolist() == [3, 2]
    assert found.targets["tags"][0, :4].tolist() == [0, 2, 1, 0]
    texts = spellings(found.features["character_ids"][real], names)
    assert texts == ["met", "Pariss", "Bob", "He", "left"]
    assert (found.features["affix_ids"][0, 1] == look_up(["Pariss"], names).affixes[0]).all()
    # The first word that is left begins the sentence.
    assert found.features["sentence_starts"][0, :3].tolist() == [True, False, False]


def _per_word(examples):
    return {name: values for name, values in examples.targets.items() if name != "text"}


def test_half_of_the_chosen_words_are_dropped_and_half_swapped_with_the_next():
    words = [str(number) for number in range(4_000)]
    found = WORD_SWAP.draw(words, 0.1, np.random.default_rng(0))
    order = [place for place, _ in found]
    assert all(text == words[place] for place, text in found)
    assert len(set(order)) == len(order)
    dropped = len(words) - len(order)
    swapped = sum(second < first for first, second in itertools.pairwise(order))
    for count in (dropped, swapped):
        assert abs(count - 200) < 4 * (4_000 * 0.05 * 0.95) ** 0.5


@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_example_keeps_a_word(count):
    words = ["a", "b"][:count]
    for seed in range(20):
        found = WORD_SWAP.draw(words, 1.0, np.random.default_rng(seed))
        assert bool(found) == bool(words)
