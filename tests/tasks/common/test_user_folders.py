"""Tests of users' folders: hidden entries are no data, and what is left out is counted and said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from suite.actions.results import MatrixPlan
from suite.api import DataError, SourceRequest, task_options
from suite.execution.preparation import prepare
from suite.matrix.request import Request
from suite.records.store import Store
from tasks.common.user_folders import find_left_out
from tasks.image_classification.task import TASK as IMAGES
from tasks.language_modeling.task import TASK as LANGUAGE
from tasks.ner.task import TASK as NER
from tasks.relation_extraction.task import TASK as RELATIONS
from tasks.sentiment.task import TASK as SENTIMENT

HIDDEN = (".ipynb_checkpoints", "__MACOSX", ".git")


def write_texts(folder: Path, count: int = 12) -> Path:
    for split in ("train", "test"):
        for label in ("neg", "pos"):
            (folder / split / label).mkdir(parents=True)
            for number in range(count):
                (folder / split / label / f"{number}.txt").write_text(f"{label} text {number}")
    return folder


def write_stray(folder: Path) -> None:
    """Write what is not data: 8 hidden entries, 3 folders and 3 files."""
    for name in HIDDEN:
        for place in (folder, folder / "train"):
            (place / name).mkdir()
            (place / name / "0.txt").write_text("stray")
    (folder / "train" / "pos" / ".0.txt.swp").write_bytes(b"\xff")
    (folder / "test" / "neg" / "Thumbs.db").write_bytes(b"\xff")
    for name in ("notes", "train/pos/more", "train/empty"):
        (folder / name).mkdir()
    (folder / "train" / "pos" / "more" / "13.txt").write_text("nested")
    (folder / "README.md").write_text("about")
    (folder / "train" / "pos" / "scores.csv").write_text("1,2")
    (folder / "test" / "neg" / "image.png").write_bytes(b"\x89PNG")


def test_stray_entries_are_no_classes_and_are_counted(tmp_path):
    write_stray(write_texts(tmp_path))
    request = SourceRequest("files", str(tmp_path))
    options = task_options(SENTIMENT, {"vocabulary": 100})
    assert SENTIMENT.inspect(request, options)
    data = SENTIMENT.load(request, 16, options)
    assert data.spec["classes"] == ["neg", "pos"]
    assert data.facts["examples"] == {"train": 22, "validation": 2, "test": 24}
    assert data.facts["left_out"] == {"hidden": 8, "folders": 3, "files": 3}
    (remark,) = SENTIMENT.remarks(request, options)
    assert "8 hidden (" in remark and "3 folders (" in remark and "3 files (README.md" in remark


def test_a_digest_and_a_plan_do_not_depend_on_what_is_left_out(tmp_path):
    write_texts(tmp_path / "data")
    source = SourceRequest("files", str(tmp_path / "data"))
    options = task_options(SENTIMENT, {})
    digest = SENTIMENT.inspect(source, options)
    assert SENTIMENT.remarks(source, options) == []
    write_stray(tmp_path / "data")
    assert SENTIMENT.inspect(source, options) == digest
    request = Request(
        tasks=("sentiment",), architectures=("lstm",), source=f"files:{tmp_path / 'data'}"
    )
    prepared = prepare(request, Store(tmp_path / "home"))
    assert f"sentiment: {tmp_path / 'data'}: left out 8 hidden" in repr(
        MatrixPlan(prepared.plan.cells, prepared)
    )


@pytest.mark.parametrize("name", ["0001.7c53336b37003a9286aba55d2945844c", "12345", "a.1", "b.TXT"])
def test_texts_without_a_known_ending_are_read(tmp_path, name):
    write_texts(tmp_path)
    (tmp_path / "train" / "pos" / name).write_text("one more")
    assert len(SENTIMENT.list_files(tmp_path, {})) == 49


def test_names_that_are_no_utf_8_are_read_and_left_out(tmp_path):
    write_texts(tmp_path)
    for name in (b"caf\xe9.txt", b"caf\xe9.md"):
        with open(os.fsencode(tmp_path / "train" / "pos") + b"/" + name, "w") as file:
            file.write("one more")
    os.mkdir(os.fsencode(tmp_path / "train") + b"/\xe9")
    request = SourceRequest("files", str(tmp_path))
    assert SENTIMENT.inspect(request, SENTIMENT.options)
    assert len(SENTIMENT.list_files(tmp_path, {})) == 49
    (remark,) = SENTIMENT.remarks(request, SENTIMENT.options)
    assert "1 folder (?), 1 file (caf?.md)" in remark


def test_a_hidden_table_is_no_split(tmp_path):
    names = ("train.txt", "valid.txt", "test.txt", ".train.txt", "._test.txt", "train.txt.bak")
    for name in (*names, "train.txt~", "#train.txt#"):
        (tmp_path / name).write_text("EU B-ORG\nrejects O\n")
    request = SourceRequest("files", str(tmp_path))
    assert NER.inspect(request, NER.options)
    facts = NER.load(request, 16, NER.options).facts
    assert facts["left_out"] == {"hidden": 4, "files": 1}


@pytest.mark.parametrize("task", [SENTIMENT, IMAGES], ids=lambda task: task.title)
def test_a_folder_that_is_a_class_of_train_alone_is_named(tmp_path, task):
    """The reviews of IMDB have a folder `unsup`, whose texts have no label."""
    ending = "png" if task is IMAGES else "txt"
    for place in ("train/neg", "train/pos", "test/neg", "test/pos", "train/unsup", "train/@eaDir"):
        (tmp_path / place).mkdir(parents=True)
        for number in range(10):
            (tmp_path / place / f"{number}.{ending}").write_text("text")
    request = SourceRequest("files", str(tmp_path))
    left_out, alone = task.remarks(request, task_options(task, {}))
    assert "left out 1 hidden (@eaDir)" in left_out
    assert "only train has the class unsup;" in alone


@pytest.mark.parametrize(
    ("task", "named"),
    [(SENTIMENT, "the classes N/A, NA, None"), (RELATIONS, "the classes N/A, None")],
)
def test_classes_like_missing_values_are_named(tmp_path, task, named):
    """NA is the label of no relation in NYT's data."""
    labels = ["NA", "N/A", "None", "pos", "neg"] * 10
    rows = [f"<e1>a</e1> b <e2>c</e2> {n}\t{label}" for n, label in enumerate(labels)]
    for split in ("train", "test"):
        (tmp_path / f"{split}.tsv").write_text("\n".join(["text\tlabel", *rows]))
    (remark,) = task.remarks(SourceRequest("files", str(tmp_path)), task_options(task, {}))
    assert f"{named} may mean a missing label" in remark


def test_a_folder_of_documents_leaves_out_what_is_no_text(tmp_path):
    for name in ("a.txt", "b.py", "sub/c.txt", ".git/d", ".e.txt", "e.txt~"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"text of {name}, " * 40)
    (tmp_path / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    request, options = SourceRequest("files", str(tmp_path)), task_options(LANGUAGE, {})
    digest = LANGUAGE.inspect(request, options)
    facts = LANGUAGE.load(request, 16, options).facts
    assert sum(facts["characters"].values()) == 40 * len("text of a.txt, text of b.py, ") + 1
    assert facts["left_out"] == {"hidden": 3, "folders": 1, "files": 1}
    (remark,) = LANGUAGE.remarks(request, options)
    assert "1 file (image.png), 1 folder (sub)" in remark
    (tmp_path / "image.png").unlink()
    assert LANGUAGE.inspect(request, options) == digest
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\0")
    with pytest.raises(DataError, match=r"0xe9 at .*latin\.txt:1"):
        LANGUAGE.inspect(request, options)


def test_a_split_of_documents_may_have_folders(tmp_path):
    for name in ("train/a/1.txt", "train/a/.git/2.txt", "train/3.txt", "train/.4.txt", "README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("some text " * 40)
    request, options = SourceRequest("files", str(tmp_path)), task_options(LANGUAGE, {})
    facts = LANGUAGE.load(request, 16, options).facts
    assert sum(facts["characters"].values()) == 2 * 400 + 1
    assert facts["left_out"] == {"hidden": 2, "files": 1}
    alone = SourceRequest("files", str(tmp_path / "train" / "3.txt"))
    assert LANGUAGE.remarks(alone, options) == []
    assert "left_out" not in LANGUAGE.load(alone, 16, options).facts


def test_a_folder_that_is_left_out_counts_once(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("a/b/1", "a/2", "3"):
        (tmp_path / name).touch()
    assert find_left_out(tmp_path, [tmp_path / "3"]) == {"folders": [tmp_path / "a"]}
    assert find_left_out(tmp_path, [tmp_path / "a" / "2"]) == {
        "files": [tmp_path / "3"],
        "folders": [tmp_path / "a" / "b"],
    }
