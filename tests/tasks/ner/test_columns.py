"""Tests of column files: reading, tag schemes and errors with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.api import DataError
from tasks.ner.columns import check_columns, read_column_file, read_column_folder
from tasks.ner.tag_schemes import InvalidTag, recognize_scheme, to_iob2

GOOD = "EU B-ORG\nrejects O\n\nPeter B-PER\nBlackburn I-PER\n"


def write(folder: Path, **contents: str | bytes) -> Path:
    for name in ("train", "valid", "test"):
        content = contents.get(name, GOOD)
        data = content.encode() if isinstance(content, str) else content
        (folder / f"{name}.txt").write_bytes(data)
    return folder


def test_blank_lines_and_document_marks_separate_sentences(tmp_path):
    text = "-DOCSTART- O\n\nEU B-ORG\nrejects O\n\n\nPeter\tB-PER\n\n-DOCSTART- O\n\nx O"
    folder = read_column_folder(write(tmp_path, train=text))
    assert folder.sentences["train"] == [
        (["EU", "rejects"], ["B-ORG", "O"]),
        (["Peter"], ["B-PER"]),
        (["x"], ["O"]),
    ]
    assert folder.facts == {"tag_scheme": "IOB2", "documents_marked": True}


def test_crlf_byte_order_mark_and_unusual_characters_are_read(tmp_path):
    content = "\ufeffnaïve O\r\n𝒳\u00a0y B-MISC\r\n\r\nשלום B-PER\r\n".encode()
    folder = read_column_folder(write(tmp_path, train=content))
    assert folder.sentences["train"] == [
        (["naïve", "𝒳\u00a0y"], ["O", "B-MISC"]),
        (["שלום"], ["B-PER"]),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"EU B-ORG\nrejects\n", "2 columns, like the first row. Received: 1 columns at"),
        (b"EU X B-ORG\nrejects O\n", "3 columns, like the first row. Received: 2 columns at"),
        (b"EU\nrejects\n", "at least 2 columns. Received: 1 columns at"),
        (b"EU B-ORG\n\xff\xfe O\n", "must be UTF-8. Received: byte 0xff at"),
        (b"", "must not be empty"),
        (b"\n-DOCSTART- O\n\n", "at least one sentence"),
        (b"EU ORG\n", "'ORG' is not a tag such as O, B-PER or I-PER at"),
        (b"EU I-ORG\nx O\ny B-ORG\n", "the tags mix two schemes at"),
        (b"EU B-ORG\ny E-PER\n", "continues an entity that no tag began at"),
        (b"EU B-ORG\ny I-ORG\n\nz S-PER\n", "has no E- tag at"),
    ],
)
def test_errors_name_file_and_line(tmp_path, content, message):
    with pytest.raises(DataError) as caught:
        read_column_folder(write(tmp_path, train=content))
    assert message in str(caught.value)
    assert "train.txt" in str(caught.value)


def test_errors_name_the_exact_line(tmp_path):
    with pytest.raises(DataError, match=r"train\.txt:4"):
        read_column_folder(write(tmp_path, train="a O\n\nb O\nc WRONG\n"))
    with pytest.raises(DataError, match=r"train\.txt:4"):
        read_column_file(write(tmp_path, train="a O\n\nb O\nc\n") / "train.txt")


def test_each_split_needs_exactly_one_file(tmp_path):
    write(tmp_path)
    (tmp_path / "train.conll").write_text(GOOD)
    with pytest.raises(DataError, match=r"Received: train\.conll, train\.txt"):
        read_column_folder(tmp_path)
    (tmp_path / "train.conll").unlink()
    (tmp_path / "test.txt").unlink()
    with pytest.raises(DataError, match="named test or testb"):
        read_column_folder(tmp_path)


SENTENCE = ["B-PER", "I-PER", "B-PER", "O", "B-ORG", "B-LOC", "I-LOC", "I-LOC"]


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("IOB2", SENTENCE),
        ("IOB1", ["I-PER", "I-PER", "B-PER", "O", "I-ORG", "I-LOC", "I-LOC", "I-LOC"]),
        ("BIOES", ["B-PER", "E-PER", "S-PER", "O", "S-ORG", "B-LOC", "I-LOC", "E-LOC"]),
        ("BIOES", ["B-PER", "L-PER", "U-PER", "O", "U-ORG", "B-LOC", "I-LOC", "L-LOC"]),
    ],
)
def test_every_scheme_is_recognized_and_converted_to_iob2(scheme, tags):
    assert recognize_scheme([tags]) == scheme
    assert to_iob2(tags, scheme) == SENTENCE


def test_an_invalid_tag_has_a_position():
    with pytest.raises(InvalidTag) as caught:
        recognize_scheme([["O"], ["O", "per"]])
    assert (caught.value.sentence, caught.value.word) == (1, 1)


def test_columns_between_word_and_tag_are_kept(tmp_path):
    folder = read_column_folder(
        write(tmp_path, train="EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nx Y Z O")
    )
    assert folder.columns["train"] == [["NNP", "B-NP"], ["VBZ", "B-VP"], ["Y", "Z"]]
    assert folder.columns["test"] == [[]] * 4


@pytest.mark.parametrize("other", [GOOD, "a X Y O\n"])
def test_all_files_need_the_same_columns(tmp_path, other):
    train = "EU NNP B-ORG\n"
    with pytest.raises(DataError, match="the same columns"):
        check_columns(
            read_column_folder(write(tmp_path, train=train, valid=other, test=train)), tmp_path
        )
    with pytest.raises(DataError, match="0 in train"):
        check_columns(read_column_folder(write(tmp_path)), tmp_path)
    check_columns(
        read_column_folder(write(tmp_path, train=train, valid=train, test=train)), tmp_path
    )


def test_characters_at_which_splitlines_cuts_are_parts_of_words(tmp_path):
    words = ["a\u2028b", "c\x85d", "e\x0cf", "g\x1ch", "i\x0bj"]
    content = "".join(f"{word} O\n" for word in words)
    folder = read_column_folder(write(tmp_path, train=content))
    assert folder.sentences["train"] == [(words, ["O"] * 5)]


@pytest.mark.parametrize(
    "names",
    [("eng.train", "eng.testa", "eng.testb"), ("esp.train.txt", "esp.testa.txt", "esp.testb.txt")],
)
def test_the_names_of_conll_2003_are_splits(tmp_path, names):
    for name, word in zip(names, "abc", strict=True):
        (tmp_path / name).write_text(f"{word} O\n")
    sentences = read_column_folder(tmp_path).sentences
    assert {split: found[0][0] for split, found in sentences.items()} == {
        "train": ["a"],
        "validation": ["b"],
        "test": ["c"],
    }


def test_comments_are_no_words_and_do_not_end_a_sentence(tmp_path):
    text = (
        "# sent_id = 1\n# text = EU rejects O\nEU B-ORG\n# a note\nrejects O\n\n"
        "#begin document (x); part 000\n##\nPeter B-PER\n"
    )
    folder = read_column_folder(write(tmp_path, train=text))
    assert folder.sentences["train"] == [
        (["EU", "rejects"], ["B-ORG", "O"]),
        (["Peter"], ["B-PER"]),
    ]
    assert folder.facts["comment_lines"] == {"train": 5, "validation": 0, "test": 0}
    with pytest.raises(DataError, match=r"train\.txt:4"):
        read_column_folder(write(tmp_path, train="# one\n# two\na O\nb WRONG\n"))


def test_a_number_sign_with_its_columns_is_a_word(tmp_path):
    train = "# NN B-NP O\n1 CD I-NP O\n\nx NN B-NP O\n# # O B-MISC\n#tag NN B-NP B-ORG\n"
    folder = read_column_folder(write(tmp_path, train=train, valid="# O\n", test="#a O\nb O\n"))
    assert [words for words, _ in folder.sentences["train"]] == [["#", "1"], ["x", "#", "#tag"]]
    assert folder.sentences["validation"] == [(["#"], ["O"])]
    assert folder.sentences["test"] == [(["#a", "b"], ["O", "O"])]
    for row in ("#tag", "#tag NN O"):
        with pytest.raises(DataError, match=r"2 columns.*train\.txt:2"):
            read_column_folder(write(tmp_path, train=f"a O\n{row}\n"))


@pytest.mark.parametrize(
    "text",
    [
        "0\tEU\tB-ORG\n1\trejects\tO\n",
        "1 EU B-ORG\n2 rejects O\n\n1-2 Peter's B-PER\n1.1 x O\n",
    ],
)
def test_an_index_column_is_named(tmp_path, text):
    with pytest.raises(DataError, match=r"likely an index column, from .*train\.txt:1"):
        read_column_folder(write(tmp_path, train=text))
