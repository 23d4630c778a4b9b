"""What the guides show: plug-ins, commands, and the data that their commands name."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.conftest import ROOT

PLUG_INS = {
    "baselines/mean.py": "add-an-architecture.md",
    "baselines/averaging.py": "add-an-architecture.md",
    "tasks/larger.py": "add-a-task.md",
    "methods/biases.py": "add-a-method.md",
    "benchmarks/small.toml": "add-a-benchmark.md",
    "benchmarks/parity.toml": "reproduce-a-paper.md",
}
"""The guide that shows each file."""


def shown(name):
    """Return a file that a guide shows: the first block of its language after its name."""
    language = "toml" if name.endswith(".toml") else "python"
    text = (ROOT / "docs" / PLUG_INS[name]).read_text()
    named = text[text.index(f"mine/{name}") :]
    return re.search(rf"```{language}\n(.*?)```", named, re.DOTALL).group(1)


ARCHITECTURE = shown("baselines/mean.py")


TASK = shown("tasks/larger.py")


def write_plug_ins(folder):
    """Write the files that the guides show."""
    for name in PLUG_INS:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(shown(name))


CORPUS = "EU B-ORG\nrejects O\nGerman B-MISC\ncall O\n. O\n\nPeter B-PER\nBlackburn I-PER\n\n"


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


needs_venv = pytest.mark.skipif(
    not (ROOT / ".venv" / ".dev").exists(), reason="not run by make: there is no .venv"
)
MATRIX_GUIDE = ROOT / "docs" / "run-a-matrix.md"
