"""The guides' commands, run in order, each guide in a folder of its own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, bench_environment
from tests.test_newcomer import ARCHITECTURE, TASK
from tests.test_readme import CORPUS

GUIDES = sorted((ROOT / "docs").glob("*.md"))


def commands(guide):
    blocks = re.findall(r"```sh\n(.*?)```", guide.read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.slow  # minutes; the code that guides print is run by default (test_newcomer.py)
@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_the_commands_of_a_guide_work(guide, tmp_path):
    for kind, name, content in (("baselines", "mean", ARCHITECTURE), ("tasks", "larger", TASK)):
        (tmp_path / "mine" / kind).mkdir(parents=True)
        (tmp_path / "mine" / kind / f"{name}.py").write_text(content)
    (tmp_path / "my_corpus").mkdir()
    for split in ("train", "valid", "test"):
        (tmp_path / "my_corpus" / f"{split}.txt").write_text(CORPUS * 40)
    (tmp_path / "my_text.txt").write_text("Once upon a time there was a text. " * 500)
    (tmp_path / "results").symlink_to(ROOT / "results")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    environment = bench_environment({"BENCH_HOME": str(tmp_path / "home")})
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    assert commands(guide)
    for command in commands(guide):
        words = shlex.split(command)
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            environment[name] = str(tmp_path / value)
            continue
        if words[:2] == ["bench", "run"]:
            words.append("--no-dashboard")
        cwd = ROOT if words[0] == "pytest" else tmp_path
        result = subprocess.run(
            words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
        )
        assert result.returncode == 0, f"{command}\n{result.stdout[-3000:]}{result.stderr[-2000:]}"
