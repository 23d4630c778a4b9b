"""The files of a plug-in."""

from __future__ import annotations

import importlib

import pytest

from suite.api.plugins import ARCHITECTURES, Location, load_plugin, plugin_files
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
