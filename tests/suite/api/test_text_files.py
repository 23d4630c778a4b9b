"""Tests of users' text files: line ends, and the rows of tables."""

from __future__ import annotations

import pytest

from suite.api import DataError, read_rows, read_text


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_all_line_ends_are_read_as_line_feeds(tmp_path, line_end, mark):
    path = tmp_path / "text.txt"
    path.write_bytes((mark + line_end.join(["one", "", "two", ""])).encode())
    assert read_text(path) == "one\n\ntwo\n"
    path.write_bytes((mark + line_end.join(["one", "two", ""])).encode() + b"caf\xe9")
    with pytest.raises(DataError, match=r"byte 0xe9 at .*text\.txt:3"):
        read_text(path)


def test_other_separators_are_characters(tmp_path):
    text = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei\n"
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    assert read_text(tmp_path / "text.txt") == text


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "train.jsonl").mkdir()
    with pytest.raises(DataError, match=r"must be readable.*train\.jsonl \("):
        read_text(tmp_path / "train.jsonl")


def test_a_file_of_white_space_is_empty_unless_it_may_be_blank(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n \n")
    assert read_text(path, may_be_blank=True) == "\n \n"
    for content in ("\n \n", "\ufeff", "\ufeff\r\n", "\u00a0\u3000"):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=r"must not be empty.*text\.txt"):
            read_text(path)


def test_rows_are_values_by_column_and_a_line_of_json_is_any_value(tmp_path):
    table, lines = tmp_path / "t.csv", tmp_path / "t.jsonl"
    table.write_text('\n  \nid,text\n1,"two\nlines"\n \n2,\n')
    lines.write_text('\n{"id": 1, "text": [{"a": 2}]}\n"a text"\n3')
    assert list(read_rows(table)) == [
        ({"id": "1", "text": "two\nlines"}, f"{table}:4"),
        ({"id": "2", "text": ""}, f"{table}:7"),
    ]
    (first, _), *others = read_rows(lines)
    assert first["id"] == 1 and isinstance(first["text"][0], list)
    assert others == [("a text", f"{lines}:3"), (3, f"{lines}:4")]
    lines.write_text('{"a": 1}\n{"a": 1\n')
    with pytest.raises(DataError, match=r"must be JSON.*t\.jsonl:2"):
        list(read_rows(lines))


@pytest.mark.parametrize("mark", ["\ufeff", ""])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_a_file_in_utf_16_is_named_so(tmp_path, encoding, mark):
    path = tmp_path / "t.csv"
    path.write_bytes(f"{mark}text,label\na,b\n".encode(encoding))
    with pytest.raises(DataError, match=r"t\.csv in UTF-16"):
        read_text(path)


def test_quotes_of_tsv_are_those_of_csv_if_all_are_well_formed(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text('text\tlabel\n"say ""no"""\tneg\n5" disk\tpos\n"x"\t"pos"\n')
    rows = [tuple(row.values()) for row, _ in read_rows(path)]
    assert rows == [('say "no"', "neg"), ('5" disk', "pos"), ("x", "pos")]
    path.write_text('text\tlabel\n"Great," he said\tpos\n"Wow!"\tpos\n"\tneg\n')
    assert [row["text"] for row, _ in read_rows(path)] == ['"Great," he said', '"Wow!"', '"']


def test_a_quote_after_a_space_is_an_error_with_its_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('text,label\na,b\ngood film, "pos"\n')
    with pytest.raises(DataError, match=r"t\.csv:3"):
        list(read_rows(path))
    path.write_text('text,label\n" ""quoted""",pos\n"a, ""b"""," pos"\n')
    assert [row["text"] for row, _ in read_rows(path)] == [' "quoted"', 'a, "b"']


def test_an_empty_value_of_a_single_column_is_a_row(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('text\nfirst\n""\n\nlast\n')
    assert [row["text"] for row, _ in read_rows(path)] == ["first", "", "last"]
