"""The scores that count as 0 and 100 in a benchmark file: written once, never changed."""

from __future__ import annotations

import pytest

from suite.analysis.core_table import scale_of
from suite.api.errors import PluginError, RequestError
from suite.matrix.benchmarks import read_benchmark
from suite.matrix.scales import add_to_scale
from tests.suite.analysis.final_runs import benchmark_folder

ZEROS = {"ner": {128: 0.0, 512: 0.0}, "sentiment": {128: 0.5}}
HUNDREDS = {"ner": {128: 0.8123456789}, "language_modeling": {64: 2.0}}


@pytest.fixture
def path(tmp_path):
    return benchmark_folder(tmp_path) / "benchmarks" / "small.toml"


def test_scores_are_added_once_and_keep_the_hash_of_the_benchmark(path):
    before = read_benchmark(path)
    assert add_to_scale(before, ZEROS, {}) == 3
    assert add_to_scale(read_benchmark(path), ZEROS, HUNDREDS) == 1
    text = path.read_text()
    found = read_benchmark(path)
    assert found.is_frozen and found.content_hash == before.content_hash
    assert found.scale["ner"]["128"].hundred == 0.812346
    assert found.scale["ner"]["512"].hundred is None and found.scale["sentiment"]["128"].zero == 0.5
    assert "language_modeling" not in found.scale  # a reference needs a trivial score
    changed = {task: dict.fromkeys(of, 0.9) for task, of in ZEROS.items()}
    assert add_to_scale(found, changed, {"ner": {128: 0.9}}) == 0
    assert path.read_text() == text


@pytest.mark.parametrize(("old", "new"), [("zero = 0.5", "zero = 0.4"), ("512 = ", "256 = ")])
def test_an_edited_scale_is_refused(path, old, new):
    add_to_scale(read_benchmark(path), ZEROS, HUNDREDS)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(PluginError, match="count as 0 and 100 are frozen"):
        read_benchmark(path)


@pytest.mark.parametrize(("hundred", "losses"), [(0.5, ()), (0.4, ()), (0.6, ("sentiment",))])
def test_a_reference_that_is_not_better_than_the_trivial_score_is_refused(path, hundred, losses):
    add_to_scale(read_benchmark(path), ZEROS, {})
    before = path.read_text()
    with pytest.raises(RequestError, match="must be better than the trivial predictor"):
        add_to_scale(read_benchmark(path), {}, {"sentiment": {128: hundred}}, losses)
    assert path.read_text() == before


def test_equal_scores_of_0_and_100_give_no_scale(path):
    text = path.read_text()
    path.write_text(text + "\n[scale.ner]\n128 = { zero = 0.5, hundred = 0.5 }\n")
    assert scale_of(read_benchmark(path), ("ner", 128)) is None
