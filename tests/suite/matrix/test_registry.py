"""The registry: the checkout, the search path, installed packages, one contract for all."""

from __future__ import annotations

import json

import pytest

from suite.api.errors import PluginError, RequestError
from suite.api.plugins import ARCHITECTURES, TASKS, find_plugin
from suite.matrix.registry import load_registry
from tests.builders.guides import TASK
from tests.conftest import FAKES


def test_a_duplicate_name_is_an_error(tmp_path):
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "vanilla.py").write_text("")
    with pytest.raises(PluginError, match="Two architectures have the name 'vanilla'"):
        load_registry((str(tmp_path),))


def test_a_file_whose_name_begins_with_an_underscore_is_no_plugin(tmp_path):
    (tmp_path / "baselines" / "_parts").mkdir(parents=True)
    for name in ("_helper.py", "_parts/architecture.py"):
        (tmp_path / "baselines" / name).write_text("")
    found, own = (load_registry(path).architectures for path in ((str(tmp_path),), ()))
    assert (found.plugins.keys(), found.broken) == (own.plugins.keys(), own.broken)


def test_a_folder_with_neither_is_refused(tmp_path):
    with pytest.raises(RequestError, match="must hold `tasks/`, `baselines/`, `methods/`"):
        load_registry((str(tmp_path),))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("raise RuntimeError('no')", "Importing it raised RuntimeError: no"),
        ("import nowhere", "ModuleNotFoundError"),
        ("x = (", "SyntaxError"),
        ("pass", "binds `ARCHITECTURE` to an instance"),
        (
            "from suite.api import Architecture\n"
            "class A(Architecture):\n    def assemble(self, request): ...\n"
            "ARCHITECTURE = A()",
            "must state version, title",
        ),
    ],
)
def test_a_broken_file_harms_only_who_names_it(tmp_path, content, message):
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "broken.py").write_text(content)
    registry = load_registry((str(tmp_path),))
    assert message in registry.architectures.broken["broken"]
    assert "vanilla" in registry.architectures.plugins
    with pytest.raises(PluginError, match="cannot be used"):
        registry.architectures.get("broken")


def test_an_installed_package_adds_a_task_and_an_architecture(bench, tmp_path, monkeypatch):
    """A package as `pip` installs it: its modules, and the metadata with its entry points."""
    package, metadata = tmp_path / "extra_parts", tmp_path / "extra_parts-1.dist-info"
    package.mkdir()
    (package / "__init__.py").write_text("")
    fake = (FAKES / "baselines" / "_fake.py").read_text()
    (package / "mean.py").write_text(f"{fake}\n\nARCHITECTURE = Fake()\n")
    (package / "larger.py").write_text(TASK)
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: extra-parts\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(
        "[lengthwise.architectures]\nextra_mean = extra_parts.mean:ARCHITECTURE\n"
        "[lengthwise.tasks]\nextra_larger = extra_parts.larger\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    listing = json.loads(bench("list", "--json", BENCH_PATH="").stdout)
    assert listing["supports"]["extra_larger"]["extra_mean"] is None
    for kind, name in ((TASKS, "extra_larger"), (ARCHITECTURES, "extra_mean")):
        assert find_plugin(kind, name).title
