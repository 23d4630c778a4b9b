"""Tests of the summarization task: sources, errors, packing and ROUGE."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from suite.api import DataError, SourceRequest
from suite.worker.train.evaluation import scores_without_part
from tasks.common.text_to_text import END, find_references
from tasks.summarization.synthetic_reports import TOPICS, draw_reports
from tasks.summarization.task import TASK, score_summaries

PAIRS = [(f"the report number {n} is about a long road", f"road {n}") for n in range(30)]


def write(folder, splits=("train", "test"), pairs=PAIRS, names=("text", "summary")):
    for split in splits:
        rows = [json.dumps(dict(zip(names, pair, strict=True))) for pair in pairs]
        (folder / f"{split}.jsonl").write_text("\n".join(rows))
    return SourceRequest("files", str(folder))


def load(folder, length=32, **options):
    return TASK.load(write(folder), length, {"vocabulary": 300, **options})


@pytest.mark.parametrize(
    ("answer", "reference", "rouge_1", "rouge_2", "rouge_l"),
    [
        ("police kill the gunman", "police killed the gunman", 1, 1, 1),  # stems are equal
        ("the gunman kill police", "police killed the gunman", 1, 1 / 3, 1 / 2),
        ("police", "police killed the gunman", 2 / 5, 0, 2 / 5),
        ("Police, police!", "police killed the gunman", 1 / 3, 0, 1 / 3),
        ("", "police killed the gunman", 0, 0, 0),
    ],
)
def test_rouge_by_hand(answer, reference, rouge_1, rouge_2, rouge_l):
    score = score_summaries([answer, "same"], [reference, "same"])
    expected = {"rouge_1": rouge_1, "rouge_2": rouge_2, "rouge_l": rouge_l}
    # A single word has no pair of words, so the second summary scores 0 in ROUGE-2.
    others = {"rouge_1": 1, "rouge_2": 0, "rouge_l": 1}
    means = {name: (value + others[name]) / 2 for name, value in expected.items()}
    assert score.metrics == pytest.approx(means)
    assert score.reports["empty_answers"] == (answer == "")


def test_references_score_1_and_a_tenth_of_train_is_validation(tmp_path):
    data = load(tmp_path)
    assert data.facts["examples"] == {"train": 27, "validation": 3, "test": 30}
    assert data.facts["reports_cut"] == {"train": 0, "validation": 0, "test": 0}
    score = TASK.score(data.test, data.test.targets["next_ids"], data.spec)
    assert score.metrics == pytest.approx({"rouge_1": 1, "rouge_2": 1, "rouge_l": 1})
    shown = TASK.show(data.test, data.test.targets["next_ids"], data.spec)
    assert shown[3].input == PAIRS[3][0] and shown[3].answer == "road 3" and shown[3].right


@pytest.mark.parametrize("packed", [False, True])
def test_the_trivial_prediction_is_the_first_summary_of_train(tmp_path, packed):
    data = load(tmp_path, 64, packed=packed)
    assert (data.test.targets["pairs"].max() > 1) == packed
    answers = TASK.predict_trivial(data.train, data.test, data.spec)
    score = TASK.score(data.test, answers, data.spec)
    assert score.reports["summaries"] == len(PAIRS) and score.reports["empty_answers"] == 0
    # "road" is right everywhere, the number once at most.
    assert 0.5 <= score.metrics["rouge_1"] <= 0.5 + 1 / len(PAIRS)


@pytest.mark.parametrize("packed", [False, True])
def test_each_answer_keeps_its_reference_without_other_parts(tmp_path, packed):
    """The references of a split without a middle part are those of the examples that remain."""
    data = load(tmp_path, 64, packed=packed)
    right = data.test.targets["next_ids"]
    parts = scores_without_part(TASK, data.test, right, data.spec)
    assert parts["rouge_1"] == pytest.approx([1] * len(parts["rouge_1"]))
    assert find_references(data.test, data.spec) == [summary for _, summary in PAIRS]


def test_long_texts_and_summaries_lose_their_ends_and_references_do_not(tmp_path):
    data = load(tmp_path, 4)
    assert data.facts["reports_cut"]["test"] == len(PAIRS)
    assert (data.test.features["token_ids"] == END).sum() == len(PAIRS)
    assert find_references(data.test, data.spec)[7] == "road 7"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "test.jsonl").unlink(), r"test\.jsonl, \.tsv or \.csv.*none of them in"),
        (lambda f: (f / "train.jsonl").write_text('{"a": 1}'), "for the text: one of text.*: a in"),
        (lambda f: (f / "train.jsonl").write_text('{"text": "a", "target": "b"}\n1'), ":2"),
        (lambda f: write(f, ["test"], [("a", "")]), r"a text and a summary.*no summary at .*:1"),
        (lambda f: write(f, ["test"], [("a", " ")]), r"no summary at .*test\.jsonl:1"),
        (lambda f: write(f, ["test"], names=("text", "gist")), "--option summary_column=NAME"),
        (lambda f: (f / "test.tsv").write_text("text\tsummary\n"), "test.jsonl, test.tsv in"),
    ],
)
def test_errors_name_the_file_and_the_line(tmp_path, change, message):
    request = write(tmp_path)
    assert TASK.inspect(request, {})
    change(tmp_path)
    with pytest.raises(DataError, match=message):
        TASK.inspect(request, {})


def test_columns_may_be_named(tmp_path):
    request = write(tmp_path, names=("body", "gist"))
    named = {"text_column": "body", "summary_column": "gist", "vocabulary": 300}
    assert TASK.inspect(request, named)
    assert TASK.load(request, 32, named).facts["examples"]["test"] == len(PAIRS)


class Briefs(tfds.core.GeneratorBasedBuilder):
    """A data set with the columns of cnn_dailymail."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        columns = ("article", "highlights")
        features = {name: tfds.features.Text() for name in (*columns, "id")}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features), supervised_keys=columns
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples() for split in ("train", "validation", "test")}

    def _generate_examples(self):
        for number, (text, summary) in enumerate(PAIRS):
            yield number, {"article": text, "highlights": summary, "id": str(number)}


def test_a_prepared_data_set_names_its_own_columns(tmp_path):
    Briefs(data_dir=tmp_path).download_and_prepare()
    request = SourceRequest("tfds", "briefs", data_dir=str(tmp_path))
    assert TASK.inspect(request, {})
    data = TASK.load(request, 32, {"vocabulary": 300})
    assert data.facts["examples"] == {"train": 30, "validation": 30, "test": 30}
    assert sorted(data.spec["references"][2]) == sorted(summary for _, summary in PAIRS)
    with pytest.raises(DataError, match="Received: article, highlights, id in briefs"):
        TASK.load(request, 32, {"summary_column": "gist"})


@pytest.mark.parametrize("key_sentences", [1, 3])
def test_a_summary_lists_the_facts_of_the_key_sentences_in_the_order_of_topics(key_sentences):
    firsts = []
    for report, summary in draw_reports(128, 60, key_sentences)["train"]:
        facts = [fact.split() for fact in summary.removesuffix(".").split(". ")]
        topics = [topic for topic, _, _ in facts]
        assert len(topics) == key_sentences
        for time in ("today the {} is", "once the {} was"):
            assert topics == [topic for topic in TOPICS if time.format(topic) in report]
        for topic, adjective, noun in facts:
            assert report.count(f"today the {topic} is {adjective} {noun}.") == 1
        firsts.append(report.index("today "))
    assert np.ptp(firsts) > 100


def test_generated_reports_fill_the_length():
    data = TASK.load(SourceRequest("synthetic"), 128, {"train_examples": 100})
    assert data.facts["reports_cut"] == {"train": 0, "validation": 0, "test": 0}
    assert data.test.features["padding_mask"].all()
