"""Tests of exact match and F1 by hand-made cases of SQuAD's official scripts."""

from __future__ import annotations

import pytest

from tasks.question_answering.scoring import compare_answers, normalize_answer


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The Eiffel Tower.", "eiffel tower"),
        ("  an   apple,\n a pear ", "apple pear"),
        ("theatre", "theatre"),
        ("U.S.", "us"),
        ("well-known", "wellknown"),
        ("the", ""),
        ("“quoted”", "“quoted”"),
        ("A-Team", "ateam"),
        ("the-end", "theend"),
        ("北京大学", "北 京 大 学"),
        ("北京 大学", "北 京 大 学"),
        ("iPhone手机", "iphone 手 机"),
        ("《北京》、“大学”。", "北 京 大 学"),
        ("“iPhone” — 手机！", "iphone 手 机"),
        ("서울 대학교", "서울 대학교"),
    ],
)
def test_answers_lose_case_punctuation_articles_and_spaces(text, normal):
    """Punctuation is removed before articles are, so "the-end" keeps its article.

    It is ASCII's, and Unicode's in texts with a script without spaces.
    """
    assert normalize_answer(text) == normal


@pytest.mark.parametrize(
    ("answer", "golds", "exact", "f1"),
    [
        ("the Rhône", ("Rhône",), 1, 1),
        ("big red bus", ("red bus",), 0, 0.8),
        ("red red bus", ("red bus",), 0, 0.8),
        ("red red bus", ("red red",), 0, 0.8),
        ("bus", ("a train", "the bus stop", "train"), 0, 2 / 3),
        ("noon", ("at noon", "noon"), 1, 1),
        ("", ("noon",), 0, 0),
        ("the", ("noon",), 0, 0),
        ("北京大学", ("北京",), 0, 2 / 3),
        ("北京", ("北京",), 1, 1),
        ("กรุงเทพ", ("กรุง",), 0, 2 * 4 / 11),
    ],
)
@pytest.mark.parametrize("unanswerable", [False, True])
def test_the_best_gold_answer_counts(answer, golds, exact, f1, unanswerable):
    assert compare_answers(answer, golds, unanswerable) == pytest.approx((exact, f1))


@pytest.mark.parametrize(
    ("answer", "golds", "unanswerable", "exact", "f1"),
    [
        ("", (), True, 1, 1),
        ("the", (), True, 1, 1),
        ("noon", (), True, 0, 0),
        ("noon", ("the", "noon"), True, 1, 1),
        ("", ("the", "noon"), True, 0, 0),
        ("", ("the", "noon"), False, 1, 0),
        ("", ("the",), True, 1, 1),
    ],
)
def test_the_scripts_differ_in_empty_answers(answer, golds, unanswerable, exact, f1):
    """v2.0 ignores gold answers without words, unless there are no others; v1.1 counts them."""
    assert compare_answers(answer, golds, unanswerable) == (exact, f1)
