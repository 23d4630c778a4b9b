"""BLEU in the words of the target language."""

from __future__ import annotations

import pytest

from suite.api import RequestError, SourceRequest
from tasks.translation.bleu import choose_tokenizer, notes_on_short, score_translations
from tasks.translation.task import TASK
from tests.tasks.ceilings import translation_ceiling

ENGLISH = ["We eat apples in the big garden."]


@pytest.mark.parametrize(
    ("language", "texts", "tokenizer"),
    [
        ("zh", ENGLISH, "zh"),
        ("zh_CN", ENGLISH, "zh"),
        ("zho-Hans", ENGLISH, "zh"),
        ("ja", ENGLISH, "char"),
        ("KO", ENGLISH, "char"),
        ("th", ENGLISH, "char"),
        ("de", ENGLISH, "13a"),
        ("jav", ENGLISH, "13a"),
        ("tgt", ["我们吃苹果。", "他喜欢 看电影"], "char"),
        ("tgt", ["เรากินแอปเปิลทุกวัน"], "char"),
        ("tgt", ENGLISH, "13a"),
        ("", [], "13a"),
    ],
)
def test_the_language_or_else_its_texts_choose_the_tokenizer(language, texts, tokenizer):
    assert choose_tokenizer(language, texts) == tokenizer


@pytest.mark.parametrize("language", ["zh", "tgt"])
def test_a_record_names_the_tokenizer(tmp_path, language):
    score, _ = translation_ceiling(tmp_path, ["他喜欢看电影，今天去北京。"], language)
    name = {"zh": "zh", "tgt": "char"}[language]
    assert f"tok:{name}|" in score.reports["bleu_signature"]
    assert score.reports["bleu_by_reference_words"].keys() == {"11-20"}


def test_an_option_names_another_tokenizer(tmp_path):
    score, _ = translation_ceiling(tmp_path, ENGLISH, bleu_tokenizer="intl")
    assert "tok:intl|" in score.reports["bleu_signature"]
    request = SourceRequest("synthetic")
    with pytest.raises(RequestError, match=r"one of 13a, char, intl, zh.*Received: words"):
        TASK.inspect(request, {"bleu_tokenizer": "words"})
    with pytest.raises(RequestError, match=r"MeCab.*sacrebleu\[ja\]"):
        TASK.inspect(request, {"bleu_tokenizer": "ja-mecab"})


def test_short_references_are_counted_and_noted(tmp_path):
    targets = ["We eat.", "No.", "They go to the cinema today."]
    score, data = translation_ceiling(tmp_path, targets)
    assert score.reports["short_references"] == 2
    (of_validation, of_test) = data.facts["notes"]
    assert of_test.startswith("2 of 3 references of test have fewer than 4 words, which BLEU")
    assert of_validation.startswith("2 of 3 references of validation")
    few = [*ENGLISH * 19, "No."]
    assert notes_on_short({"test": few}, "13a") == []
    assert score_translations(few, few, "13a").reports["short_references"] == 1
