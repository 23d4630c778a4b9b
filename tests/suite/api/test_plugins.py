"""Plug-ins: their files, the names that MLflow takes, and files that misbehave at import."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.utils import validation

from suite.api.errors import PluginError
from suite.api.plugins import (
    ARCHITECTURES,
    MAX_CHARACTERS,
    METHODS,
    TASKS,
    Location,
    find_plugin,
    is_tracked_name,
    load_plugin,
    plugin_files,
)
from tests.conftest import FAKES


@pytest.mark.parametrize(
    ("file", "module"),
    [("site_architecture.py", "site_architecture"), ("site_package/architecture.py", None)],
)
def test_the_files_of_an_installed_plugin_exclude_other_projects(
    tmp_path, monkeypatch, file, module
):
    """An entry point may name a module beside all packages of an environment."""
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    fake = (FAKES / "baselines" / "_fake.py").read_text()
    path.write_text(f"{fake}\n\nARCHITECTURE = Fake()\n")
    (tmp_path / "other_project").mkdir()
    for other in ("other_project/code.py", "_other.py"):
        (tmp_path / other).write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    module = module or "site_package.architecture"
    plugin = load_plugin(ARCHITECTURES, "site", Location(module, "ARCHITECTURE", file))
    assert plugin_files(plugin) == [path]


def write(folder: Path, kind: str, name: str, content: str) -> None:
    (folder / kind).mkdir(parents=True, exist_ok=True)
    (folder / kind / f"{name}.py").write_text(content)


ARCHITECTURE = (FAKES / "baselines" / "_fake.py").read_text() + "\n\nARCHITECTURE = Fake()\n"
BAD_NAMES = ["recall@5", "f" * 400, "", "a=b", "top 5 %", "a//b", "a/", "a/../b", "a\n", "a,b", 5]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_metric_that_mlflow_rejects_is_refused_when_the_task_loads(tmp_path, name):
    parity = (FAKES / "tasks" / "parity.py").read_text()
    for where, content in {
        "primary": parity.replace('Metric("accuracy"', f"Metric({name!r}"),
        "other": f"{parity}\nTASK.other_metrics = (Metric({name!r}),)\n",
        "option": f"{parity}\nTASK.options = {{{name!r}: 1}}\n",
    }.items():
        assert content != parity
        write(tmp_path, "tasks", where, content)
        with pytest.raises(PluginError, match="MLflow rejects"):
            find_plugin(TASKS, where, (str(tmp_path),))


@pytest.mark.parametrize("name", BAD_NAMES)
def test_an_option_that_mlflow_rejects_is_refused_when_the_plugin_loads(tmp_path, name):
    changed = f"\nARCHITECTURE.options = {{{name!r}: 1}}\n"
    write(tmp_path, "baselines", "optional", ARCHITECTURE + changed)
    method = (FAKES / "methods" / "zeroed.py").read_text()
    write(tmp_path, "methods", "zero", f"{method}\nMETHOD.options = {{{name!r}: 1}}\n")
    for kind, key in ((ARCHITECTURES, "optional"), (METHODS, "zero")):
        with pytest.raises(PluginError, match="MLflow rejects"):
            find_plugin(kind, key, (str(tmp_path),))


def test_a_name_of_the_longest_size_fits_with_all_that_is_put_around_it():
    name = "é-b. c:d/e" * (MAX_CHARACTERS // 10)
    assert is_tracked_name(name)
    around = f"by_evaluation_length.validation.{name} under word_dropout 0.05"
    validation._validate_metric(f"{around}.trained_at_16384", 1.0, 0, 0)
    with pytest.raises(MlflowException):
        validation._validate_metric("recall@5", 1.0, 0, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("import sys\nsys.exit('no licence')", "raised SystemExit: no licence"),
        ("raise BaseException('first\\nsecond')", "raised BaseException: first second"),
        ("raise GeneratorExit", "raised GeneratorExit"),
        ("class A:\n    def __getattr__(self, name): exit()\nARCHITECTURE = A()", "instance of"),
        (f"{ARCHITECTURE}\nFake.options = property(lambda self: exit(3))", "raised SystemExit: 3"),
    ],
)
def test_a_plugin_that_ends_the_process_is_named(bench, tmp_path, content, message):
    write(tmp_path, "baselines", "ends", content)
    folder = str(tmp_path)
    with pytest.raises(PluginError, match=message):
        find_plugin(ARCHITECTURES, "ends", (folder,))
    listed = bench("list", "--json", BENCH_PATH=folder)
    assert listed.returncode == 0 and message in json.loads(listed.stdout)["broken"]["ends"]


def test_commands_leave_out_a_plugin_that_ends_the_process_and_say_so(bench, tmp_path):
    write(tmp_path, "baselines", "ends", "import sys\nsys.exit('no licence')")
    for command in (("plan", "--mode", "probe", "--json"), ("report", "--json")):
        said = bench(*command, BENCH_PATH=str(tmp_path))
        assert said.returncode == 0, said.stderr
        assert json.loads(said.stdout) is not None
        (line,) = [line for line in said.stderr.splitlines() if "left out" in line]
        assert line.startswith("bench: the architecture 'ends' is left out")
        assert "raised SystemExit: no licence" in line


INSPECT = """
from tasks.ner.task import NamedEntityRecognition
import os

class Other(NamedEntityRecognition):
    def inspect(self, request, options):
        {}

TASK = Other()
"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("exit(4)", "raised SystemExit: 4"),
        ("raise BaseException('first\\nsecond')", "raised BaseException: first second"),
        ("raise ValueError('no row')", "raised ValueError: no row"),
        ("return open('/nowhere/rows')", "raised FileNotFoundError"),
    ],
)
def test_a_hook_that_fails_is_named_in_one_line(bench, tmp_path, content, message):
    write(tmp_path, "tasks", "fails", INSPECT.format(content))
    request = ("--task", "fails", "--benchmark", "smoke", "--architectures", "vanilla")
    planned = bench("plan", *request, BENCH_PATH=str(tmp_path))
    assert planned.returncode == 2 and not planned.stdout
    (line,) = planned.stderr.splitlines()
    assert line.startswith("bench: A plug-in") and message in line
    assert f"line 7 of {tmp_path / 'tasks' / 'fails.py'}, in inspect" in line


def test_what_a_hook_prints_goes_to_standard_error(bench, tmp_path, capfd):
    shout = "print('hello'); os.system('echo from a shell'); return '1'"
    write(tmp_path, "tasks", "shouts", INSPECT.format(shout))
    request = ("--task", "shouts", "--benchmark", "smoke", "--architectures", "vanilla")
    planned = bench("plan", *request, "--json", BENCH_PATH=str(tmp_path))
    assert planned.returncode == 0 and json.loads(planned.stdout)
    assert "hello" in planned.stderr and "from a shell" in capfd.readouterr().err


def test_what_a_plugin_prints_at_import_goes_to_standard_error(bench, tmp_path, capfd):
    shout = "import os\nprint('hello')\nos.system('echo from a shell')\n"
    write(tmp_path, "baselines", "shouts", ARCHITECTURE + shout)
    listed = bench("list", "--json", BENCH_PATH=str(tmp_path))
    assert "shouts" in json.loads(listed.stdout)["architectures"]
    assert "hello" in listed.stderr
    out, err = capfd.readouterr()
    assert "shell" not in out and "from a shell" in err
