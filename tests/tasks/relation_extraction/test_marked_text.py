"""Files of marked sentences: formats, and errors with file and line."""

from __future__ import annotations

import json

import pytest

from suite.api import DataError, SourceRequest
from tasks.relation_extraction.marked_text import read_splits
from tasks.relation_extraction.task import TASK
from tests.builders.marked_sentences import ROWS, write_table


def write_official(path, rows, line_end="\r\n"):
    examples = [
        f'{number}\t"{text}"\n{label}\nComment: {number}\n\n'
        for number, (text, label) in enumerate(rows, start=1)
    ]
    path.write_text("".join(examples).replace("\n", line_end), encoding="utf-8", newline="")


def test_all_formats_give_the_same_sentences(tmp_path):
    for name in ("tables", "official"):
        (tmp_path / name).mkdir()
    write_table(tmp_path / "tables" / "train.tsv", ROWS, ("Sentence", "Relation"))
    lines = [json.dumps({"id": 1, "sentence": text, "relation": label}) for text, label in ROWS]
    (tmp_path / "tables" / "test.jsonl").write_text("\n".join(lines))
    write_official(tmp_path / "official" / "TRAIN_FILE.TXT", ROWS)
    write_official(tmp_path / "official" / "TEST_FILE_FULL.TXT", ROWS, "\n")
    for name in ("tables", "official"):
        assert read_splits(tmp_path / name) == {"train": ROWS, "test": ROWS}


def test_characters_at_which_splitlines_cuts_are_text(tmp_path):
    rows = [(f"<e1>a\u2028b</e1> \x85 <e2>c\x0cd</e2> {number}", "Other") for number in range(3)]
    rows.append(("<e1>x</e1> <e2>y</e2>", "Cause-Effect(e1,e2)"))
    write_official(tmp_path / "TRAIN_FILE.TXT", rows)
    write_official(tmp_path / "TEST_FILE_FULL.TXT", rows)
    assert read_splits(tmp_path) == {"train": rows, "test": rows}


def message_for(tmp_path, name, content):
    """Return the error of a train file; the test file is right."""
    write_table(tmp_path / "test.tsv", ROWS[:1])
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError) as caught:
        TASK.inspect(SourceRequest("files", str(tmp_path)), {})
    message = str(caught.value)
    assert "\n" not in message and "Received: " in message
    return message


SENTENCE = '1\t"<e1>a</e1> <e2>b</e2>"\n'
GOOD = "<e1>a</e1> <e2>b</e2>\tOther\n"


@pytest.mark.parametrize(
    ("row", "received"),
    [
        ("no marker\tOther", "markers none at"),
        ("<e1>a</e1> b\tOther", "markers <e1> </e1> at"),
        ("<e1>a <e2>b</e2> c</e1>\tOther", "markers <e1> <e2> </e2> </e1> at"),
        ("<e1>a</e1> <e1>b</e1>\tOther", "markers <e1> </e1> <e1> </e1> at"),
        ("<e1>a</e1> <e2> </e2>\tOther", "no text after <e2> at"),
        ("<e1>a</e1> <e2>b</e2>\tCause(e1)", "'Cause(e1)' at"),
        ("<e1>a</e1> <e2>b</e2>\t", "no label at"),
        ("<e1>a</e1> <e2>b</e2>", "1 columns at"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path, row, received):
    message = message_for(tmp_path, "train.tsv", f"text\tlabel\n{GOOD}{row}\n")
    assert received in message and "train.tsv:3" in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"{SENTENCE}Other\n\n2\tno quotes\n", "'2\\tno quotes' at"),
        (f"{SENTENCE}Other\nComment: fine\nmore\n", "'more' at"),
        (f"{SENTENCE}{SENTENCE}Other\n", "a sentence without a label at"),
        (SENTENCE, "a sentence without a label at"),
        (f"{SENTENCE}\nOther\n", "a sentence without a label at"),
    ],
)
def test_a_bad_official_file_is_named_with_its_line(tmp_path, content, expected):
    message = message_for(tmp_path, "train.txt", content)
    assert expected in message and "train.txt:" in message


def test_labels_of_a_split_must_be_known_from_train(tmp_path):
    write_table(tmp_path / "train.tsv", ROWS[:1] + ROWS[3:])
    # The other direction of a known relation is known.
    write_table(tmp_path / "test.tsv", [(ROWS[0][0], "Cause-Effect(e1,e2)")])
    assert len(read_splits(tmp_path)["test"]) == 1
    write_table(tmp_path / "test.tsv", [ROWS[0], ROWS[1]])
    with pytest.raises(DataError, match=r"Every relation must occur .* at .*test.tsv:3; train has"):
        read_splits(tmp_path)


@pytest.mark.parametrize("labels", [("Other", "Other"), ("sibling", "sibling")])
def test_train_needs_two_labels_and_a_relation(tmp_path, labels):
    write_table(tmp_path / "train.tsv", [(ROWS[0][0], label) for label in labels])
    write_table(tmp_path / "test.tsv", ROWS[3:])
    with pytest.raises(DataError, match="at least two labels, one of them a relation"):
        read_splits(tmp_path)


def test_a_missing_folder_or_split_is_an_error(tmp_path):
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(DataError, match="folder of labelled sentences"):
            TASK.inspect(SourceRequest("files", str(folder)), {})


def test_columns_can_be_named(tmp_path):
    for name in ("train.tsv", "test.tsv"):
        write_table(tmp_path / name, ROWS, ("words", "answer"))
    assert read_splits(tmp_path, "words", "answer")["test"] == ROWS
    with pytest.raises(DataError, match=r"column for the text: one of text, sentence.*text_column"):
        read_splits(tmp_path)
