"""Values of tasks' options that nothing can be made of."""

from __future__ import annotations

import pytest

from suite.api import SourceRequest
from suite.api.errors import RequestError
from suite.matrix.registry import load_registry

TASKS = load_registry(()).tasks


@pytest.mark.parametrize(
    ("name", "option", "value", "said"),
    [
        ("sentiment", "vocabulary", 3, "at least 100. Received: 3"),
        ("translation", "vocabulary", 3, "at least 100"),
        ("language_modeling", "units", "words", "one of subwords, bytes, characters"),
        ("pathfinder", "curve_points", -3, "from 6 to 24. Received: -3"),
        ("pathfinder", "curve_points", 25, "from 6 to 24"),
        ("pathfinder", "image_size", 48, "one of 32, 64"),
        ("pathfinder", "train_examples", 0, "at least 100"),
        ("listops", "train_examples", 99, "at least 100"),
        ("ner", "hidden_words", 1.5, "from 0 to 1. Received: 1.5"),
        ("ner", "hidden_spellings", -0.5, "from 0 to 1"),
        ("ner", "columns", True, "sources that say more of a word than its tag"),
    ],
)
def test_they_are_refused_before_anything_runs(name, option, value, said):
    task = TASKS.get(name)
    request = SourceRequest("synthetic")
    assert task.inspect(request, {}) is not None
    with pytest.raises(RequestError, match=said):
        task.inspect(request, {option: value})
