"""The command line: quick, helpful, one line and exit code 2 for a mistake."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import suite
from suite.actions import doctor
from suite.actions.doctor import Check
from suite.api import Status
from suite.api.files import CHECKOUT
from suite.cli import doctor_command, run_command
from tests.builders.records import make_record
from tests.conftest import BENCH, bench_environment

HEAVY = ("tensorflow", "keras", "numpy", "pandas", "scipy", "mlflow", "plotly")


@pytest.mark.parametrize("arguments", [["list"], ["plan", "--task", "ner"], ["--help"], ["report"]])
def test_light_commands_import_nothing_heavy(arguments, tmp_path):
    program = (
        f"import sys; sys.argv = ['bench', *{arguments!r}]\n"
        "from suite.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    environment = bench_environment({"BENCH_HOME": str(tmp_path)})
    python = BENCH.with_name("python")
    result = subprocess.run(
        [str(python), "-c", program], env=environment, capture_output=True, text=True
    )
    assert result.stderr.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--task", "nerr"], "Did you mean 'ner'?"),
        (["run", "--task", "ner", "--architectures", "longfromer"], "Did you mean 'longformer'?"),
        (["run", "--task", "ner", "--benchmark", "quik"], "Did you mean 'quick'?"),
        (["run", "--task", "ner", "--data", "hub"], "There is no source for the task 'ner'"),
        (["run", "--task", "ner", "--lengths", "0"], "Received: 0"),
        (["run", "--task", "ner", "--lengths", "12x"], "--lengths takes whole numbers"),
        (["run", "--task", "ner", "--lengths", "128..500"], "doubles from its start to its end"),
        (["run", "--task", "ner", "--seeds", "3-0"], "A range of --seeds ascends"),
        (["run", "--task", "ner", "--seeds", "0-99999"], "at most 1,000 numbers"),
        (["run", "--task", "NER"], "Did you mean 'ner'?"),
        (["run", "ner"], "Did you mean --task ner?"),
        (["plan", "Vanilla", "--task", "ner"], "Did you mean --architectures vanilla?"),
        (["list", "core"], "Run `bench benchmarks core`"),
        (["benchmarks", "cor"], "Did you mean 'core'?"),
        (["benchmarks", "ner"], "Received: the task ner. Run `bench list ner`"),
        (["report", "--architectures", "longfromer"], "Did you mean 'longformer'?"),
        (["run", "--task", "ner", "--lengths", "1,,2"], "between any two commas"),
        (["plan", "--task", "ner", "--lengths", "129-300"], "135, 136 and 163 more. Choose other"),
        (["run", "--task", "ner", "--data", "files:/nowhere"], "must exist"),
        (["run", "--task", "ner", "--data", "tfds", "--tfds-data-dir", "/nowhere"], "--download"),
        (["run", "--task", "ner", "--home", "/proc/nowhere"], "must be writable"),
        (["run", "--task", "ner", "--memory-limit", "lots"], "Write 8GiB"),
        (["run", "--task", "ner", "--time-limit", "0"], "x>0"),
        (["run", "--task", "ner", "--time-limit", "nan"], "'nan' is not a finite number"),
        (["prune", "--older-than", "inf"], "0<=x<=36500"),
        (["plan", "--task", "listops", "--option", "train_examples=0"], "at least 100"),
        (["leaderboard", "--results", "/nowhere"], "/nowhere"),
        (["run", "--task", "ner", "--retry", "faild"], "Did you mean 'failed'?"),
        (
            ["run", "--task", "ner", "--architectures", "images_only"],
            "No cell of this request can run",
        ),
        *(
            (
                [command, "--task", "associative_recall", "--length", "64", "--option", "pairs=17"],
                "the task cannot fit 17 pairs into 64 symbols",
            )
            for command in ("plan", "run")
        ),
        (["run", "--task", "ner", "--option", "window"], "NAME=VALUE"),
        (["run", "--no-such-option"], "--no-such-option"),
        (["run", "--learning-rate", "0.1"], "--option learning_rate=VALUE"),
        (["list", "--learning-rate", "0.1"], "'--learning-rate'. See `bench list --help`."),
        (["check-submission", "/nowhere"], "A submission is files in results/published"),
        (["rnu"], "Did you mean 'run'?"),
        (["probe", "--lengths", "128"], "Run `bench run --mode probe`"),
        (["sync"], "This home does not exist"),
        (["publish"], "This home does not exist"),
        (["report", "--home", __file__], "Received: " + __file__),
        (["report"], "no such records"),
        (["dashboard"], "no records"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(bench, arguments, message):
    result = bench(*arguments)
    assert result.returncode == 2, result.stdout
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.stderr


def test_list_says_what_supports_what_and_why_not(bench):
    listing = json.loads(bench("list", "--json").stdout)
    assert listing["supports"]["ner"]["vanilla"] is None
    assert "patches" in listing["supports"]["ner"]["images_only"]
    assert listing["tasks"]["ner"]["sources"]["tfds"]["redistributable"] is False
    assert listing["benchmarks"]["quick"]["tasks"]["sentiment"][0]["lengths"] == [128, 256]
    assert listing["benchmarks"]["quick"]["is_frozen"]
    support = bench("list", "ner").stdout.split("Support of architectures")[1]
    of_ner = re.search(r"^  ner: (?:.*\n)(?:      .*\n)*", support, re.MULTILINE)[0]
    assert re.search(r"not .*images_only.*: does not take embeddings; it takes: patches", of_ner)


def test_the_details_of_an_architecture_list_the_tasks_that_it_can_run(bench):
    tasks = bench("list", "images_only").stdout.split("Tasks that an architecture can run")[1]
    assert re.search(r"^  images_only: .*\bimage_classification\b", tasks, re.MULTILINE)
    assert re.search(r"^      not .*\bner\b.*: does not take embeddings", tasks, re.MULTILINE)


def test_lists_have_a_line_an_item_and_the_default_comes_first(bench):
    lines = bench("list", BENCH_PATH="").stdout.splitlines()
    assert len(lines) <= 60
    assert {"ner", "vanilla", "train"} <= {line.split()[0] for line in lines}
    listed = bench("benchmarks", BENCH_PATH="").stdout.splitlines()
    assert listed[0].startswith("quick-") and len(listed) <= 60
    details = bench("benchmarks", "quick", "core").stdout
    assert "core-2 (frozen, hash" in details and "  ner: lengths 128, 512" in details


def test_a_list_of_numbers_has_ranges_in_every_command(bench):
    words = "--task ner --architectures vanilla --lengths 64 --lengths 128..256 --seeds 0-1,4"
    planned = json.loads(bench("plan", *words.split(), "--json").stdout)
    cells = [(one["cell"]["sequence_length"], one["cell"]["seed"]) for one in planned]
    assert sorted(cells) == [(n, seed) for n in (64, 128, 256) for seed in (0, 1, 4)]
    same = suite.plan(task="ner", architectures="vanilla", lengths="64..256", seeds="0-1,4")
    assert [one.cell.id for one in same] == [one["id"] for one in planned]


def test_architectures_that_nobody_named_and_that_cannot_run_are_left_out(bench):
    words = ("plan", "--task", "ner", "--benchmark", "quick")
    planned = bench(*words).stdout
    assert "unsupported" not in planned
    assert "Left out, because they cannot run the task: gpt for ner" in planned
    named = bench(*words, "--architectures", "vanilla,vit").stdout
    assert "unsupported: does not take embeddings" in named and "Left out" not in named


def test_list_of_names_has_them_alone(bench):
    printed = bench("list", "ner", "vanilla", "lora").stdout
    assert re.findall(r"^  (\w+):", printed, re.MULTILINE) == ["ner", "vanilla", "lora", "ner"]
    assert "  ner: vanilla\n" in printed and "Model sizes" not in printed
    method = bench("list", "lora").stdout
    assert "Support" not in method and "Tasks" not in method
    wrong = bench("list", "longfromer")
    assert wrong.returncode == 2 and "Did you mean 'longformer'?" in wrong.stderr


def test_a_plan_needs_no_data_and_names_the_data_sets_that_a_run_would_need(bench):
    arguments = ("--benchmark", "core", "--task", "ner,sentiment", "--tfds-data-dir", "/nowhere")
    text = bench("plan", *arguments)
    assert text.returncode == 0, text.stderr
    for name in ("conll2003", "imdb_reviews"):
        assert f"The data set '{name}' is not prepared here" in text.stdout
    assert " 0 to run, " in text.stdout and "without data" in text.stdout
    assert "to tune" not in text.stdout, "a tuned rate is found by the data"
    as_json = bench("plan", *arguments, "--json")
    assert len(json.loads(as_json.stdout)) > 50
    assert as_json.stderr.count("not prepared") == 2
    run = bench("run", *arguments)
    assert run.returncode == 2
    assert "not prepared" in run.stderr


def test_every_command_has_help(bench):
    names = [
        line.split()[0]
        for line in bench("--help").stdout.split("Run:\n")[1].splitlines()
        if line.startswith("  ") and not line.startswith("   ")
    ]
    assert {"list", "plan", "run", "report", "dashboard", "ui", "sync", "doctor"} <= set(names)
    for name in names:
        shown = bench(name, "--help").stdout
        assert "Usage: bench" in shown
        # Aliases are hidden, and equal values have equal names.
        assert not re.search(r"--\w+_\w+|--[\w-]+, --|INTEGER|DIRECTORY|\bTEXT\b|RANGE", shown), (
            name
        )


def test_a_plan_takes_what_a_run_takes(bench):
    run, plan = (set(re.findall(r"^  (--[\w-]+)", bench(name, "--help").stdout, re.MULTILINE))
                 for name in ("run", "plan"))  # fmt: skip
    assert run <= plan


def test_alone_it_shows_its_help_and_it_knows_its_version(bench):
    alone = bench()
    assert alone.returncode == 2 and "Run:\n" in alone.stderr and alone.stdout == ""
    declared = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
    assert bench("--version").stdout == f"lengthwise {declared}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(bench, shell):
    assert f"{shell}_source" in bench("completion", shell).stdout
    words = {"COMP_WORDS": "bench run --task n", "COMP_CWORD": "3"}
    completed = bench(_BENCH_COMPLETE="bash_complete", process=True, **words)
    assert "ner" in completed.stdout


@pytest.mark.slow  # TensorFlow and MLflow are imported in processes of their own
def test_doctor_finds_everything_here(bench):
    here = bench("doctor", "--json")
    assert here.returncode == 0, here.stdout
    checks = {check["name"]: check for check in json.loads(here.stdout)}
    assert checks["devices"]["ok"] and checks["tracking"]["ok"]


def test_doctor_says_what_to_do_where_something_is_missing(bench, monkeypatch):
    run = doctor._in_process
    devices = doctor.Check("devices", True, "as before")  # importing the framework takes seconds
    monkeypatch.setattr(
        doctor,
        "_in_process",
        lambda name, *given: devices if name == "devices" else run(name, *given),
    )
    away = bench("doctor", "--json", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    checks = {check["name"]: check for check in json.loads(away.stdout)}
    for name in ("python", "package tensorflow", "devices", "home", "disk"):
        assert checks[name]["ok"], checks[name]
    tracking, data = checks["tracking"], checks["data ner tfds"]
    assert away.returncode == 1 and not tracking["ok"] and "bench sync" in tracking["remedy"]
    assert not data["ok"] and data["remedy"]
    optional = {name for name, check in checks.items() if not check["needed"]}
    assert {"data ner tfds", "package torch", "package jax"} <= optional


def test_an_error_of_a_path_that_the_user_did_not_give_keeps_its_traceback(monkeypatch):
    import suite.cli as cli

    def fail(**_):
        Path("/nowhere/of-our-own").read_text()

    monkeypatch.setattr(cli, "bench", fail)
    monkeypatch.setattr("sys.argv", ["bench", "list"])
    with pytest.raises(FileNotFoundError):
        cli.main()
    monkeypatch.setattr("sys.argv", ["bench", "report", "--home=/nowhere"])
    with pytest.raises(SystemExit):
        cli.main()


@pytest.mark.parametrize(("folder", "called"), [(BENCH.parent, "bench"), ("", ".venv/bin/bench")])
def test_after_a_time_out_the_next_command_gives_more_time(monkeypatch, folder, called):
    words = ["--task", "ner", "--time-limit", "300"]
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "argv", [".venv/bin/bench", "run", *words])
    late = make_record(Status.TIMED_OUT, details={"limits": {"seconds": 300}})
    with run_command.command.make_context("run", [*words]):
        (found,) = run_command.next_commands([late], plan=None)
    assert found[0] == f"{called} run --task ner --time-limit 900"


def test_a_busy_machine_is_no_broken_installation(monkeypatch):
    def busy(*arguments, timeout, **named):
        raise subprocess.TimeoutExpired("python", timeout)

    monkeypatch.setattr(subprocess, "run", busy)
    check = doctor._in_process("devices", "", "Install the project again")
    assert not check.ok and not check.needed
    assert "busy" in check.remedy and "Install" not in check.remedy


def test_json_is_printed_as_the_checks_end_and_is_a_list(bench, monkeypatch, capsys):
    printed = []

    def examine(*arguments, **named):
        for name in ("first", "second"):
            yield Check(name, True, "found\nmore")
            printed.append(doctor_command.sys.stdout.getvalue())

    monkeypatch.setattr(doctor_command, "examine", examine)
    result = bench("doctor", "--json")
    assert [check["name"] for check in json.loads(result.stdout)] == ["first", "second"]
    assert '"first"' in printed[0] and '"second"' not in printed[0] and '"second"' in printed[1]
    assert result.stdout.startswith('[\n {\n  "name": "first"')
