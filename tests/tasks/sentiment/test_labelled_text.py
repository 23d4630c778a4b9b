"""Tests of labelled texts: formats, cutting and errors with file and line."""

from __future__ import annotations

import json

import pytest

from suite.api import DataError, SourceRequest
from tasks.sentiment.labelled_text import read_splits
from tasks.sentiment.task import TASK

UNUSUAL = ["plain", "émoji 🎉 and combining é", "‏עברית العربية", "NUL \0 inside", "x" * 100_000]


def write_table(folder, name, rows, header=("text", "label"), separator="\t"):
    folder.mkdir(exist_ok=True)
    lines = [separator.join(row) for row in [header, *rows]]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def label_alternately(texts=UNUSUAL):
    return [(text, ("good", "bad")[index % 2]) for index, text in enumerate(texts)]


def write_jsonl(folder, name, rows):
    lines = [json.dumps({"review": text, "sentiment": label}) for text, label in rows]
    (folder / name).write_text("\n".join(lines))


def test_all_formats_give_the_same_texts(tmp_path):
    write_table(tmp_path / "tsv", "train.tsv", label_alternately())
    write_table(tmp_path / "tsv", "test.tsv", label_alternately())
    write_table(
        tmp_path / "csv",
        "train.csv",
        [(f'"{text}"', label) for text, label in label_alternately()],
        ("Review", "Sentiment"),
        ",",
    )
    (tmp_path / "json").mkdir()
    write_jsonl(tmp_path / "json", "train.jsonl", label_alternately())
    write_jsonl(tmp_path / "csv", "test.jsonl", label_alternately())
    write_jsonl(tmp_path / "json", "test.jsonl", label_alternately())
    for name in ("train", "test"):
        for index, (text, label) in enumerate(label_alternately()):
            label_folder = tmp_path / "folders" / name / label
            label_folder.mkdir(parents=True, exist_ok=True)
            (label_folder / f"{index}.txt").write_text(text, encoding="utf-8")
    expected = sorted(label_alternately())
    for name in ("tsv", "csv", "json", "folders"):
        splits = read_splits(tmp_path / name)
        assert sorted(splits["train"]) == expected, name
        assert sorted(splits["test"]) == expected, name


def test_a_long_text_keeps_both_ends_or_for_bytes_the_beginning(tmp_path):
    text = "".join(chr(ord("a") + number) for number in range(20))
    write_table(tmp_path, "train.tsv", [(text, "good"), (text, "bad")] * 10)
    write_table(tmp_path, "test.tsv", [(text, "good"), (text, "bad")])
    request = SourceRequest("files", str(tmp_path))
    for units, kept in (("characters", text[:2] + text[-6:]), ("bytes", text[:8])):
        whole = TASK.load(request, len(text), {"units": units}).test.features["token_ids"][0]
        data = TASK.load(request, 8, {"units": units})
        character_of = dict(zip(whole, text, strict=True))
        assert "".join(character_of[token] for token in data.test.features["token_ids"][0]) == kept
        assert data.facts["texts_cut"]["test"] == 2


@pytest.mark.parametrize("units", ["subwords", "bytes", "characters"])
def test_unusual_texts_are_encoded_and_cut(tmp_path, units):
    rows = label_alternately([*UNUSUAL, *(f"text number {number}" for number in range(20))])
    for name in ("train.tsv", "test.tsv"):
        write_table(tmp_path, name, rows)
    request = SourceRequest("files", str(tmp_path))
    data = TASK.load(request, 32, {"units": units, "vocabulary": 200})
    assert data.test.features["token_ids"].shape == (25, 32)
    assert data.test.features["padding_mask"].any(axis=1).all()
    assert data.facts["texts_cut"]["test"] >= 1
    assert data.facts["shared_with_train"]["test"] >= 20
    assert data.facts["examples"] == {"train": 23, "validation": 2, "test": 25}
    assert data.facts["redistributable"] is False
    assert data.test.features["token_ids"].max() < data.spec["vocabulary_size"]


def error_message(tmp_path, content: bytes, name="train.tsv", options=()):
    write_table(tmp_path, "test.tsv", label_alternately())
    (tmp_path / name).write_bytes(content)
    options = {**TASK.options, **dict(options)}
    with pytest.raises(DataError) as caught:
        TASK.inspect(SourceRequest("files", str(tmp_path)), options)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (b"", "train.tsv", "train.tsv"),
        (b"text\tlabel\nfine\tgood\nno tab\n", "train.tsv", "train.tsv:3"),
        (b"text\tlabel\nfine\t\n", "train.tsv", "train.tsv:2"),
        (b"words\tlabel\nfine\tgood\n", "train.tsv", "text_column"),
        (b"text\tlabel\nfine\tgood\nalso\tgood\n", "train.tsv", "at least two labels"),
        (b"text\tlabel\nca\xe9\tgood\n", "train.tsv", "train.tsv:2"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "train.tsv", "0x89"),
        (b'{"text": "a", "label": "b"}\nnot json\n', "train.jsonl", "train.jsonl:2"),
        (b"text\tlabel\na\tx\nb\ty\n", "train.tsv", "test.tsv:2"),
        (b"text\tlabel\na\tgood\nb\tbad\n", "train.tsv", "at least 10 examples"),
        (b'text,label\na,good\n"b,bad\n', "train.csv", "train.csv:3"),
    ],
)
def test_errors_are_one_line_with_file_and_line(tmp_path, content, name, expected):
    assert expected in error_message(tmp_path, content, name)


def test_columns_can_be_named(tmp_path):
    for name in ("train.tsv", "test.tsv"):
        write_table(tmp_path, name, label_alternately(UNUSUAL[:4] * 3), ("words", "stars"))
    options = {**TASK.options, "text_column": "words", "label_column": "stars"}
    assert TASK.inspect(SourceRequest("files", str(tmp_path)), options)
    assert "no_such" in error_message(
        tmp_path, b"text\tlabel\na\tb\n", options=[("text_column", "no_such")]
    )


@pytest.mark.slow  # 50,000 reviews
def test_imdb_is_read_and_its_overlap_is_counted(tfds_data_dir):
    source = SourceRequest("tfds", data_dir=str(tfds_data_dir))
    data = TASK.load(source, 64, {"units": "bytes"})
    assert data.facts["examples"] == {"train": 22_500, "validation": 2_500, "test": 25_000}
    # The source's splits share 123 texts; some of them are in the held-out part of train.
    assert 100 <= data.facts["shared_with_train"]["test"] <= 123
    assert data.spec["classes"] == ["neg", "pos"]


def test_a_missing_folder_or_split_is_an_error(tmp_path):
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(DataError, match="folder of labelled texts"):
            TASK.inspect(SourceRequest("files", str(folder)), TASK.options)


def test_a_single_table_is_to_be_split_into_train_and_test(tmp_path):
    write_table(tmp_path, "reviews.csv", label_alternately(), separator=",")
    with pytest.raises(DataError, match=r"Split this file into train\.csv and test\.csv"):
        TASK.inspect(SourceRequest("files", str(tmp_path / "reviews.csv")), TASK.options)


@pytest.mark.parametrize("units", ["subwords", "bytes", "characters"])
def test_lone_surrogates_are_equal_for_all_units(tmp_path, units):
    rows = [(f"text {number} \ud83d", ("good", "bad")[number % 2]) for number in range(20)]
    write_jsonl(tmp_path, "train.jsonl", rows)
    write_jsonl(tmp_path, "test.jsonl", [("great film \ud83d", "good"), ("fine \U0001f600", "bad")])
    data = TASK.load(SourceRequest("files", str(tmp_path)), 16, {"units": units})
    assert data.facts["replaced_surrogates"] == {"train": 20, "test": 1}
    assert data.spec["shown"] == ["great film ?", "fine \U0001f600"]
    json.dumps(data.spec, ensure_ascii=False).encode()
