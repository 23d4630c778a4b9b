"""Everything that the packages import is declared in pyproject.toml."""

from __future__ import annotations

import ast
import re
import sys
import tomllib

from tests.conftest import ROOT

PACKAGES = ("suite", "tasks", "baselines", "dashboards")
MODULES = {
    "google": "protobuf",
    "importlib_resources": "importlib-resources",
    "keras_hub": "keras-hub",
    "PIL": "pillow",
    "pynvml": "nvidia-ml-py",
    "rouge_score": "rouge-score",
    "sklearn": "scikit-learn",
    "tensorflow_datasets": "tensorflow-datasets",
    "typing_extensions": "typing-extensions",
}
"""The distributions whose modules have another name."""
OF_NOTEBOOKS = {"IPython"}
"""Only code that runs within a notebook imports these, and every notebook has them."""


def imported():
    """Return the first part of each imported name, with the files that import it."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if "node_modules" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    names = [node.module or ""]
                for name in names:
                    found.setdefault(name.partition(".")[0], set()).add(str(path.relative_to(ROOT)))
    return found


def test_each_imported_package_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lists = [project["dependencies"], *(extras[name] for name in extras if name != "dev")]
    declared = {re.match(r"[\w.-]+", line)[0].lower() for lines in lists for line in lines}
    foreign = {
        name: files
        for name, files in imported().items()
        if name not in sys.stdlib_module_names and name not in {*PACKAGES, *OF_NOTEBOOKS}
    }
    assert {"keras", "numpy", "mlflow"} <= foreign.keys()
    missing = {
        name: files for name, files in foreign.items() if MODULES.get(name, name) not in declared
    }
    assert not missing


def test_the_lock_has_each_package_with_hashes_and_no_address():
    """A missing package would be installed in any version, and without a check of its bytes."""
    text = (ROOT / "constraints.txt").read_text()
    blocks = re.split(r"\n(?=\w)", text.strip())
    locked = {re.match(r"[\w.-]+(?===)", block)[0]: "--hash=sha256:" in block for block in blocks}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {re.match(r"[\w.-]+", line)[0].lower() for lines in lists for line in lines}
    assert declared <= set(locked)
    assert [name for name, hashed in locked.items() if not hashed] == ["torch"]
    assert "://" not in text
