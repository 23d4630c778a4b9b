"""Tests of the readers of questions: SQuAD's files and prepared data sets."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from suite.api import DataError, SourceRequest
from tasks.question_answering.squad import read_squad_folder
from tasks.question_answering.task import TASK
from tests.builders.squad import LYON, article, request_for, write_squad


def test_dev_is_the_test_split_and_a_tenth_of_train_s_contexts_is_validation(tmp_path):
    write_squad(tmp_path)
    splits = read_squad_folder(tmp_path)
    assert len(splits["train"]) + len(splits["validation"]) == 18 and len(splits["test"]) == 6
    contexts = {name: {asked.context for asked in found} for name, found in splits.items()}
    assert (len(contexts["train"]), len(contexts["validation"])) == (11, 1)
    assert not contexts["train"] & contexts["validation"]
    first = splits["test"][0]
    assert first.text == "Which river does Lyon lie on?" and first.context == f"{LYON} 0"
    assert first.answers == (("the Rhône", 13), ("Rhône", 17))


def test_given_splits_are_kept(tmp_path):
    write_squad(tmp_path, splits=(("train", 1), ("dev", 2), ("test", 3)))
    splits = read_squad_folder(tmp_path)
    assert [len(splits[name]) for name in ("train", "validation", "test")] == [3, 6, 9]


def test_questions_of_v2_may_have_no_answer(tmp_path):
    write_squad(tmp_path, "2.0")
    test = read_squad_folder(tmp_path)["test"]
    assert [asked.text for asked in test if not asked.answers] == ["Why?", "Why?"]


def edit(change, name="train-v1.1.json"):
    def apply(folder):
        content = json.loads((folder / name).read_text())
        change(content["data"][2]["paragraphs"][1]["qas"][0])
        (folder / name).write_text(json.dumps(content))

    return apply


def write(text, name="dev-v1.1.json"):
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (write('{"data": [\n{]}'), r"must be JSON.*at .*dev-v1\.1\.json:2"),
        (write('{"data": []}'), "at least one question"),
        (write("[]"), "a list 'data' is missing. Received: none at"),
        (write('{"data": [{"paragraphs": 3}]}'), r"Received: 3 at .*json: data\[0\]"),
        (write("{}", "train-v2.0.json"), "one file train.*train-v1.1.json, train-v2.0.json"),
        (lambda folder: (folder / "dev-v1.1.json").unlink(), "Received: train-v1.1.json in"),
        (edit(lambda asked: asked.pop("question")), r"'question'.*data\[2\].paragraphs\[1\].qas"),
        (edit(lambda asked: asked.update(answers=[])), '"is_impossible": true'),
        (edit(lambda asked: asked.update(answers=["noon"])), "a text 'text' is missing"),
        (
            edit(lambda asked: asked["answers"][0].update(answer_start=1)),
            r"'slo is ' at 1 instead of 'at noon', in .*qas\[0\].*not bytes",
        ),
        (edit(lambda asked: asked["answers"][0].update(answer_start=-1)), "instead of 'at noon'"),
        (edit(lambda asked: asked["answers"][0].update(answer_start="9")), "a number 'answer_st"),
    ],
)
def test_errors_name_the_file_and_the_place(tmp_path, change, message):
    write_squad(tmp_path)
    assert TASK.inspect(request_for(tmp_path), {})
    change(tmp_path)
    with pytest.raises(DataError, match=message):
        TASK.inspect(request_for(tmp_path), {})


def test_a_folder_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(DataError, match="must exist"):
        TASK.inspect(request_for(tmp_path / "none"), {})


ANSWERS = tfds.features.Sequence({"text": tfds.features.Text(), "answer_start": np.int32})
FEATURES = {
    "id": tfds.features.Text(),
    "title": tfds.features.Text(),
    "context": tfds.features.Text(),
    "question": tfds.features.Text(),
    "answers": ANSWERS,
}
"""The features of TFDS's `squad/v1.1`."""


def prepare(folder, config, features, train, validation):
    """Write a prepared data set, as TFDS would."""
    tfds.dataset_builders.store_as_tfds_dataset(
        name="squad",
        config=config,
        version="3.0.0",
        data_dir=folder,
        features=tfds.features.FeaturesDict(features),
        split_datasets={
            "train": list(enumerate(train)),
            "validation": list(enumerate(validation)),
        },
    )
    return SourceRequest("tfds", f"squad/{config}", data_dir=str(folder))


def examples(count, unanswerable=False):
    """Return the questions of articles as TFDS stores them."""
    found = []
    for number in range(count):
        content = article(number, unanswerable)
        for paragraph in content["paragraphs"]:
            for asked in paragraph["qas"]:
                example = {
                    "id": asked["id"],
                    "title": content["title"],
                    "context": paragraph["context"],
                    "question": asked["question"],
                    "answers": asked["answers"],
                }
                if unanswerable:
                    answers = [] if asked["answers"] else [{"text": "Lyon", "answer_start": 0}]
                    flag = asked["is_impossible"]
                    example |= {"is_impossible": flag, "plausible_answers": answers}
                found.append(example)
    return found


@pytest.mark.parametrize("unanswerable", [False, True])
def test_a_prepared_squad_equals_its_files(tmp_path, unanswerable):
    features = {**FEATURES}
    version = "2.0" if unanswerable else "1.1"
    if unanswerable:
        features |= {"is_impossible": np.bool_, "plausible_answers": ANSWERS}
    train, dev = examples(6, unanswerable), examples(2, unanswerable)
    request = prepare(tmp_path / "tfds", f"v{version}", features, train, dev)
    write_squad(tmp_path, version)
    assert TASK.inspect(request, {})
    data = TASK.load(request, 64, {"vocabulary": 300})
    assert data.facts["tfds_name"] == "squad" and data.facts["tfds_version"] == "3.0.0"
    written = read_squad_folder(tmp_path)["test"]
    assert data.spec["unanswerable"] == unanswerable
    numbers = data.test.targets["question"].tolist()
    stored = {tuple(data.spec["gold_answers"][number]) for number in numbers}
    assert stored == {tuple(text for text, _ in asked.answers) for asked in written}
    assert data.facts["examples"]["test"] == len(written) == data.test.num_examples


def test_a_data_set_without_questions_is_an_error(tmp_path):
    features = {"text": tfds.features.Text()}
    request = prepare(tmp_path, "v1.1", features, [{"text": "a"}], [{"text": "b"}])
    with pytest.raises(DataError, match=r"answers, context, question\. Received: text in squad/v1"):
        TASK.load(request, 64, {})


@pytest.mark.parametrize("content", ["9" * 5_000, "[" * 100_000, '{"data": [}'])
def test_a_file_that_python_cannot_read_as_json_is_named(tmp_path, content):
    write_squad(tmp_path)
    (path,) = tmp_path.glob("train*.json")
    path.write_text(content)
    with pytest.raises(DataError, match=rf"must be JSON\. Received: .* at {path}"):
        read_squad_folder(tmp_path)


@pytest.mark.parametrize(("stated", "count"), [("True", 1), ("true", 1), ("false", 0), ("", 0)])
def test_is_impossible_may_be_a_text(tmp_path, stated, count):
    write_squad(tmp_path)
    edit(lambda asked: asked.update(is_impossible=stated))(tmp_path)
    splits = read_squad_folder(tmp_path)
    found = [asked for split in splits.values() for asked in split if not asked.answers]
    assert len(found) == count
    edit(lambda asked: asked.update(is_impossible="perhaps"))(tmp_path)
    with pytest.raises(DataError, match=r"'perhaps' at .*qas\[0\]"):
        read_squad_folder(tmp_path)
