"""Tests of tables: quotes, missing values, names of columns, and characters that end no line."""

from __future__ import annotations

import json

import pytest

from suite.api import DataError
from tasks.common.labelled_tables import read_table

SEPARATORS = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei"


def read(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8"))
    return [(text, label) for text, label, _ in read_table(path, ("text",), ("label",))]


def message_for(tmp_path, name, content):
    with pytest.raises(DataError) as caught:
        read(tmp_path, name, content)
    return str(caught.value)


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (["fine,pos", '"Bad,neg', "good,pos"], 3),
        (["fine,pos", "good,pos", '"bad,neg'], 4),
        (["fine,pos", '"bad" film,neg'], 3),
        (['"two', 'lines",pos', '"Bad,neg', 'a,"good"'], 4),
        (["fine,pos", '"Bad,neg', "good,pos", 'so so",neg'], 3),
    ],
)
def test_a_quote_that_does_not_end_is_named_with_the_line_where_its_row_begins(
    tmp_path, rows, line
):
    message = message_for(tmp_path, "train.csv", "\n".join(["text,label", *rows, ""]))
    assert f"train.csv:{line} " in message and "quote" in message


def test_rows_between_two_quotes_that_do_not_end_are_no_text_also_where_labels_come_first(tmp_path):
    rows = ["label,text", "pos,fine", 'neg,"Bad', "pos,good", 'neg,so so"']
    message = message_for(tmp_path, "train.csv", "\n".join(rows))
    assert "train.csv:3 " in message and "look like rows" in message
    rows[2:] = ['neg,"Bad', "in a line, it was", 'neg, too"']
    (_, (text, _)) = read(tmp_path, "train.csv", "\n".join(rows))
    assert text == "Bad\nin a line, it was\nneg, too"


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl"])
def test_characters_at_which_splitlines_cuts_end_no_row(tmp_path, name):
    rows = [(SEPARATORS, "pos"), ("plain", "neg")]
    if name.endswith("jsonl"):
        lines = [
            json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in rows
        ]
    else:
        between = "," if name.endswith("csv") else "\t"
        lines = [between.join(row) for row in [("text", "label"), *rows]]
    assert read(tmp_path, name, "\n".join([*lines, ""])) == rows


@pytest.mark.parametrize("value", ["", " ", "NaN", "nan", "NULL", "null"])
@pytest.mark.parametrize("column", ["text", "label"])
def test_a_missing_value_is_named_with_its_line(tmp_path, value, column):
    row = {"text": "fine", "label": "pos", column: value}
    for name, between in (("train.csv", ","), ("train.tsv", "\t")):
        lines = ["text,label", "good,pos", f"{row['text']},{row['label']}"]
        content = "\n".join(lines).replace(",", between)
        assert f"no {column} at {tmp_path / name}:3" in message_for(tmp_path, name, content)
    good = '{"text": "good", "label": "pos"}\n'
    content = good + json.dumps(row)
    assert f"no {column} at" in message_for(tmp_path, "train.jsonl", content)


@pytest.mark.parametrize("value", ["null", "NaN"])
def test_a_missing_value_of_json_is_named_with_its_line(tmp_path, value):
    content = f'{{"text": "good", "label": "pos"}}\n{{"text": {value}, "label": "pos"}}'
    assert "train.jsonl:2" in message_for(tmp_path, "train.jsonl", content)
    content = '{"text": ["a", "b"], "label": "pos"}'
    assert "must hold texts or numbers" in message_for(tmp_path, "train.jsonl", content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "text,label,text\na,b,c\n"),
        ("t.tsv", "Text\tlabel\ttext\na\tb\tc\n"),
        ("t.jsonl", '{"text": "a", "label": "b", "text": "c"}\n'),
    ],
)
def test_a_name_of_two_columns_is_an_error(tmp_path, name, content):
    message = message_for(tmp_path, name, content)
    assert "'text' more than once" in message and f"{name}:1" in message


def test_labels_and_names_of_columns_are_stripped(tmp_path):
    assert read(tmp_path, "t.csv", "text, label\n a , pos \nb,pos\n") == [
        (" a ", "pos"),
        ("b", "pos"),
    ]
    content = '{"text": "a", "label": " pos\\t"}\n{"text": 3, "label": 1}'
    assert read(tmp_path, "t.jsonl", content) == [("a", "pos"), ("3", "1")]


def test_a_label_in_quotes_is_no_class_of_its_own(tmp_path):
    content = 'text\tlabel\n"Great," he said\tpos\nfine\t"pos"\n'
    message = message_for(tmp_path, "t.tsv", content)
    assert "t.tsv:3" in message and "quotes" in message


def test_an_unnamed_index_column_is_harmless_or_named(tmp_path):
    assert read(tmp_path, "t.csv", ",text,label\n0,a,pos\n1,b,neg\n") == [
        ("a", "pos"),
        ("b", "neg"),
    ]
    message = message_for(tmp_path, "t.tsv", "text\tlabel\n0\ta\tpos\n")
    assert "t.tsv:2" in message and "likely an index" in message
