"""A wheel, installed into an environment of its own, works outside any checkout.

pip builds it as users do, so it fetches the build backend. The environment borrows the dependencies
of this one: installing TensorFlow again would take minutes and test nothing of ours.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, read_records

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git lists the files of a checkout"),
]
PACKAGES = ("suite/", "tasks/", "baselines/", "dashboards/")
ONLY_IN_CHECKOUTS = (".d.ts", ".json")
"""Endings of files that only the checks of the JavaScript need."""


def is_needed(path: str) -> bool:
    """Return whether a file of the checkout belongs in a wheel."""
    return path.startswith(PACKAGES) and not (
        path.startswith("dashboards/") and path.endswith(ONLY_IN_CHECKOUTS)
    )


@pytest.fixture(scope="module")
def files():
    """Return the files of the checkout that git does not ignore."""
    command = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.splitlines() if (ROOT / path).is_file()]


@pytest.fixture(scope="module")
def wheel(files, tmp_path_factory):
    """Build a wheel from a copy of the checkout, because a build leaves files in its folder."""
    source = tmp_path_factory.mktemp("source")
    for path in [path for path in files if not path.startswith(("results/", "tests/"))]:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path)
    local = source / "results" / "local" / "records"
    local.mkdir(parents=True)
    (local / "private.json").write_text("{}")
    modules = source / "dashboards" / "node_modules" / "another"
    modules.mkdir(parents=True)
    (modules / "__init__.py").touch()
    (modules / "index.js").touch()
    pip(["wheel", "--no-deps", "--wheel-dir", str(source / "built"), str(source)])
    (built,) = (source / "built").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Install the wheel into an empty environment and return the folder of its programs."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip(["--python", str(python), "install", "--no-deps", str(wheel)])
    (packages,) = folder.glob("lib/python*/site-packages")
    borrowed = sysconfig.get_path("purelib")
    (packages / "borrowed.pth").write_text(f"{borrowed}\n")
    return folder / "bin"


def pip(arguments):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]


def test_a_wheel_holds_all_files_of_the_packages_and_no_others(files, wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {path for path in files if is_needed(path)}


def test_a_wheel_runs_a_matrix_in_a_folder_outside_a_checkout(installed, tmp_path):
    outside = {"PYTHONPATH", "BENCH_HOME", "BENCH_PATH"}
    environment = {name: value for name, value in os.environ.items() if name not in outside}

    def run(*words: str) -> str:
        result = subprocess.run(
            [installed / words[0], *words[1:]],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert result.returncode == 0, f"{words}\n{result.stdout[-2000:]}{result.stderr[-2000:]}"
        return result.stdout

    assert Path(run("python", "-c", "import suite; print(suite.__file__)").strip()).is_relative_to(
        installed.parent
    )
    assert "Maintain:" in run("bench", "--help")
    assert "longformer" in run("bench", "list")
    assert "core" in run("bench", "benchmarks")
    smoke = ("--benchmark", "smoke", "--architectures", "identity")
    run("bench", "run", "--task", "ner", *smoke, "--no-tracking")
    (record,) = read_records(tmp_path / "results" / "local")
    assert record["status"] == "ok"
    assert record["environment"]["commit"] is None, "no commit of a repository around it"
    assert (tmp_path / "results" / "local" / "site" / "assets" / "start.js").is_file()
    assert "the commit of the code is unknown" in run("bench", "publish", "--dry-run")
