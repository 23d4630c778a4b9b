"""Kept weights in a home: which cells run again for them, their size, and their deletion."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from suite.actions import doctor
from suite.api import HomeError, RequestError
from suite.api.weights import MAX_WEIGHTS_BYTES
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.weights import (
    find_weights,
    has_weights,
    keep_weights,
    kept_weights,
    superseded_weights,
    weights_folder,
    weights_folders,
    weights_of,
)
from tests.builders.cells import make_plan
from tests.builders.records import keep, make_record

REQUEST = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,), seeds=(0,))


@pytest.fixture
def planned():
    (found,) = expand(REQUEST, load_registry(()))
    return found


def to_run(planned, store, **arguments):
    made = make_plan([planned], store, **arguments)
    return [(one.cell.id, one.keeps_weights) for one in made.to_run]


def test_a_done_cell_runs_again_if_its_weights_are_wanted_and_missing(store, planned, tmp_path):
    cell = planned.cell
    assert to_run(planned, store) == [(cell.id, False)]
    store.write(make_record(cell=cell, ranking=planned.ranking, parameter_count=9))
    assert to_run(planned, store) == []
    assert to_run(planned, store, keep_weights=True) == [(cell.id, True)]
    details = keep(store, cell, tmp_path)
    kept = make_record(cell=cell, ranking=planned.ranking, details=details, minutes=1)
    store.write(kept)
    assert has_weights(store, kept)
    assert to_run(planned, store, keep_weights=True) == []
    # Another run of the cell, on other files say, has replaced them.
    details = {"weights": {**details["weights"], "sha256": "0"}}
    store.write(make_record(cell=cell, ranking=planned.ranking, details=details, minutes=2))
    assert to_run(planned, store, keep_weights=True) == [(cell.id, True)]


def test_a_cell_that_only_evaluates_has_the_weights_of_its_parent(store, tmp_path):
    request = replace(REQUEST, methods=(("typos",), ("int8",), ("int8", "typos")))
    trained, typos, *compressed = expand(request, load_registry(()))
    cells = [trained, typos, *compressed]
    made = make_plan(cells, store, keep_weights=True)
    assert [one.keeps_weights for one in made.to_run] == [True, False, True, True]
    sha256 = keep(store, trained.cell, tmp_path)["weights"]["sha256"]
    parent = {"parent": {"cell_id": trained.cell.id, "weights_sha256": sha256}}
    evaluated, quantized = (
        make_record(cell=one.cell, ranking=one.ranking, details=parent)
        for one in (typos, compressed[0])
    )
    store.write(evaluated)
    assert weights_of(store, evaluated).cell == trained.cell
    assert superseded_weights(store) == []
    with pytest.raises(HomeError, match="No weights of this cell"):
        weights_of(store, quantized)
    other = {"parent": {**parent["parent"], "weights_sha256": "0"}}
    with pytest.raises(HomeError, match="Kept weights are those of the last run"):
        weights_of(store, evaluated.model_copy(update={"details": other}))


def test_weights_survive_a_kill_between_the_two_renames(store, planned, tmp_path, monkeypatch):
    details = keep(store, planned.cell, tmp_path)
    record = make_record(cell=planned.cell, ranking=planned.ranking, details=details)
    store.write(record)
    rename, written = Path.rename, tmp_path / "written"
    shutil.copytree(weights_of(store, record).folder, written)

    def killed(path, target):
        if path == written:
            raise KeyboardInterrupt
        return rename(path, target)

    for _ in range(2):  # the next attempt is killed too
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", killed)
            with pytest.raises(KeyboardInterrupt):
                keep_weights(store, planned.cell.id, written)
        assert has_weights(store, record)
        assert weights_of(store, record).path.read_bytes() == b"weights"
        ((kept, _),) = kept_weights(store)
        assert kept.run_id == record.run_id
        assert superseded_weights(store) == []
        assert to_run(planned, store, keep_weights=True) == []
    keep_weights(store, planned.cell.id, written)
    assert has_weights(store, record) and len(weights_folders(store)) == 1


def test_a_model_that_is_too_large_to_be_kept_does_not_run_again(store, planned):
    size = MAX_WEIGHTS_BYTES // 4 + 1
    store.write(make_record(cell=planned.cell, ranking=planned.ranking, parameter_count=size))
    assert to_run(planned, store, keep_weights=True) == []


def test_weights_are_counted_and_deleted(bench, store, planned, tmp_path):
    details = keep(store, planned.cell, tmp_path)
    record = make_record(cell=planned.cell, ranking=planned.ranking, details=details)
    store.write(record)
    check = doctor._weights(store)
    assert check.ok and check.found.startswith("1 trained models kept")

    def prune(*arguments):
        return bench("prune", "--home", str(store.home), "--weights", *arguments).stdout

    assert "the weights of 0 models" in prune("superseded")
    assert has_weights(store, record)
    assert "the weights of 1 models" in prune("all", "--dry-run")
    assert has_weights(store, record)
    again = make_record(cell=planned.cell, ranking=planned.ranking, minutes=5)
    store.write(again)
    assert "the weights of 1 models" in prune("superseded")
    assert not has_weights(store, record)
    assert len(store.run_ids()) == 2, "no record is deleted"


def found(store, name):
    return find_weights(store, str(name)).cell


def test_kept_weights_are_found_by_run_file_folder_or_entry(store, planned, tmp_path):
    cell = planned.cell
    record = make_record(
        cell=cell, ranking=planned.ranking, details=keep(store, cell, tmp_path), minutes=1
    )
    store.write(make_record(cell=cell, ranking=planned.ranking))
    path = store.write(record) or store.path_of(record)
    folder = weights_folder(store, cell.id)
    names = (record.run_id, path, path.name, path.stem, folder, cell.id, planned.ranking.entry)
    for name in names:
        assert found(store, name) == cell, name


def test_the_name_of_an_entry_fits_one_cell_or_lists_the_runs(store, tmp_path):
    request = replace(REQUEST, seeds=(0, 1), options={"norm": "pre"})
    runs = []
    for number, planned in enumerate(expand(request, load_registry(()))):
        (tmp_path / str(number)).mkdir()
        details = keep(store, planned.cell, tmp_path / str(number))
        runs.append(make_record(cell=planned.cell, ranking=planned.ranking, details=details))
        store.write(runs[-1])
        if not number:
            assert found(store, planned.ranking.entry) == found(store, "vanilla") == planned.cell
    for name in (runs[0].ranking.entry, "vanilla"):
        with pytest.raises(RequestError, match="Name the run") as caught:
            found(store, name)
        assert all(run.run_id in str(caught.value) for run in runs)
    with pytest.raises(RequestError, match=rf"must be in the home.*{runs[1].run_id}"):
        found(store, "longformer")


def test_a_home_without_kept_weights_says_how_to_keep_some(store):
    with pytest.raises(RequestError, match=r"must be in the home.*--keep-weights"):
        found(store, "vanilla")
