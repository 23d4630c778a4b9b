"""The share of the training examples: nested, at least a batch, and nothing else changes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from suite.api import DataError, Examples, TaskData
from suite.worker.data.encoded import take_train_share

COUNT = 1_000


def make_data(count=COUNT):
    ids = np.arange(count)
    train = Examples(
        {"token_ids": ids[:, None], "padding_mask": np.ones((count, 1), bool)}, {"labels": ids}
    )
    other = Examples({"padding_mask": np.ones((2, 1), bool)}, {"labels": np.arange(2)})
    return TaskData(train, other, other, {"classes": ["a"]}, {"fingerprint": "f"})


def taken(share, *, contiguous=False, count=COUNT):
    data = take_train_share(make_data(count), share, batch_size=10, contiguous=contiguous)
    rows = data.train.targets["labels"]
    assert (data.train.features["token_ids"][:, 0] == rows).all()
    assert data.train.num_examples == len(rows) == data.facts["train_share_examples"]
    return rows.tolist()


def test_a_smaller_share_is_part_of_a_larger_one():
    shares = [taken(share) for share in (0.01, 0.1, 0.5, 0.99)]
    assert [len(rows) for rows in shares] == [10, 100, 500, 990]
    for smaller, larger in itertools.pairwise(shares):
        assert set(smaller) < set(larger)
    assert taken(0.1) == shares[1], "each cell trains on the same examples"
    assert max(shares[0]) > 10, "the examples are drawn from the whole split"


def test_the_share_of_a_stream_is_its_beginning():
    assert taken(0.1, contiguous=True) == list(range(100))


@pytest.mark.parametrize("contiguous", [False, True])
def test_a_share_with_less_than_a_batch_is_refused(contiguous):
    said = "keeps 9 of 1,000 training examples, and a batch has 10"
    with pytest.raises(DataError, match=f"at least one batch.*{said}"):
        taken(0.009, contiguous=contiguous)


def test_validation_test_and_spec_stay_and_the_whole_is_the_data_itself():
    data = make_data()
    less = take_train_share(data, 0.1, batch_size=100, contiguous=False)
    assert less.validation is data.validation and less.test is data.test
    assert less.spec is data.spec and less.facts["fingerprint"] == "f"
    assert less.facts["notes"] == ["train_share=0.1 keeps 100 of 1,000 training examples"]
    assert take_train_share(data, 1.0, batch_size=2_000, contiguous=False) is data
