"""Scores of two classes: the positive one has a name."""

from __future__ import annotations

import numpy as np
import pytest

from suite.api import DataError, Examples, SourceRequest
from suite.records.options import parse_options
from tasks.common.classification import check_positive_class
from tasks.sentiment.task import TASK


def score(spec):
    """Score three examples of spam and one of ham, all of which are called spam."""
    examples = Examples({}, {"labels": np.array([1, 1, 1, 0])})
    return TASK.score(examples, np.eye(2)[[1, 1, 1, 1]], {"classes": ["ham", "spam"], **spec})


@pytest.mark.parametrize(
    ("named", "positive", "f1"), [("", "spam", 6 / 7), ("spam", "spam", 6 / 7), ("ham", "ham", 0)]
)
def test_f1_is_that_of_the_positive_class_which_the_report_names(named, positive, f1):
    found = score({"positive_class": named})
    assert found.reports["positive_class"] == positive
    assert found.metrics["f1"] == pytest.approx(f1)
    assert found.metrics["roc_auc"] == score({}).metrics["roc_auc"]


def test_a_class_may_have_the_name_of_a_number():
    assert parse_options({"positive_class": "1"}, {"positive_class": ""}) == {"positive_class": "1"}
    check_positive_class("1", ["0", "1"])


@pytest.mark.parametrize("classes", [["bad", "good"], ["1", "2", "3"]])
def test_a_positive_class_is_one_of_two(classes):
    with pytest.raises(DataError, match=f"'2'; the classes are {', '.join(classes)}"):
        check_positive_class("2", classes)


def test_a_wrong_positive_class_is_reported_before_anything_runs(tmp_path):
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.tsv").write_text("text\tlabel\n" + "a\tham\nb\tspam\n" * 6)
    request = SourceRequest("files", str(tmp_path))
    assert TASK.inspect(request, {"positive_class": "ham"})
    with pytest.raises(DataError, match="'eggs'; the classes are ham, spam"):
        TASK.inspect(request, {"positive_class": "eggs"})
    data = TASK.load(request, 16, {"positive_class": "ham", "vocabulary": 100})
    assert data.spec["positive_class"] == "ham"
