"""`bench crossover` and `bench frontier`, through the public path."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest
from click.testing import CliRunner
from mlflow.tracking import MlflowClient

from suite.api import Status
from suite.api.errors import HomeError, RequestError
from suite.cli import crossover_command, frontier_command
from suite.execution import preparation
from suite.execution.preparation import make_limits, prepare
from suite.matrix.request import Request
from suite.records.schema import Measurement
from suite.records.store import Store
from tests.suite.records.test_store import make_record

FLAT_AND_LINEAR = ("--preset", "smoke", "--batch-size", "1")


@pytest.mark.slow
def test_the_crossover_is_found_where_it_is(bench):
    command = ("crossover", "linear", "flat", "--metric", "training.step_seconds", "--json")
    lengths = ("--lengths", "256,512,2048,4096", "--rounds", "3")
    result = bench(*command, *FLAT_AND_LINEAR, *lengths, timeout=1_800)
    assert result.returncode == 0, result.stderr
    length = json.loads(result.stdout)["length"]
    assert length["value"] == pytest.approx(1_024, rel=0.05)
    assert length["low"] <= 1_024 <= length["high"]


@pytest.mark.slow
def test_the_frontier_is_found_where_it_is(bench):
    command = ("frontier", "--step-seconds", "0.5", "--architectures", "linear", "--json")
    result = bench(*command, "--preset", "smoke", timeout=1_200)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)["linear"]
    assert 0.9 * 5_120 <= found["longest"] <= 5_120 <= 1.06 * found["beyond"]


def test_a_search_is_one_run_of_mlflow_with_its_probes_below(bench, tmp_path):
    command = ("frontier", "--step-seconds", "60", "--architectures", "hasty", "--up-to", "256")
    told = bench(*command, "--preset", "smoke")
    assert told.returncode == 0, told.stderr
    client = MlflowClient(Store(tmp_path / "home").tracking_uri)
    experiment = client.get_experiment_by_name("probe")
    runs = list(client.search_runs([experiment.experiment_id]))
    (parent,) = [run for run in runs if run.info.run_name.endswith("bench frontier")]
    assert "lengthwise.planned_cells" not in parent.data.tags
    below = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert {run.data.params["sequence_length"] for run in below} == {"128", "256"}
    assert {run.info.status for run in (parent, *below)} == {"FINISHED"}


def test_without_mlflow_a_search_answers_all_the_same(bench):
    command = ("frontier", "--step-seconds", "60", "--architectures", "hasty", "--up-to", "128")
    told = bench(*command, "--preset", "smoke", "--json", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["hasty"]["longest"] == 128
    assert "`bench sync` delivers them later" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("crossover", "vanilla", "vanilla"), "vanilla twice"),
        (("crossover", "vanilla", "nobody"), "nobody"),
        (("crossover", "vanilla", "gpt"), "has no encoder form"),
        (("crossover", "vanilla", "bert", "--lengths", "512,128"), "512,128"),
        (("crossover", "vanilla", "bert", "--metric", "speed"), "'speed'"),
        (("crossover", "vanilla", "bert", "--task", "ner"), "records with entity_f1 at two"),
        (("crossover", "vanilla", "bert", "--published"), "name a --task"),
        (
            ("crossover", "vanilla", "bert", "--task", "ner", "--metric", "training.step_seconds"),
            "Leave --task out",
        ),
        (("frontier",), "--memory 8GiB"),
        (("frontier", "--memory", "8 parsecs"), "8 parsecs"),
        (("frontier", "--memory", "999999GiB"), "999999GiB"),
        (("frontier", "--step-seconds", "0"), "0"),
        (("frontier", "--step-seconds", "1", "--lengths", "128"), "no lengths"),
        (("frontier", "--step-seconds", "1", "--up-to", "5"), "--up-to 5"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_runs(bench, tmp_path, arguments, said):
    result = bench(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr and "Traceback" not in result.stderr
    assert not list((tmp_path / "home").glob("records/*"))


def leave_learned(home, metric, figures):
    """Leave records of language modelling: by architecture and length the figure of each seed."""
    store = Store(home)
    store.prepare()
    request = Request(
        tasks=("language_modeling",),
        architectures=tuple(figures),
        lengths=(64, 256),
        seeds=(0, 1, 2),
    )
    for planned in prepare(request, store).plan.cells:
        cell = planned.cell
        value = figures[cell.architecture][cell.sequence_length][cell.seed]
        store.write(make_record(cell=cell, metrics={"test": {metric: value}}))
    return request, store


def test_less_perplexity_is_better(tmp_path):
    vanilla = {64: (10.0, 10.1, 10.2), 256: (20.0, 20.1, 20.2)}
    gpt = {64: (12.0, 12.1, 12.2), 256: (15.0, 15.1, 15.2)}
    request, store = leave_learned(tmp_path, "perplexity", {"vanilla": vanilla, "gpt": gpt})
    _, found, gaps = crossover_command._from_records(request, "perplexity", store.current())
    assert found.length is not None and 64 < found.length.value < 256
    assert {at: gap.value for at, gap in gaps.items()} == pytest.approx({64: -2.0, 256: 5.0})


@pytest.mark.parametrize(
    ("gpt", "said"),
    [
        ({64: (2.5, 2.6, 2.7), 256: (2.6, 2.2, 2.4)}, "at no length beyond the noise"),
        ({64: (2.0, 2.1, 2.3), 256: (2.0, 2.1, 2.2)}, "at 256: gpt ahead by 0.5"),
    ],
)
def test_what_was_learned_is_compared_by_the_task_s_metric_and_with_its_noise(
    bench, tmp_path, gpt, said
):
    vanilla = {64: (2.6, 2.5, 2.8), 256: (2.5, 2.6, 2.7)}
    figures = {"vanilla": vanilla, "gpt": gpt}
    leave_learned(tmp_path / "home", "bits_per_character", figures)
    command = ("crossover", "vanilla", "gpt", "--task", "language_modeling", "--lengths", "64,256")
    result = bench(*command, "--seeds", "0,1,2", "--threads", "7")  # it costs time, not scores
    assert result.returncode == 0, result.stderr
    assert "gpt is ahead of vanilla in bits_per_character from 64 on" in result.stdout
    assert said in result.stdout


def test_an_accelerator_s_memory_bounds_no_process_of_the_host(monkeypatch):
    budget = 2**30
    monkeypatch.setattr(frontier_command, "has_accelerator", lambda: False)
    on_processor = frontier_command._limits("smoke", budget).memory_bytes
    assert on_processor <= budget + frontier_command.FRAMEWORK_BYTES
    monkeypatch.setattr(frontier_command, "has_accelerator", lambda: True)
    on_accelerator = frontier_command._limits("smoke", budget).memory_bytes
    assert on_accelerator == make_limits("smoke").memory_bytes


def test_a_frontier_of_all_says_who_is_unsupported_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(frontier_command, "_fits", lambda *given: lambda length: length <= 300)
    asked = ["--step-seconds", "1", "--home", str(tmp_path)]
    told = CliRunner().invoke(frontier_command.command, asked)
    assert told.exit_code == 0, told.output
    lines = {line.split()[0]: line for line in told.output.splitlines()}
    assert "unsupported: has no encoder form" in lines["gpt"]
    assert "no more" in lines["vanilla"] and {"bert", "longformer", "reformer"} <= set(lines)
    found = json.loads(CliRunner().invoke(frontier_command.command, [*asked, "--json"]).output)
    assert "unsupported" in found["vit"]
    assert found["bert"]["longest"] <= 300 < found["bert"]["beyond"]


def test_a_frontier_whose_probe_fails_says_so_and_goes_on(tmp_path, monkeypatch):
    def probe(prober, length, architectures):
        (name,) = architectures
        cell = dataclasses.replace(make_record().cell, architecture=name, sequence_length=length)
        if name == "vanilla":
            return [make_record(cell=cell, status=Status.FAILED, reason="no such operation")]
        step = Measurement(value=length / 300, n=1, samples=(), quartiles=None, method="planted")
        return [make_record(cell=cell, measurements={"training": {"step_seconds": step}})]

    monkeypatch.setattr(frontier_command.Prober, "probe", probe)
    asked = ["--step-seconds", "1", "--home", str(tmp_path), "--architectures", "vanilla,bert"]
    told = CliRunner().invoke(frontier_command.command, [*asked, "--json"])
    assert told.exit_code == 1, told.output
    found = json.loads(told.output)
    assert "failed: no such operation" in found["vanilla"]["failed"]
    assert found["bert"]["longest"] <= 300 < found["bert"]["beyond"]


def test_a_budget_that_nobody_meets_is_refused_with_what_each_takes(tmp_path, monkeypatch):
    def probe(prober, length, architectures):
        taken = {"step_seconds": 0.25, "peak_memory_bytes": 300.0 * 2**20}
        measured = {
            name: Measurement(value=value, n=1, samples=(), quartiles=None, method="planted")
            for name, value in taken.items()
        }
        return [make_record(measurements={"training": measured})]

    monkeypatch.setattr(frontier_command.Prober, "probe", probe)
    asked = ["--memory", "1KiB", "--home", str(tmp_path), "--architectures", "vanilla,bert"]
    told = CliRunner().invoke(frontier_command.command, asked)
    assert "not even 128, which takes 300 MiB, 0.25 s a step" in told.output
    assert isinstance(told.exception, RequestError) and "--memory 1KiB" in str(told.exception)
    assert "--step-seconds" not in str(told.exception)


def test_what_is_published_is_compared_without_its_data(bench):
    settings = ("--data", "tfds", "--preset", "standard", "--published", "--json")
    result = bench("crossover", "vanilla", "longformer", "--task", "language_modeling", *settings)
    assert result.returncode == 0, result.stderr
    gaps = json.loads(result.stdout)["differences"]
    assert {gap["length"] for gap in gaps} >= {64, 256} and all(gap["n"] >= 3 for gap in gaps)


def test_too_little_disk_or_memory_is_said_before_anything_runs(tmp_path, monkeypatch):
    store = Store(tmp_path)
    preparation.check_resources(store)
    monkeypatch.setattr(preparation, "available_memory_bytes", lambda: 2**20)
    with pytest.raises(RequestError, match="1 MiB available"):
        preparation.check_resources(store)
    usage = shutil.disk_usage(tmp_path)._replace(free=3 * 2**20)
    monkeypatch.setattr(preparation.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(HomeError, match="3 MiB free"):
        preparation.check_resources(store)
