"""Token ids of marked sentences: markers, entities, and cutting around the entities."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.common.tokenization import FIRST_TEXT_ID, ByteTokenizer
from tasks.relation_extraction.encoding import encode_sentences, keep_entities

TOKENIZER = ByteTokenizer()
SIZE = TOKENIZER.vocabulary_size


def letters(row):
    """Return a row as text: markers are digits 1 to 4, padding is a dot."""
    names = {0: ".", **{SIZE + number: str(number + 1) for number in range(4)}}
    return "".join(names.get(token) or chr(token - FIRST_TEXT_ID) for token in row.tolist())


def test_each_marker_is_a_token():
    found = encode_sentences(
        ["ab <e1>c</e1> d <e2>ef</e2>", "<e2>a</e2><e1>b</e1>c"], TOKENIZER, 12
    )
    assert [letters(row) for row in found.token_ids] == ["ab1c2d3ef4..", "3a41b2c....."]
    assert found.entity_starts.tolist() == [[2, 6], [3, 0]]
    assert found.distances.tolist() == [2, 1]
    assert found.mask.sum(axis=1).tolist() == [10, 7] and found.num_cut == 0


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("abcdefgh <e1>i</e1><e2>j</e2> klmnopqr", "gh1i23j4kl"),
        ("a <e1>i</e1><e2>j</e2> klmnopqr", "a1i23j4klm"),
        ("abcdefgh <e1>i</e1><e2>j</e2> k", "fgh1i23j4k"),
        ("<e1>i</e1> abcdefghij <e2>k</e2>", "1i2abhij3k4"[:5] + "ij3k4"),
        ("a <e1>i</e1> bcdef <e2>k</e2> l", "1i2bcef3k4"),
    ],
)
def test_a_longer_sentence_is_cut_around_its_entities(text, kept):
    found = encode_sentences([text], TOKENIZER, 10)
    assert letters(found.token_ids[0]) == kept and found.num_cut == 1
    starts = found.token_ids[0][found.entity_starts[0]]
    assert starts.tolist() == [SIZE, SIZE + 2]


def test_a_sentence_that_fits_is_whole():
    row = np.arange(10)
    assert keep_entities(row, 10, 0, 9).tolist() == row.tolist()
    assert keep_entities(row, 4, 3, 5).tolist() == [3, 4, 5, 6]
    assert keep_entities(row, 2, 3, 5).tolist() == [3, 4, 5]
