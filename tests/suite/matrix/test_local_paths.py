"""Paths in the options of methods: a cell, its record and its command hold no path."""

from __future__ import annotations

import pytest

from suite.actions.caller import describe_call
from suite.api import Job, Recipe, method_options
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.model_sizes import MODEL_SIZES
from tests.builders.cells import make_plan, run_plan

REGISTRY = load_registry(())


@pytest.fixture
def documents(tmp_path):
    path = tmp_path / "of ännchen" / "texts.txt"
    path.parent.mkdir()
    path.write_text("one text\nanother text\n")
    return path


def cells_of(documents, task="sentiment", architecture="bert"):
    methods = ((f"pretrain:files={documents}",),)
    request = Request(
        tasks=(task,), architectures=(architecture,), lengths=(128,), seeds=(0,), benchmark="smoke",
        methods=methods,
    )  # fmt: skip
    return expand(request, REGISTRY)


def test_a_cell_and_its_record_hold_the_name_of_the_file_alone(documents, store):
    cells = cells_of(documents)
    run_plan(make_plan(cells, store), store)
    texts = [path.read_text() for path in store.records.iterdir()]
    assert len(texts) == 2 and "texts.txt" in texts[0]
    for text in (*texts, *(repr(planned.ranking) for planned in cells)):
        assert str(documents.parent) not in text and "nnchen" not in text
    moved = documents.rename(documents.with_name("moved.txt"))
    moved.rename(documents)
    assert [one.cell.id for one in cells_of(documents)] == [one.cell.id for one in cells]


def test_the_hooks_of_a_method_get_the_path_in_the_worker_too(documents, tmp_path):
    cell = cells_of(documents)[0].cell
    folders = (tmp_path, tmp_path, tmp_path)
    parents = {"teacher": tmp_path / "weights"}
    job = Job(cell, MODEL_SIZES["tiny"], Recipe(), None, (), *folders, parents=parents)
    there = Job.from_json(job.to_json())
    read = there.cell
    assert there.parents == parents and read == cell and read.id == cell.id
    for applied in (cell.methods[0], read.methods[0]):
        options = method_options(REGISTRY.methods.get("pretrain"), applied)
        assert options["files"] == str(documents)


def test_a_reason_names_the_file_alone(documents):
    (planned,) = cells_of(documents, "relation_extraction", "vanilla")
    assert "files=texts.txt" in planned.unsupported and "nnchen" not in planned.unsupported


def test_a_call_names_no_path_in_any_argument(documents):
    named = describe_call(
        "run",
        {
            "methods": ["none", f"pretrain:steps=3,files={documents}"],
            "options": {"words": "/home/ann/words", "window": [64]},
            "data": "tfds:lm1b/subwords8k:1.1.0",
            "tasks": ("ner",),
        },
    )
    assert named == (
        "suite.run(methods=['none', 'pretrain:steps=3,files=…'], "
        "options={'words': '…', 'window': [64]}, data='tfds:lm1b/subwords8k:1.1.0', tasks=('ner',))"
    )
