"""`bench crossover` and `bench frontier`, through the public path."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from mlflow.tracking import MlflowClient

from suite.api import Mode
from suite.execution.preparation import prepare
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.environment import describe_machine, num_cores
from suite.records.store import Store
from tests.builders.records import make_record, measured

DECODED = ("crossover", "--metric", "generation.step_seconds")
FLAT_AND_LINEAR = ("--benchmark", "smoke", "--batch-size", "1")


@pytest.mark.slow
@pytest.mark.usefixtures("measured_in_full")
def test_the_crossover_is_found_where_it_is(bench):
    command = ("crossover", "linear", "flat", "--metric", "training.step_seconds", "--json")
    lengths = ("--lengths", "256,512,2048,4096", "--rounds", "3")
    result = bench(*command, *FLAT_AND_LINEAR, *lengths, timeout=1_800)
    assert result.returncode == 0, result.stderr
    length = json.loads(result.stdout)["length"]
    assert length["value"] == pytest.approx(1_024, rel=0.05)
    assert length["low"] <= 1_024 <= length["high"]


@pytest.mark.slow
@pytest.mark.usefixtures("measured_in_full")
def test_the_frontier_is_found_where_it_is(bench):
    command = ("frontier", "--step-seconds", "0.5", "--architectures", "linear", "--json")
    result = bench(*command, "--benchmark", "smoke", timeout=1_200)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)["linear"]
    assert 0.9 * 5_120 <= found["longest"] <= 5_120 <= 1.06 * found["beyond"]


@pytest.mark.usefixtures("delivery")
def test_a_search_is_one_run_of_mlflow_with_its_probes_below(bench, tmp_path):
    command = ("frontier", "--step-seconds", "60", "--architectures", "hasty", "--up-to", "256")
    told = bench(*command, "--benchmark", "smoke")
    assert told.returncode == 0, told.stderr
    client = MlflowClient(Store(tmp_path / "home").tracking_uri)
    experiment = client.get_experiment_by_name("probe")
    runs = list(client.search_runs([experiment.experiment_id]))
    (parent,) = [run for run in runs if run.info.run_name.endswith("bench frontier")]
    assert "lengthwise.planned_cells" not in parent.data.tags
    below = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert {run.data.params["sequence_length"] for run in below} == {"128", "256"}
    assert {run.info.status for run in (parent, *below)} == {"FINISHED"}


@pytest.mark.slow
@pytest.mark.usefixtures("delivery")
def test_without_mlflow_a_search_answers_all_the_same(bench):
    command = ("frontier", "--step-seconds", "60", "--architectures", "hasty", "--up-to", "128")
    told = bench(
        *command, "--benchmark", "smoke", "--json", MLFLOW_TRACKING_URI="http://127.0.0.1:9"
    )
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
        (
            ("crossover", "vanilla", "bert", "--metric", "inference.other_process_cpu_share"),
            "Only a measure with a better direction",
        ),
        (("crossover", "vanilla", "bert", "--task", "ner"), "records with entity_f1 at two"),
        (("crossover", "vanilla", "bert", "--published", "--form", "decoder"), "of both entries"),
        (
            ("crossover", "vanilla", "bert", "--task", "ner", "--metric", "training.step_seconds"),
            "Leave --task out",
        ),
        ((*DECODED, "vanilla", "bert"), "no decoder form"),
        ((*DECODED, "vanilla", "gpt", "--benchmark", "smoke"), "'smoke' has no decodings"),
        (("crossover", "vanilla", "gpt", "--mode", "decode"), "prefill and generation"),
        (
            (*DECODED, "vanilla", "gpt", "--form", "encoder"),
            "an encoder does not",
        ),
        (("crossover", "vanilla", "gpt", "--benchmark", "cost"), "has no encoder form"),
        (
            ("crossover", "vanilla", "lstm", "--benchmark", "cost"),
            "--form, --model-size and --batch-size",
        ),
        (("crossover", "vanilla", "lstm", "--methods", "none;int8"), "without methods"),
        (("frontier", "--memory", "1GiB", "--methods", "int8"), "without methods"),
        (("frontier",), "--memory 8GiB"),
        (("frontier", "--memory", "1GiB", "--mode", "decode"), "prefill and generation"),
        (
            ("frontier", "--memory", "1GiB", "--phase", "generation", "--benchmark", "smoke"),
            "'smoke' has no decodings",
        ),
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


def leave_decodings(home, lengths, value_of, phase, **fields):
    """Leave decodings that are done, each with the value of its architecture."""
    store = Store(home)
    store.prepare()
    request = Request(
        mode=Mode.DECODE,
        benchmark="cost",
        architectures=("vanilla", "mamba2"),
        lengths=lengths,
        batch_size=1,
        threads=num_cores(),
        **fields,
    )
    for planned in prepare(request, store).plan.cells:
        values = value_of(planned.cell).items()
        figures = {name: measured(value) for name, value in values}
        store.write(
            make_record(
                cell=planned.cell,
                measurements={phase: figures},
                environment=dict(describe_machine()),
            )
        )


def test_published_costs_are_compared_without_a_run(bench, tmp_path):
    asked = ("vanilla", "mamba2", "--published", "--form", "decoder", "--batch-size", "1")
    result = bench("crossover", *asked, BENCH_PATH="")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("mamba2 overtakes vanilla in training.tokens_per_second at")
    assert "\n  published: decoder, batch 1, tensorflow, float32; Session" in result.stdout
    assert not list(tmp_path.glob("home/records/*"))


def test_decodings_that_are_done_are_compared_and_not_run(bench, tmp_path):
    seconds = {"vanilla": 2e-3, "mamba2": 1e-3}
    leave_decodings(
        tmp_path / "home",
        (128, 512),
        lambda cell: {"step_seconds": seconds[cell.architecture]},
        "generation",
    )
    left = sorted((tmp_path / "home").glob("records/*"))
    asked = ("--metric", "generation.step_seconds", "--lengths", "128,512")
    result = bench("crossover", "vanilla", "mamba2", *asked)
    assert result.returncode == 0, result.stderr
    assert "mamba2 is ahead of vanilla in generation.step_seconds at all lengths" in result.stdout
    assert sorted((tmp_path / "home").glob("records/*")) == left


def test_a_context_that_fits_while_generating_is_told(bench, tmp_path):
    taken = {"vanilla": 2.0**31, "mamba2": 2.0**20}
    leave_decodings(
        tmp_path / "home",
        (128, 256),
        lambda cell: {"peak_memory_bytes": taken[cell.architecture] + cell.sequence_length},
        "generation",
        rounds=1,
    )
    asked = ("--architectures", "vanilla,mamba2", "--up-to", "256", "--json")
    result = bench("frontier", "--memory", "2GiB", "--phase", "generation", *asked)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["mamba2"] == {"longest": 256, "beyond": None}
    assert (found["vanilla"]["longest"], found["vanilla"]["beyond"]) == (None, 128)
    assert found["vanilla"]["taken"]["peak_memory_bytes"] == 2**31 + 128


def leave_learned(home, metric, figures):
    """Leave trials of language modelling: by architecture and length the figure of each seed."""
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
        store.write(make_record(cell=cell, metrics={"validation": {metric: value}}))
    return request, store


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
    assert "gpt is ahead of vanilla in bits_per_character at all lengths to 256" in result.stdout
    assert said in result.stdout


def test_a_frontier_whose_probe_fails_says_so_and_searches_the_others(bench):
    asked = ("frontier", "--step-seconds", "60", "--architectures", "raises,hasty", "--json")
    result = bench(*asked, "--benchmark", "smoke", "--up-to", "128")
    assert result.returncode == 1, result.stderr
    found = json.loads(result.stdout)
    assert "raises · 128 · round 0 failed" in found["raises"]["failed"]
    assert found["hasty"] == {"longest": 128, "beyond": None}


def test_a_budget_that_no_architecture_meets_is_refused_with_what_each_takes(bench):
    asked = ("frontier", "--step-seconds", "1e-9", "--architectures", "hasty")
    result = bench(*asked, "--benchmark", "smoke")
    assert result.returncode == 2
    assert "hasty            not even 128, which takes" in result.stdout
    assert "Received: --step-seconds 1e-09" in result.stderr and "--memory" not in result.stderr


def test_published_records_are_compared_without_their_data(bench, tmp_path):
    """Records of a data set that is not prepared here."""
    folder = tmp_path / "results" / "published" / "there"
    folder.mkdir(parents=True)
    figures = {"vanilla": {64: 2.6, 256: 2.7}, "longformer": {64: 2.9, 256: 2.4}}
    request = Request(
        tasks=("language_modeling",),
        architectures=tuple(figures),
        lengths=(64, 256),
        seeds=(0, 1, 2),
        score_test=True,
    )
    for planned in expand(request, load_registry(())):
        cell = replace(planned.cell, source="tfds")
        value = figures[cell.architecture][cell.sequence_length] + 0.01 * cell.seed
        record = make_record(
            cell=cell, ranking=planned.ranking, metrics={"test": {"bits_per_character": value}}
        )
        (folder / f"{record.cell_id}.{record.run_id}.json").write_text(record.to_json())
    results = ("--published", "--results", str(tmp_path / "results"), "--json")
    asked = ("--task", "language_modeling", "--data", "tfds", "--lengths", "64,256", *results)
    result = bench("crossover", "vanilla", "longformer", *asked, "--seeds", "0,1,2", "--test")
    assert result.returncode == 0, result.stderr
    gaps = json.loads(result.stdout)["differences"]
    assert {gap["length"] for gap in gaps} == {64, 256} and all(gap["n"] == 3 for gap in gaps)
