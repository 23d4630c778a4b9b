"""Plug-ins of given models: their names, and the digest of what they measure."""

from __future__ import annotations

from contextlib import closing

import keras
import pytest

from suite.api import RequestError
from suite.execution.executors import local
from suite.execution.executors.local import LocalExecutor
from suite.execution.given_models import (
    FUNCTION,
    KERAS,
    PRESET,
    describe_apart,
    kind_of,
    make_plugin,
)
from suite.matrix.registry import load_registry
from suite.records.environment import needs_spawn
from suite.records.store import Store
from tests.builders import given_models

FACTS = {"form": "decoder", "longest": None, "inputs": {"tokens": ("tokens", "int32")}}


@pytest.fixture
def make(tmp_path):
    imported = []

    def describe(*given):
        return {**FACTS, "imported": [*map(str, imported)]}

    def of(place, kind=FUNCTION, taken=(), imports=()):
        file = tmp_path / place.partition(":")[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("same")
        imported[:] = imports
        store = Store(tmp_path / "home")
        return make_plugin(str(tmp_path / place), kind, None, store, taken, describe)

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


@pytest.fixture(scope="module")
def describe():
    with closing(LocalExecutor(spawn=needs_spawn())) as executor:
        yield describe_apart(executor, keras.backend.backend(), 1)


def place_of(name):
    return f"{given_models.__file__}:{name}"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crashes", "SIGSEGV"),
        ("leaves", "exit code 7"),
        ("reads_the_input", "EOFError"),
        ("never_ends", "exceeded the time limit"),
        ("prints_without_end", "more output than the log may hold"),
    ],
)
def test_the_code_of_a_model_harms_neither_the_command_nor_the_next_model(
    describe, monkeypatch, name, reason
):
    with monkeypatch.context() as patch:
        if name == "never_ends":
            patch.setattr(local, "START_LIMIT_SECONDS", 0.5)
        patch.setattr(local, "LOG_LIMIT_BYTES", 100_000)
        with pytest.raises(RequestError, match=reason):
            describe(FUNCTION, place_of(name), "")
    assert describe(FUNCTION, place_of("pooled_vectors"), "")["width"] == 6
