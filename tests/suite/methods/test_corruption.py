"""What pretraining hides: the published shares, and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest

from suite.methods._corruption import (
    corrupt_spans,
    fill_pairs,
    infill,
    join_halves,
    mask_pairs,
    mask_tokens,
    mask_words,
    next_tokens,
)

SIZE = 1_000
LENGTH = 64


def texts(rows=400, shortest=1):
    """Return token ids above 0 and the mask of texts of all lengths."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(shortest, LENGTH + 1, size=rows)
    mask = np.arange(LENGTH) < lengths[:, None]
    return np.where(mask, generator.integers(1, SIZE, size=mask.shape), 0).astype(np.int32), mask


def assert_share(hits, of, share):
    """Fail unless a number of hits is within four standard errors of a binomial share."""
    assert abs(hits - share * of) <= 4 * math.sqrt(of * share * (1 - share))


def test_masks_have_the_published_shares_and_spare_all_other_positions():
    token_ids, mask = texts()
    features, targets = mask_tokens(token_ids, mask, 0.15, SIZE, np.random.default_rng(1))
    scored, positions = targets["scored"], features["masked_positions"]
    rows = np.nonzero(scored)[0]
    chosen = np.zeros(mask.shape, int)
    np.add.at(chosen, (rows, positions[scored]), 1)
    assert chosen.max() == 1  # no position twice
    assert not chosen[~mask].any()
    real = mask.sum(axis=1)
    np.testing.assert_array_equal(chosen.sum(axis=1), np.maximum(np.rint(0.15 * real), 1))
    assert_share(chosen[real >= 20].sum(), real[real >= 20].sum(), 0.15)
    np.testing.assert_array_equal(features["token_ids"][chosen == 0], token_ids[chosen == 0])
    np.testing.assert_array_equal(targets["ids"][scored], token_ids[rows, positions[scored]])
    found, original = features["token_ids"][chosen == 1], token_ids[chosen == 1]
    masked, kept = found == SIZE, found == original
    assert_share(masked.sum(), len(found), 0.8)
    assert_share(kept.sum(), len(found), 0.1 + 0.1 / SIZE)
    assert_share((~masked & ~kept).sum(), len(found), 0.1)
    assert found[~masked].max() < SIZE
    again, _ = mask_tokens(token_ids, mask, 0.15, SIZE, np.random.default_rng(2))
    assert (again["token_ids"] != features["token_ids"]).any()


def test_masked_words_have_the_published_shares_and_keep_no_feature_that_is_hidden():
    word_ids, mask = texts()
    features = {
        "word_ids": word_ids,
        "spellings": np.stack([word_ids, word_ids], axis=-1),
        "padding_mask": mask,
    }

    def hide(words, hidden):
        spellings = np.where(hidden[..., None], SIZE, words["spellings"])
        word_ids = np.where(hidden, SIZE, words["word_ids"])
        return {**words, "word_ids": word_ids, "spellings": spellings}

    found, targets = mask_words(features, "word_ids", hide, 0.15, np.random.default_rng(1))
    scored, positions = targets["scored"], found["masked_positions"]
    rows = np.nonzero(scored)[0]
    chosen = np.zeros(mask.shape, bool)
    chosen[rows, positions[scored]] = True
    assert chosen.sum() == scored.sum() and not chosen[~mask].any()
    np.testing.assert_array_equal(targets["ids"][scored], word_ids[rows, positions[scored]])
    np.testing.assert_array_equal(found["padding_mask"], mask)
    # A word keeps or loses all of its features, and no other word changes.
    for part in range(2):
        np.testing.assert_array_equal(found["spellings"][..., part], found["word_ids"])
    np.testing.assert_array_equal(found["word_ids"][~chosen], word_ids[~chosen])
    after, before = found["word_ids"][chosen], word_ids[chosen]
    hidden = after == SIZE
    assert_share(hidden.sum(), len(after), 0.8)
    same = 0.1 / SIZE
    assert_share((after == before).sum(), len(after), 0.1 + same)
    assert set(after[~hidden]) <= set(word_ids[mask])


def test_half_of_the_pairs_are_of_two_texts():
    token_ids, mask = texts(rows=1_000)
    joined, joined_mask, targets = join_halves(token_ids, mask, SIZE, np.random.default_rng(1))
    follows, paired = targets["follows"], targets["paired"]
    real = mask.sum(axis=1)
    np.testing.assert_array_equal(paired, real > 1)
    assert_share(follows[paired].sum(), paired.sum(), 0.5)
    seconds = set()
    for row in range(len(real)):
        text, pair = token_ids[row, : real[row]].tolist(), joined[row][joined_mask[row]].tolist()
        if not paired[row]:
            assert pair == text
            continue
        text = text[: LENGTH - 1]  # a full text loses its last token to the joint
        place = -(-len(text) // 2)
        assert pair[: place + 1] == [*text[:place], SIZE]
        assert (pair[place + 1 :] == text[place:]) == follows[row]
        seconds.add(tuple(text[place:]))
        assert not joined[row][~joined_mask[row]].any()
    drawn = {tuple(joined[row][joined_mask[row]]) for row in np.flatnonzero(paired & ~follows)}
    assert all(pair[pair.index(SIZE) + 1 :] in seconds for pair in drawn)


def test_a_single_text_is_followed_by_its_own_half():
    token_ids = np.array([[5, 6, 7, 8, 9], [5, 0, 0, 0, 0]], np.int32)
    joined, _, targets = join_halves(token_ids, token_ids > 0, SIZE, np.random.default_rng(0))
    assert joined.tolist() == [[5, 6, SIZE, 7, 8], [5, 0, 0, 0, 0]]
    assert targets["follows"].all() and targets["paired"].tolist() == [True, False]


def test_the_joint_of_a_pair_is_scored_last_and_never_masked():
    token_ids, mask = texts(shortest=4)
    features, targets = mask_pairs(token_ids, mask, 0.15, SIZE, np.random.default_rng(1))
    places = features["masked_positions"][:, -1]
    rows = np.arange(len(places))
    assert (features["token_ids"][rows, places] == SIZE + 1).all()
    chosen = features["masked_positions"][:, :-1]
    assert (chosen != places[:, None])[targets["scored"]].all()
    assert targets["ids"][targets["scored"]].max() < SIZE
    longer = features["padding_mask"].sum(axis=1) - mask.sum(axis=1)
    assert (longer <= LENGTH // 2).all() and features["padding_mask"][rows, places].all()


def test_the_next_token_is_the_target_up_to_the_last_one():
    token_ids = np.array([[5, 6, 7, 0]], np.int32)
    mask = np.array([[True, True, True, False]])
    _, targets = next_tokens(token_ids, mask)
    assert targets["ids"][targets["scored"]].tolist() == [6, 7]
    assert targets["scored"].tolist() == [[True, True, False, False]]


def test_sentinels_stand_for_the_spans_that_are_predicted():
    tokens = np.arange(1, 201)
    hidden, sizes = 0, []
    for seed in range(50):
        source, target = corrupt_spans(tokens, 0.15, 3.0, SIZE, np.random.default_rng(seed))
        spans = np.split(target, np.flatnonzero(target >= SIZE))[1:]
        assert [span[0] - SIZE for span in spans] == list(range(len(spans)))
        assert len(spans[-1]) == 1  # the last sentinel ends the target
        sizes += [len(span) - 1 for span in spans[:-1]]
        restored = np.concatenate(
            [spans[token - SIZE][1:] if token >= SIZE else [token] for token in source]
        )
        np.testing.assert_array_equal(restored, tokens)
        hidden += (target < SIZE).sum()
    assert hidden == 50 * 30  # a share of 0.15
    assert np.mean(sizes) == 3.0


def test_a_mask_stands_for_each_span_of_a_text_that_is_predicted_whole():
    tokens = np.arange(1, 201)
    sizes = []
    for seed in range(50):
        source, target = infill(tokens, 0.3, 3.0, SIZE, np.random.default_rng(seed))
        np.testing.assert_array_equal(target, tokens)
        kept = source[source < SIZE]
        assert len(kept) == 140
        assert (np.diff(kept) > 0).all()
        sizes.append(60 / (source == SIZE).sum())
    assert 2.5 < np.mean(sizes) < 3.5  # Poisson's mean; the last span may be cut


@pytest.mark.parametrize("corrupt", [corrupt_spans, infill])
def test_hidden_spans_fit_texts_of_every_length(corrupt):
    generator = np.random.default_rng(0)
    for length in range(1, 40):
        for share in (0.05, 0.5, 0.95):
            pair = corrupt(np.arange(length), share, 1.0, SIZE, generator)
            assert max(map(len, pair)) <= length


def test_the_decoder_reads_the_target_from_its_start_on():
    token_ids = np.array([[5, 6, 7, 0], [8, 0, 0, 0]], np.int32)
    mask = token_ids > 0
    features, targets = fill_pairs(token_ids, mask, 2, lambda tokens: (tokens[:1], tokens))
    assert features["token_ids"].tolist() == [[5, 0, 0, 0], [8, 0, 0, 0]]
    assert features["target_ids"].tolist() == [[2, 5, 6, 0], [2, 0, 0, 0]]
    assert targets["ids"].tolist() == token_ids.tolist()
    assert targets["scored"].tolist() == mask.tolist() == features["target_mask"].tolist()
