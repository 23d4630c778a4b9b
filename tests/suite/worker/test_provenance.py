"""The provenance of a cell's code in its record."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from types import ModuleType

import pytest

from suite.api.code_digest import digest_costs, dump_tree
from suite.api.plugins import ARCHITECTURES, find_plugin
from suite.worker.provenance import digest_plugin
from tests.conftest import FAKES, ROOT, read_records

EDITED_AND_STOPPED = """import os, signal, time
from suite.api import Architecture


class Stopped(Architecture):
    version = 1
    title = paper = "Stopped"
    forms = frozenset({"encoder"})
    inputs = frozenset({"token_ids"})
    claimed_time = claimed_memory = "n"

    def compile_with_xla(self, request):
        with open(__file__, "a") as file:
            file.write("# one more line\\n")
        STOP

    def assemble(self, request): ...


ARCHITECTURE = Stopped()
"""


@pytest.mark.parametrize(
    ("stop", "limits", "status"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", (), "failed"),
        pytest.param(
            *("time.sleep(600)", ("--time-limit", "2"), "timed_out"), marks=pytest.mark.slow
        ),
    ],
)
def test_the_record_of_a_killed_cell_states_the_code_that_the_cell_ran(
    bench, tmp_path, stop, limits, status
):
    """Git reports another commit at each call, and each of two cells edits its architecture."""
    folder = tmp_path / "plugins"
    (folder / "baselines").mkdir(parents=True)
    (folder / "baselines" / "stopped.py").write_text(EDITED_AND_STOPPED.replace("STOP", stop))
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    count = f"echo >> {tmp_path}/calls; grep -c '' {tmp_path}/calls"
    git.write_text(f'#!/bin/sh\ncase "$3" in rev-parse) {count} ;; esac\n')
    git.chmod(0o755)
    arguments = ("run", "--mode", "probe", "--benchmark", "smoke", "--architectures", "stopped")
    result = bench(
        *(*arguments, "--rounds", "2", "--no-tracking", "--no-dashboard", *limits),
        BENCH_PATH=str(folder),
        PATH=f"{git.parent}{os.pathsep}{os.environ['PATH']}",
    )
    assert result.returncode == 1, result.stderr
    records = read_records(tmp_path / "home")
    assert [record["status"] for record in records] == [status] * 2
    first, second = (record["environment"] for record in records)
    for environment in (first, second):
        assert environment["code"]["engine_digest"] and environment["code"]["architecture_digest"]
        assert environment["cost_digest"]
    assert first["code"]["architecture_digest"] != second["code"]["architecture_digest"]
    if (ROOT / ".git").exists():
        assert first["commit"] != second["commit"]
        for environment in (first, second):
            for name in ("commit", "dirty"):
                assert environment[name] == environment["code"][name]


def test_the_digest_covers_the_file_that_binds_a_plugin_of_a_shared_class(tmp_path):
    """`ARCHITECTURE = Fake()` lies in another file than its class."""
    folder = tmp_path / "plugins" / "baselines"
    shutil.copytree(FAKES / "baselines", folder)
    search_path = (str(tmp_path / "plugins"),)
    plugin = find_plugin(ARCHITECTURES, "nothing", search_path)
    digests = [digest_plugin(ARCHITECTURES, "nothing", search_path, plugin)]
    for name in ("nothing.py", "_fake.py", "raises.py"):
        (folder / name).write_text((folder / name).read_text() + "# one more line\n")
        digests.append(digest_plugin(ARCHITECTURES, "nothing", search_path, plugin))
    first, own, shared, unrelated = digests
    assert len({first, own, shared}) == 3
    assert unrelated == shared


def test_the_digest_of_an_external_plugin_covers_the_imported_built_in_modules(
    tmp_path, monkeypatch
):
    """A file of the test takes the place of a built-in module, because it is edited."""
    layer = tmp_path / "layer.py"
    module = ModuleType("baselines.layers.edited")
    module.__file__ = str(layer)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    search_path = (str(FAKES),)
    plugin = find_plugin(ARCHITECTURES, "nothing", search_path)
    digests = set()
    for content in ("x = 1", "x = 2"):
        layer.write_text(content)
        digests.add(digest_plugin(ARCHITECTURES, "nothing", search_path, plugin))
    assert len(digests) == 2


EDIT_AND_DIGEST = """
import json, pathlib, sys
from suite.api.code_digest import digest_costs, digest_training

digests = {}
for name, (file, old, new) in json.loads(sys.argv[1]).items():
    path = pathlib.Path(file)
    code = path.read_text()
    assert old in code, (file, old)
    path.write_text(code.replace(old, new, 1))
    digests[name] = DIGEST
    path.write_text(code)
print(json.dumps(digests))
"""
FUTURE = "from __future__ import annotations\n"
MORE = (FUTURE, f"{FUTURE}MORE = 1\n")
UNCHANGED_BY = {
    "nothing": ("baselines/vanilla.py", "", ""),
    "comment": ("baselines/layers/full_attention.py", FUTURE, f"{FUTURE}# One more line.\n"),
    "docstring": (
        "baselines/layers/full_attention.py",
        "Multi-head attention of every",
        "Attention of every",
    ),
    "docstring of an attribute": (
        "baselines/layers/attention_blocks.py",
        "The largest number of blocks",
        "The most blocks",
    ),
    "missing parts": ("baselines/layers/block.py", '("alibi", "relative", "t5")', '("alibi",)'),
    "another layer": ("baselines/layers/lsh_hashing.py", *MORE),
    "another backend": ("baselines/layers/backends/jax.py", *MORE),
    "another architecture": ("baselines/bert.py", *MORE),
    "the package of architectures": ("baselines/__init__.py", "one file each", "each in a file"),
}
CHANGED_BY = {
    "architecture": ("baselines/vanilla.py", *MORE),
    "layer imported in a function": ("baselines/layers/full_attention.py", *MORE),
    "layer imported by a layer": ("baselines/layers/initialization.py", *MORE),
    "functions of the backend": ("baselines/layers/backends/tensorflow.py", *MORE),
    "constant": ("baselines/layers/attention_blocks.py", "MAX_BLOCKS = 32", "MAX_BLOCKS = 64"),
}


TRAINING_UNCHANGED_BY = {
    "nothing": ("tasks/ner/task.py", "", ""),
    "comment": ("tasks/ner/task.py", FUTURE, f"{FUTURE}# One more line.\n"),
    "architecture": ("baselines/vanilla.py", *MORE),
    "another task": ("tasks/sentiment/task.py", *MORE),
    "another method": ("suite/methods/pruning.py", *MORE),
    "engine": ("suite/api/task.py", *MORE),
}
TRAINING_CHANGED_BY = {
    "task": ("tasks/ner/task.py", *MORE),
    "shared helper of tasks": ("tasks/common/sources.py", *MORE),
    "method": ("suite/methods/lora.py", *MORE),
    "helper of the method": ("suite/methods/_efficient_tuning.py", *MORE),
}


@pytest.mark.parametrize(
    ("digest", "unchanged_by", "changed_by"),
    [
        ('digest_costs("vanilla", (), "tensorflow")', UNCHANGED_BY, CHANGED_BY),
        (
            'digest_training("ner", ["lora"], (), "tensorflow")',
            TRAINING_UNCHANGED_BY,
            TRAINING_CHANGED_BY,
        ),
    ],
    ids=("costs", "training"),
)
def test_a_digest_follows_the_code_of_a_plug_in_and_of_its_imports(
    tmp_path, digest, unchanged_by, changed_by
):
    """A process edits a copy of the checkout, one edit at a time."""
    for folder in ("suite", "baselines", "tasks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.pyc"))
    edits = json.dumps({**unchanged_by, **changed_by})
    command = [sys.executable, "-c", EDIT_AND_DIGEST.replace("DIGEST", digest), edits]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    digests = json.loads(result.stdout)
    before = digests["nothing"]
    assert [name for name in unchanged_by if digests[name] != before] == []
    assert [name for name in changed_by if digests[name] == before] == []
    assert len({digests[name] for name in changed_by}) == len(changed_by)


def test_the_cost_digest_of_a_plugin_covers_its_helpers_and_not_its_place(tmp_path):
    digests = []
    for name in ("here", "there"):
        folder = tmp_path / name / "baselines"
        shutil.copytree(FAKES / "baselines", folder)
        digests.append(digest_costs("nothing", (str(tmp_path / name),), "tensorflow"))
    helper, other = folder / "_fake.py", folder / "raises.py"
    for path in (helper, other):
        path.write_text(path.read_text() + "MORE = 1\n")
        digests.append(digest_costs("nothing", (str(tmp_path / name),), "tensorflow"))
    here, there, helped, unrelated = digests
    assert here == there != helped == unrelated


def test_the_digest_is_that_of_every_version_of_python():
    """The text of a syntax tree is that of Python 3.11, which later versions change."""
    tree = ast.parse("def f(a):\n    print()\n\nclass C:\n    pass")
    arguments = (
        "args=arguments(posonlyargs=[], args=[arg(arg='a')], kwonlyargs=[], kw_defaults=[], "
        "defaults=[])"
    )
    call = "Expr(value=Call(func=Name(id='print', ctx=Load()), args=[], keywords=[]))"
    function = f"FunctionDef(name='f', {arguments}, body=[{call}], decorator_list=[])"
    of_class = "ClassDef(name='C', bases=[], keywords=[], body=[Pass()], decorator_list=[])"
    assert dump_tree(tree) == f"Module(body=[{function}, {of_class}], type_ignores=[])"
