"""Benchmark files: reading, freezing, and which cells are final runs that score the test split."""

from __future__ import annotations

import dataclasses
import shutil

import pytest

from suite.api import Mode
from suite.api.errors import PluginError, RequestError
from suite.matrix.expansion import expand
from suite.matrix.freezing import freeze
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.benchmarks import BUILT_IN, find_benchmark, read_benchmark

SMALL = """
name = "small"
version = 1
summary = "a test's benchmark"
model_size = "tiny"
seeds = [0, 1]
time_limit_seconds = 60

[tasks.ner]
lengths = [64, 128]
steps = 10
positions_per_step = 256

[[entries]]
architecture = "longformer"
options = { window = [64] }

[[probes]]
lengths = [64]
examples_per_step = 1
rounds = 2
"""
DATA = {"ner": {64: "f", 128: "f"}}


@pytest.fixture
def folder(tmp_path):
    """A folder of BENCH_PATH with the frozen benchmark `small`."""
    (tmp_path / "benchmarks").mkdir()
    path = tmp_path / "benchmarks" / "small.toml"
    path.write_text(SMALL)
    freeze(read_benchmark(path), DATA)
    return tmp_path


def cells_of(folder, **fields):
    registry = load_registry((str(folder),))
    request = Request(tasks=("ner",), benchmark="small", architectures=("vanilla", "longformer"))
    return [planned.cell for planned in expand(dataclasses.replace(request, **fields), registry)]


def edit(folder, old, new):
    path = folder / "benchmarks" / "small.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize("path", sorted(BUILT_IN.glob("*.toml")), ids=lambda path: path.stem)
def test_every_built_in_benchmark_is_read_and_expands(path):
    benchmark = read_benchmark(path)
    registry = load_registry()
    cells = expand(Request(mode=None, benchmark=benchmark.name), registry)
    assert {planned.cell.task for planned in cells} >= set(benchmark.tasks)
    assert any(planned.unsupported is None for planned in cells)
    entries = {(planned.cell.mode, planned.cell.architecture) for planned in cells}
    compares = len(benchmark.architectures) != 1  # one is compared with itself
    for mode in {mode for mode, _ in entries if compares}:
        for name, plugin in registry.architectures.plugins.items():
            # A recurrence of one step at a time takes too long at thousands of positions.
            skipped = name == "lstm" or (plugin.probe_only and mode is Mode.TRAIN)
            if plugin.control and not skipped:
                assert (mode, name) in entries, f"every benchmark has the control {name}"


def test_the_settings_of_a_frozen_benchmark_are_a_final_run_narrowed_or_not(folder):
    for fields in (
        {},
        {"seeds": (1,), "lengths": (128,)},
        {"source": "files:some_folder"},
        {"steps": 10, "threads": 2, "model_size": "tiny"},
    ):
        cells = cells_of(folder, **fields)
        assert cells and all(cell.benchmark == "small-1" for cell in cells)
        assert all(cell.scores_test for cell in cells)


@pytest.mark.parametrize(
    "fields",
    [
        {"steps": 11},
        {"lengths": (32,)},
        {"seeds": (2,)},
        {"seeds": (0, 1, 2)},
        {"batch_size": 3},
        {"model_size": "mini"},
        {"precisions": ("mixed_bfloat16",)},
        {"backends": ("jax",)},
        {"options": {"learning_rate": "0.01"}},
        {"options": {"dropout": "0.2"}},
        {"options": {"window": "32"}, "architectures": ("longformer",)},
        {"options": {"tag_chain": "true"}},
    ],
)
def test_an_override_that_the_file_does_not_list_scores_validation_alone(folder, fields):
    cells = cells_of(folder, **fields)
    assert cells and not any(cell.benchmark or cell.scores_test for cell in cells)
    marked = cells_of(folder, score_test=True, **fields)
    assert all(cell.scores_test and cell.benchmark is None for cell in marked)
    assert {cell.id for cell in cells}.isdisjoint(cell.id for cell in marked)


def test_a_listed_entry_runs_beside_the_default_and_is_final(folder):
    cells = cells_of(folder)
    assert [(cell.architecture, dict(cell.options)) for cell in cells[:3]] == [
        ("vanilla", {}),
        ("longformer", {}),
        ("longformer", {"window": [64]}),
    ]


def test_the_hash_is_in_the_ranking_facts_of_final_runs_alone(folder):
    registry = load_registry((str(folder),))
    request = Request(tasks=("ner",), benchmark="small", architectures=("vanilla",))
    final = expand(request, registry)[0].ranking
    assert final.benchmark_hash == registry.benchmarks.get("small").content_hash
    trial = expand(dataclasses.replace(request, steps=3), registry)[0].ranking
    assert trial.benchmark_hash is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("steps = 10", "steps = 20"),
        ("seeds = [0, 1]", "seeds = [0]"),
        ("lengths = [64, 128]", "lengths = [64]"),
        ("window = [64]", "window = [32]"),
        ('model_size = "tiny"', 'model_size = "mini"'),
    ],
)
def test_an_edited_frozen_benchmark_is_refused_until_its_version_is_raised(folder, old, new):
    path = edit(folder, old, new)
    with pytest.raises(
        PluginError, match="a changed benchmark needs a new version: raise the version or undo"
    ):
        read_benchmark(path)
    with pytest.raises(PluginError, match="needs a new version"):
        cells_of(folder)
    edit(folder, "version = 1", "version = 2")
    assert not read_benchmark(path).is_frozen
    cells = cells_of(folder)
    assert cells and not any(cell.benchmark or cell.scores_test for cell in cells)


def test_a_frozen_benchmark_that_is_ranked_states_its_data(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    for data in ({}, {"ner": {64: "f"}}):
        with pytest.raises(RequestError, match="states its data, but not that of ner at length"):
            freeze(read_benchmark(path), data)
        assert path.read_text() == SMALL
    path.write_text(SMALL.replace("version = 1\n", "version = 1\nranked = false\n"))
    freeze(read_benchmark(path))
    assert read_benchmark(path).is_frozen


@pytest.mark.parametrize("new", ['64 = "other"\n', ""])
def test_the_data_of_a_frozen_benchmark_cannot_be_edited(folder, new):
    with pytest.raises(PluginError, match="a changed benchmark needs a new version"):
        read_benchmark(edit(folder, '64 = "f"\n', new))


def test_a_new_version_states_its_data_anew(folder):
    edit(folder, "version = 1", "version = 2")
    freeze(find_benchmark("small", (str(folder),)), {"ner": {64: "g", 128: "h"}})
    found = find_benchmark("small", (str(folder),))
    assert found.data == {"ner": {"64": "g", "128": "h"}} and {"1", "2"} <= set(found.frozen)


def test_the_summary_and_expected_figures_change_no_hash(folder):
    benchmark = find_benchmark("small", (str(folder),))
    before = benchmark.content_hash
    with pytest.raises(RequestError, match="frozen already"):
        freeze(benchmark)
    path = edit(folder, "a test's benchmark", "another summary")
    assert read_benchmark(path).content_hash == before


@pytest.mark.parametrize(
    "head",
    ['summary = "a test of [frozen]"', "# [frozen]\nsummary = 'small'"],
)
def test_the_word_frozen_elsewhere_in_the_file_does_not_hinder_freezing(tmp_path, head):
    path = tmp_path / "small.toml"
    path.write_text(SMALL.replace('summary = "a test\'s benchmark"', head))
    freeze(read_benchmark(path), DATA, {"ner": {64: 0.25}})
    found = read_benchmark(path)
    assert found.is_frozen and found.trivial_score("ner", 64) == 0.25


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("steps = 10", "steps = 0", "tasks.ner.steps"),
        ("steps = 10", "stepz = 10", "tasks.ner.stepz"),
        ("seeds = [0, 1]", "seeds = []", "states its seeds"),
        ("positions_per_step = 256", "", "positions_per_step or examples_per_step"),
        ("lengths = [64, 128]", "lengths = [64, 100]", "is not divisible by the lengths [100]"),
        ("lengths = [64, 128]", "lengths = [64, 512]", "is not divisible by the lengths [512]"),
        ('name = "small"', 'name = "other"', "the file's name is small"),
        ("[tasks.ner]", "[tasks.ner", "small.toml"),
    ],
)
def test_a_malformed_file_is_refused_with_the_field(folder, old, new, message):
    with pytest.raises(PluginError, match="A benchmark is a TOML file") as caught:
        read_benchmark(edit(folder, old, new))
    assert message in str(caught.value)


def test_a_batch_must_fix_what_the_task_scores(folder):
    edit(folder, "version = 1", "version = 2")
    edit(folder, "positions_per_step = 256", "examples_per_step = 4")
    with pytest.raises(RequestError, match="scores positions"):
        cells_of(folder)


def test_two_benchmarks_of_one_name_are_refused(folder):
    shutil.copy(BUILT_IN / "quick.toml", folder / "benchmarks")
    with pytest.raises(PluginError, match="Two benchmarks have the name 'quick'"):
        load_registry((str(folder),))


def test_probes_have_their_rounds_and_are_of_the_benchmark(folder):
    cells = cells_of(folder, mode=Mode.PROBE, tasks=None)
    assert {cell.round for cell in cells} == {0, 1}
    assert all(cell.benchmark == "small-1" and not cell.scores_test for cell in cells)
    more = cells_of(folder, mode=Mode.PROBE, tasks=None, rounds=3)
    assert not any(cell.benchmark for cell in more)


def test_a_request_without_mode_and_task_is_the_whole_benchmark(folder):
    cells = cells_of(folder, mode=None, tasks=None)
    assert {cell.mode for cell in cells} == {Mode.PROBE, Mode.TRAIN}
    assert [cell.mode for cell in cells] == sorted((cell.mode for cell in cells), key=str)


def test_options_that_the_benchmark_sets_for_a_task_are_not_part_of_the_entry_s_name(folder):
    edit(folder, "version = 1", "version = 2")
    edit(folder, "steps = 10\n", "steps = 10\noptions = { dropout = 0.3 }\n")
    freeze(find_benchmark("small", (str(folder),)), DATA)
    registry = load_registry((str(folder),))
    request = Request(tasks=("ner",), benchmark="small", architectures=("vanilla", "longformer"))
    for fields in ({}, {"steps": 3}):
        facts = [
            planned.ranking for planned in expand(dataclasses.replace(request, **fields), registry)
        ]
        assert {one.entry for one in facts} == {"vanilla", "longformer", "longformer (window=[64])"}
        assert {str(one.task_options) for one in facts} == {"{'dropout': 0.3}"}
    other = expand(dataclasses.replace(request, options={"dropout": "0.2"}), registry)[0].ranking
    assert other.entry == "vanilla (dropout=0.2)" and not other.task_options


def test_a_length_that_does_not_divide_the_positions_of_an_update_needs_a_batch_size(folder):
    for length in (48, 512):
        with pytest.raises(RequestError, match=rf"256 positions .* Received: length {length}"):
            cells_of(folder, lengths=(32, length))
        (cell, *_) = cells_of(folder, lengths=(length,), batch_size=2)
        assert cell.benchmark is None
    edit(folder, "version = 1", "version = 2")
    edit(folder, "[tasks.ner]\nlengths = [64, 128]\n", "[other_tasks]\nnum_lengths = 3\n")
    with pytest.raises(RequestError, match=r"256 positions .* Received: length 512"):
        cells_of(folder)
    assert cells_of(folder, lengths=(64, 128))


LIMITED = """
[[entries]]
architecture = "vanilla"
methods = ["label_smoothing"]
tasks = ["ner"]
lengths = [64]
"""


def test_an_entry_may_be_limited_to_tasks_and_lengths(folder):
    path = edit(folder, "[[probes]]", f"{LIMITED}\n[[probes]]")
    path.write_text(path.read_text().split("[frozen]")[0])

    def smoothed(**fields):
        registry = load_registry((str(folder),))
        request = Request(tasks=("ner",), benchmark="small", architectures=("vanilla",), **fields)
        cells = expand(request, registry)
        return [
            (planned.cell.sequence_length, planned.of_benchmark)
            for planned in cells
            if planned.cell.methods and planned.cell.seed == 0
        ]

    assert smoothed() == [(64, True)]
    # A request runs the methods at all of its lengths, and only the listed one is of the benchmark.
    assert smoothed(methods=(("label_smoothing",),)) == [(64, False), (128, False)]
    assert smoothed(methods=(("label_smoothing",),), lengths=(64,)) == [(64, True)]
    for old, new, said in (
        ('tasks = ["ner"]', 'tasks = ["sentiment"]', "limited to tasks.*, sentiment"),
        ("lengths = [64]\n\n", "lengths = [32]\n\n", "limited to lengths.*, 32"),
    ):
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        with pytest.raises(PluginError, match=said):
            read_benchmark(path)
        path.write_text(text)


def test_a_plain_entry_limits_its_architecture(folder):
    plain = '[[entries]]\narchitecture = "vanilla"\nlengths = [64]\n'
    path = edit(folder, "[[probes]]", f"{plain}\n[[probes]]")
    path.write_text(path.read_text().split("[frozen]")[0])
    registry = load_registry((str(folder),))

    def lengths(**fields):
        cells = expand(Request(tasks=("ner",), benchmark="small", seeds=(0,), **fields), registry)
        plain = [one for one in cells if one.ranking.entry == "vanilla"]
        return [(one.cell.sequence_length, one.of_benchmark) for one in plain]

    assert lengths() == lengths(architectures=("vanilla",)) == [(64, True)]
    with pytest.raises(RequestError, match="no entry"):
        lengths(architectures=("vanilla",), lengths=(128,))


def test_an_entry_may_have_other_lengths_for_each_budget(folder):
    entry = '[[entries]]\narchitecture = "vanilla"\noptions = {{ positions = "rotary" }}\n{}\n\n'
    twice = entry.format("steps = [10]") + entry.format("steps = [20]\nlengths = [128]")
    path = edit(folder, "[[probes]]", f"{twice}[[probes]]")
    path.write_text(
        path.read_text().split("[frozen]")[0].replace("steps = 10\n", "steps = [10, 20]\n")
    )

    def rotary(**fields):
        registry = load_registry((str(folder),))
        request = Request(
            tasks=("ner",), benchmark="small", architectures=("vanilla",), seeds=(0,), **fields
        )
        return [
            (planned.cell.steps, planned.cell.sequence_length, planned.of_benchmark)
            for planned in expand(request, registry)
            if planned.cell.options.get("positions") == "rotary"
        ]

    assert rotary() == [(10, 64, True), (10, 128, True), (20, 128, True)]
    # A requested budget of the benchmark keeps its lengths; another one is limited by none.
    assert rotary(steps=10) == [(10, 64, True), (10, 128, True)]
    assert rotary(steps=20) == [(20, 128, True)]
    assert rotary(steps=7) == [(7, 64, False), (7, 128, False)]


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "small.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PluginError, match=r"small\.toml"):
        read_benchmark(path)
