"""Golden values: outputs, losses and parameter counts move only if a version does."""

from __future__ import annotations

import json

import pytest

from suite.worker.conformance.gradients import BACKEND
from tests.conformance import golden

pytestmark = pytest.mark.skipif(BACKEND != "tensorflow", reason="the values are TensorFlow's")

NAME = "architecture-identity"
FILE = f"{NAME}.json"


@pytest.mark.parametrize("name", golden.ENTRIES)
def test_the_first_values_move_only_with_a_version(name):
    problem, _ = golden.find_problem(name, brief=True)
    assert problem is None, problem


@pytest.mark.slow
@pytest.mark.parametrize("name", golden.ENTRIES)
def test_all_values_move_only_with_a_version(name):
    problem, _ = golden.find_problem(name)
    assert problem is None, problem


@pytest.mark.parametrize("form", ["encoder", "decoder"])
def test_the_lean_and_the_fast_variant_of_full_attention_are_one_function(form):
    """Both are shown as baselines; they differ in memory and speed alone."""
    lean, whole = (
        json.loads((golden.FOLDER / f"architecture-{name}.json").read_text())["values"][form]
        for name in ("vanilla", "full_attention")
    )
    assert lean["parameters"] == whole["parameters"]
    for part, tolerance in (("outputs", 1e-4), ("losses", 1e-3)):
        assert whole[part] == pytest.approx(lean[part], rel=tolerance)


def test_every_file_belongs_to_an_architecture_or_a_task():
    assert golden.unknown_files() == []


@pytest.fixture
def folder(tmp_path):
    """A folder with the golden values of one architecture."""
    (tmp_path / FILE).write_bytes((golden.FOLDER / FILE).read_bytes())
    return tmp_path


def change(path, edit) -> bytes:
    """Edit the stored values and return the file's bytes."""
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    return path.read_bytes()


def move(part, index, factor):
    def edit(content):
        content["values"]["decoder"][part][index] *= factor

    return edit


def add_parameter(content):
    content["values"]["decoder"]["parameters"]["mixing"] += 1


def lower_version(content):
    content["versions"]["architecture"] -= 1


def lower_version_and_move(content):
    lower_version(content)
    move("losses", 4, 1.5)(content)


def forget_form(content):
    del content["values"]["decoder"]


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (move("outputs", 1, 1.0003), "decoder.outputs"),
        (move("losses", 4, 1.003), "decoder.losses"),
        (add_parameter, "decoder.parameters.mixing"),
    ],
)
def test_moved_values_of_the_same_version_are_refused(folder, capsys, edit, named):
    stored = change(folder / FILE, edit)
    for arguments in ([NAME], ["--write", NAME]):
        assert golden.main(arguments, folder) == 1
        message = capsys.readouterr().out
        assert "moved, and its version did not" in message and named in message
        assert f"raise `version` of identity and run `{golden.COMMAND} {NAME}`" in message
        assert (folder / FILE).read_bytes() == stored


@pytest.mark.parametrize("factor", [1 + 2e-5, 1 - 2e-5])
def test_rounding_is_tolerated_and_never_written(folder, factor):
    def edit(content):
        for part in ("outputs", "losses"):
            values = content["values"]["decoder"][part]
            content["values"]["decoder"][part] = [value * factor for value in values]

    stored = change(folder / FILE, edit)
    assert golden.main([NAME], folder) == golden.main(["--write", NAME], folder) == 0
    assert (folder / FILE).read_bytes() == stored


@pytest.mark.parametrize("edit", [lower_version, lower_version_and_move, forget_form])
def test_values_of_a_new_version_or_form_are_written(folder, capsys, edit):
    change(folder / FILE, edit)
    assert golden.main([NAME], folder) == 1
    assert f"Run `{golden.COMMAND} {NAME}`" in capsys.readouterr().out
    assert golden.main(["--write", NAME], folder) == golden.main([NAME], folder) == 0
    assert json.loads((folder / FILE).read_text())["versions"] == golden.ENTRIES[NAME].versions
