"""Tests of invalid option values."""

from __future__ import annotations

import pytest

from suite.api import RequestError, SourceRequest
from suite.matrix.registry import load_registry

TASKS = load_registry(()).tasks


@pytest.mark.parametrize(
    ("name", "option", "value", "message"),
    [
        ("sentiment", "vocabulary", 3, "at least 100. Received: 3"),
        ("translation", "vocabulary", 3, "at least 100"),
        ("relation_extraction", "vocabulary", 99, "at least 100. Received: 99"),
        ("language_modeling", "units", "words", "one of subwords, bytes, characters, preset"),
        ("language_modeling", "units", "preset", "without preset. Add --option preset=DIR"),
        ("sentiment", "preset", "tiny", "=tiny and units=subwords. Add --option units=preset"),
        ("curve_tracing", "curve_points", -3, "from 6 to 24. Received: -3"),
        ("curve_tracing", "curve_points", 25, "from 6 to 24"),
        ("curve_tracing", "image_size", 48, "one of 32, 64"),
        ("curve_tracing", "train_examples", 0, "at least 100"),
        ("listops", "train_examples", 99, "at least 100"),
        ("associative_recall", "train_examples", 99, "at least 100"),
        ("associative_recall", "fillers", "zeros", "one of none, random. Received: zeros"),
        ("associative_recall", "gap_power", 0.0, "must be above 0. Received: 0.0"),
        ("associative_recall", "pairs", 128, "from 0 to 127. Received: 128"),
        ("associative_recall", "vocabulary", 7, "from 8 to 65,536"),
        ("induction_heads", "train_examples", 0, "at least 100"),
        ("selective_copying", "memorized", 0, "at least 1. Received: 0"),
        (
            "state_tracking",
            "problem",
            "s4",
            "one of parity, modular_arithmetic, s3, s5. Received: s4",
        ),
        ("key_value_retrieval", "pairs", 17, "from 1 to 16. Received: 17"),
        ("key_value_retrieval", "questions", 0, "at least 1. Received: 0"),
        ("state_tracking", "asked", "first", "one of every, last. Received: first"),
        ("induction_heads", "occurrences", 0, "at least 1. Received: 0"),
        ("question_answering", "vocabulary", 3, "at least 100"),
        ("question_answering", "people", 33, "from 1 to 32. Received: 33"),
        ("question_answering", "distance", 63, "0 \\(any\\) or at least 64. Received: 63"),
        ("question_answering", "distance", -64, "at least 64. Received: -64"),
        ("question_answering", "train_examples", 99, "at least 100"),
        ("summarization", "vocabulary", 3, "at least 100"),
        ("summarization", "key_sentences", 7, "from 1 to 6. Received: 7"),
        ("summarization", "train_examples", 99, "at least 100"),
        ("sentiment", "pairs", -1, "at least 0. Received: -1"),
        ("translation", "bleu_tokenizer", "words", "one of 13a, char, intl, zh"),
        ("ner", "columns", True, "needs a source with columns between word and tag"),
    ],
)
def test_invalid_values_are_rejected_by_inspect(name, option, value, message):
    task = TASKS.get(name)
    request = SourceRequest(task.default_source)
    assert task.inspect(request, {}) is not None
    with pytest.raises(RequestError, match=message):
        task.inspect(request, {option: value})


@pytest.mark.parametrize(
    ("name", "length", "fitting", "options", "rule"),
    [
        ("curve_tracing", 60, 1_024, {}, "cuts 32 × 32 pixels"),
        ("curve_tracing", 4_096, 1_024, {}, "cuts 32 × 32 pixels"),
        ("curve_tracing", 60, 4_096, {"image_size": 64}, "cuts 64 × 64 pixels"),
        ("image_classification", 17, 64, {}, "64 (patch 4)"),
        ("image_classification", 63, 64, {}, "64 (patch 4)"),
        ("language_modeling", 48, 32, {"stretch": 64}, "cuts stretches of 64 tokens"),
        ("question_answering", 16, 32, {}, "at least 32"),
        (
            *("question_answering", 272, 273, {"distance": 128}),
            "at least 273 for answers 128 to 255 words after the question",
        ),
        ("relation_extraction", 15, 16, {}, "at least 16"),
        ("summarization", 16, 32, {}, "at least 32"),
    ],
)
def test_a_length_is_refused_with_the_rule_that_another_one_follows(
    name, length, fitting, options, rule
):
    task = TASKS.get(name)
    options = {**task.options, **options}
    assert rule in task.unsupported_reason(length, options)
    assert task.unsupported_reason(fitting, options) is None
