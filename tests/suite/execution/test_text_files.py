"""Texts of a user's file, in each format; empty texts get no prediction."""

from __future__ import annotations

import json

import pytest

from suite.api import DataError
from suite.api.plugins import TASKS, find_plugin
from suite.execution import prediction
from suite.execution.prediction import read_texts

MARK = "\ufeff"


def task(name):
    return find_plugin(TASKS, name)


def write(folder, name, text):
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("mark", ["", MARK])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_text_file_has_a_text_on_each_line(tmp_path, mark, end):
    lines = ["Mara saw Oslo", "", "third\u2028é\x85", "a\u00a0b "]
    path = write(tmp_path, "texts.txt", mark + end.join(lines))
    assert read_texts(path) == lines
    assert read_texts(write(tmp_path, "texts.txt", mark + end.join([*lines, ""]))) == lines


@pytest.mark.parametrize("mark", ["", MARK])
def test_an_empty_file_has_no_text(tmp_path, mark):
    assert read_texts(write(tmp_path, "texts.txt", mark)) == []
    assert read_texts(write(tmp_path, "texts.txt", mark + "\n")) == [""]


@pytest.mark.parametrize("mark", ["", MARK])
def test_a_jsonl_file_has_texts_in_quotes_or_objects(tmp_path, mark):
    text = mark + '"a"\n\n' + json.dumps({"text": "b\nc", "id": 1}) + "\n"
    assert read_texts(write(tmp_path, "texts.jsonl", text)) == ["a", "b\nc"]


@pytest.mark.parametrize("mark", ["", MARK])
def test_a_table_has_a_header_as_in_training(tmp_path, mark):
    text = mark + 'id,Review\n1,"fine, ""really"""\n\n2,\n3,"two\nlines"\n'
    texts = ['fine, "really"', "", "two\nlines"]
    path = write(tmp_path, "texts.csv", text)
    assert read_texts(path, task("sentiment")) == texts
    named = write(tmp_path, "texts.tsv", mark + 'Body\tstars\r\n"a\t3\r\nb\t5\r\n')
    assert read_texts(named, task("sentiment"), {"text_column": "body"}) == ['"a', "b"]
    asked = write(tmp_path, "asked.csv", 'context,question\n"Oslo, today",Where?\n')
    assert read_texts(asked, task("question_answering")) == ["Where?\tOslo, today"]
    asked.write_text('question,context\n"Where\tis it?","In\tOslo"\n')
    assert read_texts(asked, task("question_answering")) == ["Where is it?\tIn\tOslo"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("texts.jsonl", '"a"\n{}\n', r"texts\.jsonl:2"),
        ("texts.jsonl", '"a"\n3\n', r"texts\.jsonl:2"),
        ("texts.jsonl", '"a"\nnot json\n', r"texts\.jsonl:2"),
        ("texts.jsonl", '"a"\n{"text": 3}\n', r"text at .*texts\.jsonl:2"),
        ("texts.csv", "id,comment\n1,fine\n", r"such as 'text'.*id, comment at .*texts\.csv:2"),
        ("texts.csv", "text,id\nfine\n", r"2 columns, like the header.*1 columns at .*:2"),
        ("texts.csv", 'text\n"fine\n', "must end with a quote"),
    ],
)
def test_a_line_without_a_text_is_refused_with_its_place(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message):
        read_texts(write(tmp_path, name, content))


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_texts(tmp_path / "none.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="UTF-8"):
        read_texts(tmp_path / "binary.txt")


class Kept:
    """Kept weights of a task; no model is built."""

    def __init__(self, name):
        self.cell = type("Cell", (), {"task": name, "options": {}})()


def test_an_empty_line_gets_none_and_other_texts_keep_their_numbers(tmp_path, monkeypatch):
    asked = []

    def predict(kept, texts, search_path):
        asked.append(texts)
        return [text.split() for text in texts]

    monkeypatch.setattr(prediction, "predict", predict)
    path = write(tmp_path, "texts.txt", MARK + "Mara saw Oslo\n\n\u00a0\nshe left\n")
    found = prediction.predict_file(Kept("ner"), path, ())
    assert found == [["Mara", "saw", "Oslo"], None, None, ["she", "left"]]
    assert asked == [["Mara saw Oslo", "Mara saw Oslo", "Mara saw Oslo", "she left"]]
    blank = write(tmp_path, "blank.txt", "\n \n")
    assert prediction.predict_file(Kept("ner"), blank, ()) == [None, None]
    assert len(asked) == 1


def test_a_model_whose_task_reads_no_raw_input_says_so(tmp_path):
    path = write(tmp_path, "texts.txt", "1 2 3\n")
    with pytest.raises(Exception, match="a model of listops, whose data is generated"):
        prediction.predict_file(Kept("listops"), path, ())


def test_words_are_parted_by_spaces_and_tabs_alone_as_in_column_files():
    ner = task("ner")
    data = ner.encode_raw(["New\u00a0York is\tbig"], 8, SPEC)
    assert data.features["padding_mask"].sum() == 3


SPEC = {
    "sizes": {},
    "names": {"words": ["<unk>", "is"], "shapes": [], "affixes": [], "characters": []},
}
