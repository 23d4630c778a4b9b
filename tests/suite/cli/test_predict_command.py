"""`bench predict`: the command that a run prints gives one line for each line of a file."""

from __future__ import annotations

import shlex

import pytest

from suite.cli.predict_command import _line

QUIET = ("--no-tracking", "--no-dashboard")
RUN = ("run", "--benchmark", "smoke", "--architectures", "nothing", "--keep-weights", *QUIET)
COLUMNS = "Mara B-PER\nlives O\nin O\nOslo B-LOC\n. O\n\n" * 60
TEXTS = "\ufeffMara saw\u00a0Oslo today\r\n\r\nMara lives in Oslo .\r\n \r\n"


def printed(result, name):
    """Return the rest of the line of a run that begins with a name."""
    assert result.returncode == 0, result.stderr
    (line,) = (line for line in result.stdout.splitlines() if line.startswith(name))
    return line.removeprefix(name).strip()


def test_the_command_that_a_run_prints_predicts_the_lines_of_a_file(bench, tmp_path):
    data, home = tmp_path / "columns", tmp_path / "a home"
    data.mkdir()
    for split in ("train", "dev", "test"):
        (data / f"{split}.txt").write_text(COLUMNS)
    run = bench(*RUN, "--task", "ner", "--data", f"files:{data}", "--home", str(home))
    program, *command = shlex.split(printed(run, "Predict"), comments=True)
    assert program == "bench" and command[-2:] == ["--home", str(home)]
    (record,) = (home / "records").glob("*.json")
    assert command[:3] == ["predict", record.name.split(".")[1], "FILE"]
    path = tmp_path / "texts.txt"
    path.write_bytes(TEXTS.encode())
    found = bench(*(str(path) if word == "FILE" else word for word in command))
    assert found.returncode == 0, found.stderr
    lines = found.stdout.split("\n")
    assert [len(line.split()) for line in lines] == [3, 0, 5, 0, 0]
    assert set(found.stdout.split()) <= {"O", "B-PER", "B-LOC"}


def test_a_run_says_of_a_model_that_reads_no_texts_that_it_cannot_predict(bench):
    run = bench(*RUN, "--task", "parity")
    assert "reads no raw input, so that it cannot predict" in printed(run, "Weights")


def test_a_run_names_the_commands_that_follow_with_its_own_data(bench, tmp_path):
    data = tmp_path / "my columns"
    data.mkdir()
    for split in ("train", "dev", "test"):
        (data / f"{split}.txt").write_text(COLUMNS)
    words = (*RUN, "--task", "ner", f"--data=files:{data}", "--seed", "0", "--rerun")
    run = bench(*(word for word in words if word != "--keep-weights"))
    assert run.returncode == 0, run.stderr
    lines = run.stdout.partition("Next")[2].splitlines()
    program, *first = shlex.split(lines[0], comments=True)
    assert program == "bench" and first[-2:] == ["--seeds", "0-2"]
    assert f"--data=files:{data}" in first and not {"--seed", "--rerun"} & set(first)
    tune, keep = (shlex.split(line, comments=True)[1:] for line in lines[1:3])
    assert tune[0] == "tune" and not {"--seeds", "--no-tracking", "--no-dashboard"} & set(tune)
    assert keep[0] == "run" and keep[-1] == "--keep-weights" and "--seed" in keep
    for words in (first, keep):  # a plan takes the options of a run
        assert bench("plan", *words[1:]).returncode == 0


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028"])
def test_a_prediction_with_line_ends_is_one_line(end):
    assert _line(f"one{end}two") == _line({"answer": f"one{end}two"}) == "one two"
    assert _line(["O", "B-PER"]) == "O B-PER"
    assert _line({"bits": 0.5}) == "0.5" and _line("") == _line(None) == ""
