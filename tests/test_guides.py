"""The commands and the Python code of the guides, run in order, each guide in its own folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.builders.guides import CORPUS, MATRIX_GUIDE, needs_make, needs_venv, write_plug_ins
from tests.builders.presets import save_preset
from tests.conftest import ROOT, bench_environment, read_records

PYTHON_GUIDE = ROOT / "docs" / "use-from-python.md"
TOUR = ROOT / "docs" / "quick-tour.md"
LAYER_GUIDE = ROOT / "docs" / "use-a-layer-in-your-own-model.md"


def blocks(guide, language):
    return re.findall(rf"```{language}\n(.*?)```", guide.read_text(), re.DOTALL)


def commands(guide):
    return [line for block in blocks(guide, "sh") for line in block.splitlines()]


RUN_ELSEWHERE = (TOUR, MATRIX_GUIDE)  # below, and in test_readme.py
GUIDES = [
    path
    for path in sorted((ROOT / "docs").glob("*.md"))
    if commands(path) and path not in RUN_ELSEWHERE
]


@pytest.mark.slow  # minutes; the code that guides print is run by default (test_newcomer.py)
@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_the_commands_of_a_guide_work(guide, tmp_path):
    write_plug_ins(tmp_path / "mine")
    (tmp_path / "my_corpus").mkdir()
    for split in ("train", "valid", "test"):
        (tmp_path / "my_corpus" / f"{split}.txt").write_text(CORPUS * 40)
    save_preset(tmp_path / "bert_tiny")
    (tmp_path / "results").symlink_to(ROOT / "results")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    environment = bench_environment({"BENCH_HOME": str(tmp_path / "home")})
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
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


@pytest.mark.slow
@needs_make
@needs_venv
def test_the_quick_tour_takes_ten_minutes(tmp_path):
    """As a newcomer runs it: all commands in one shell, in the checkout."""
    home = tmp_path / "home"
    started = time.monotonic()
    result = subprocess.run(
        ["bash", "-e", "-c", "\n".join(commands(TOUR))],
        cwd=ROOT,
        env=bench_environment({"BENCH_HOME": str(home)}),
        capture_output=True,
        text=True,
        timeout=1_200,
    )
    assert result.returncode == 0, f"{result.stdout[-3000:]}{result.stderr[-2000:]}"
    assert time.monotonic() - started < 600
    records = read_records(home)
    assert {record["status"] for record in records} == {"ok"}
    assert {record["cell"]["mode"] for record in records} == {"train", "probe"}
    assert "3 cells, 0 to run" in result.stdout
    assert (home / "site" / "index.html").exists()


def test_the_code_of_the_guide_on_layers_works(tmp_path, monkeypatch):
    """It runs in this process, on the backend of the tests."""
    monkeypatch.chdir(tmp_path)
    exec("".join(blocks(LAYER_GUIDE, "python")), {})


@pytest.mark.slow  # test_api.py calls the same functions by default
def test_the_code_of_the_python_guide_works_as_a_script(tmp_path):
    """A plain script without `if __name__`: no cell may run it again."""
    script = tmp_path / "script.py"
    code = "".join(blocks(PYTHON_GUIDE, "python"))
    script.write_text(f"print('the script begins')\n{code}")
    environment = bench_environment({"BENCH_HOME": str(tmp_path / "home")})
    result = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.count("the script begins") == 1
    assert "2 cells, 2 to run" in result.stdout
    assert "Did you mean 'ner'?" in result.stdout
    assert len(list((tmp_path / "results" / "local" / "tuning").glob("ner/vanilla/*.json"))) == 1
    records = read_records(tmp_path / "home")
    assert {record["status"] for record in records} == {"ok"}
    assert "the script begins" not in "".join(record["log_tail"] for record in records)
