"""Plug-ins of given models: their names, and the digest of what they measure."""

from __future__ import annotations

import os

import pytest

from suite.api import RequestError
from suite.execution import given_models
from suite.execution.executors.process import run_module
from suite.execution.given_models import FUNCTION, KERAS, PRESET, kind_of, make_plugin
from suite.matrix.registry import load_registry
from suite.records.store import Store

FACTS = {"form": "decoder", "longest": None, "inputs": {"tokens": ("tokens", "int32")}}


@pytest.fixture
def make(tmp_path, monkeypatch):
    imported = []
    monkeypatch.setattr(
        given_models, "_describe", lambda *given: {**FACTS, "imported": [*map(str, imported)]}
    )

    def of(place, kind=FUNCTION, taken=(), imports=()):
        file = tmp_path / place.partition(":")[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("same")
        imported[:] = imports
        store = Store(tmp_path / "home")
        return make_plugin(str(tmp_path / place), kind, "tensorflow", None, store, taken)

    return of


def test_two_models_of_one_name_are_architectures_of_two(make):
    new = make("new/model.py:make")
    old = make("old/model.py:make", taken=[new.name])
    assert (new.name, old.name) == ("model", "old_model")
    found = load_registry([str(new.folder), str(old.folder)]).architectures
    assert {"model", "old_model"} <= found.plugins.keys()


@pytest.mark.parametrize(
    ("place", "kind", "taken", "name"),
    [
        ("blocks.py:make_convolution", FUNCTION, (), "blocks_make_convolution"),
        ("a b/my model.keras", KERAS, (), "my_model"),
        ("7b.keras", KERAS, (), "model_7b"),
        ("lstm/lstm.py:make", FUNCTION, ("lstm", "lstm_lstm"), "lstm_lstm_given"),
    ],
)
def test_a_name_is_an_identifier_that_is_not_taken(make, place, kind, taken, name):
    assert make(place, kind, taken).name == name


def test_a_folder_without_a_model_does_not_hide_an_architecture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llama").mkdir()
    assert kind_of("llama") is None
    (tmp_path / "llama" / "config.json").write_text('{"module": "keras_hub.models"}')
    assert kind_of("llama") == PRESET
    with pytest.raises(RequestError, match="A model is an architecture"):
        kind_of(str(tmp_path))


@pytest.mark.parametrize("model", ["~nobody-of-this-name/model.keras", "long" * 100 + ".keras"])
def test_a_place_that_cannot_exist_is_one_line(model):
    with pytest.raises(RequestError, match="no such file"):
        kind_of(model)


def test_a_changed_module_beside_the_file_is_another_code(make, tmp_path):
    beside = tmp_path / "parts.py"
    beside.write_text("WIDTH = 6")
    first = make("model.py:make", imports=[beside])
    assert make("model.py:make", imports=[beside]).folder == first.folder
    beside.write_text("WIDTH = 8")
    assert make("model.py:make", imports=[beside]).folder != first.folder


def test_a_model_that_reads_the_input_of_the_command_gets_its_end():
    """It would wait for the user, or take lines that are another program's."""
    read, write = os.pipe()
    kept = os.dup(0)
    os.dup2(read, 0)
    try:
        assert run_module("code", environment={}, seconds=20).returncode == 0
    finally:
        os.dup2(kept, 0)
        for descriptor in (read, write, kept):
            os.close(descriptor)
