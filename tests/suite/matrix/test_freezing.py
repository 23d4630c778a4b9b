"""A benchmark is frozen only after a check against the registry and the published records."""

from __future__ import annotations

import dataclasses
import json
import resource
import signal
import tomllib

import pytest

from suite.api import PluginError, RequestError
from suite.matrix.freezing import (
    check_published,
    checked_cells,
    freeze,
    published_hashes,
)
from suite.matrix.registry import load_registry
from suite.records.benchmarks import find_benchmark
from tests.builders.benchmarks import SMALL, UNRANKED
from tests.builders.records import FINAL, TRIAL, make_record


@pytest.fixture
def write(tmp_path):
    """Write the benchmark `small` with a text replaced; return it with its registry."""
    (tmp_path / "benchmarks").mkdir()

    def replaced(old="", new=""):
        assert old in SMALL
        (tmp_path / "benchmarks" / "small.toml").write_text(SMALL.replace(old, new))
        path = (str(tmp_path),)
        return find_benchmark("small", path), load_registry(path)

    return replaced


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[tasks.ner]", "[tasks.nerr]", "There is no task"),
        ('"vanilla"', '"vanila"', "There is no architecture"),
        ("dropout = 0.3", "dropuot = 0.3", "There is no option of the task 'image_classification'"),
        ("dropout = 0.3", 'dropout = "no"', "The option 'dropout' is a number"),
        ("dropout = 0.3", "train_share = 2.0", "'train_share' must be from 0.01 to 1"),
        ("window = [64]", "train_share = 0.5", "All entries of the standard track share"),
        ("window = [64]", "widow = [64]", "There is no option of the entry longformer"),
        ("window = [64]", 'window = ["x"]', "The option 'window' is a list of int"),
        ("lengths = [64]\n", "lengths = [63]\n", "can run image_classification at length 63"),
        ("positions_per_step = 256", "examples_per_step = 4", "Write positions_per_step"),
        ("steps = 10\nposi", 'source = "tfd"\nsteps = 10\nposi', "There is no source"),
        ('size = "tiny"', 'size = "tny"', "There is no model size"),
        (', "identity", "lstm"]', "]", "lacks identity, lstm"),
    ],
)
def test_a_file_that_contradicts_the_registry_is_refused(write, old, new, message):
    with pytest.raises(RequestError, match=message):
        checked_cells(*write(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "options = { window = [64] }",
            '[[entries]]\narchitecture = "bert"\nlengths = [64]',
            "entries: the benchmark does not include bert",
        ),
        ("seeds = [0]", 'seeds = [0]\nprecision = "float31"', "precision: choose one of float32"),
        ("seeds = [0]", 'seeds = [0]\nbackend = "keras"', "backend: choose one of tensorflow"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(write, old, new, message):
    with pytest.raises(PluginError, match=message):
        write(old, new)


@pytest.mark.parametrize("option", ["dropout = 0.3", "learning_rate = 0.01", "tag_chain = true"])
def test_an_entry_of_the_standard_track_has_the_recipe_of_all(write, option):
    with pytest.raises(RequestError, match="of the standard track share the recipe"):
        checked_cells(*write("window = [64]", option))
    opened = write("window = [64]", option)[0].path
    opened.write_text(opened.read_text().replace("seeds = [0]", 'seeds = [0]\ntrack = "open"'))
    path = (str(opened.parent.parent),)
    assert checked_cells(find_benchmark("small", path), load_registry(path))


def test_the_cells_of_a_correct_file_are_returned(write):
    cells = checked_cells(*write())
    assert len(cells) == 6 * 3
    unranked = write(', "identity", "lstm"]', "]\nranked = false")
    assert len(checked_cells(*unranked)) == 4 * 3


def test_the_hash_of_a_published_run_stays_in_the_file(write, tmp_path):
    benchmark, _ = write("seeds = [0]", UNRANKED)
    published = tmp_path / "results" / "published" / "abacus"
    published.mkdir(parents=True)
    final = dataclasses.replace(FINAL, benchmark="small-1")
    record = make_record(cell=final)
    ranking = record.ranking.model_copy(update={"benchmark_hash": benchmark.content_hash})
    for number, one in enumerate(
        [record.model_copy(update={"ranking": ranking}), make_record(cell=TRIAL)]
    ):
        (published / f"{number}.json").write_text(json.dumps(one.model_dump(mode="json")))
    hashes = published_hashes(tmp_path / "results")
    assert hashes == {"small-1": {benchmark.content_hash}}

    with pytest.raises(RequestError, match="Version 1 of the benchmark 'small' has published runs"):
        check_published(benchmark, hashes)  # the line of [frozen] was deleted
    freeze(benchmark)
    check_published(find_benchmark("small", (str(tmp_path),)), hashes)
    edited, _ = write("seeds = [0]", f"{UNRANKED}\nprecision = 'mixed_bfloat16'")
    freeze(edited)
    with pytest.raises(RequestError, match=f"Received: {edited.content_hash} in .frozen."):
        check_published(find_benchmark("small", (str(tmp_path),)), hashes)
    other = {"smaller-1": {"0" * 16}}
    check_published(edited, other)


def test_a_full_disk_leaves_the_file_of_a_benchmark_as_it_was(write, tmp_path):
    benchmark, _ = write("seeds = [0]", UNRANKED)
    before = benchmark.path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match="large"):
            freeze(benchmark)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert benchmark.path.read_bytes() == before
    assert list(benchmark.path.parent.iterdir()) == [benchmark.path]


FACTS = """
[data.gone]
64 = "cc"

[data.ner]  # names
64 = "aa"  # of the first corpus
256 = "bb"
# the end of the data

# Hashes.
[frozen]  # do not edit
"0" = "abc"  # in June
"""


def test_new_facts_keep_the_rest_of_a_file_and_its_comments(write, tmp_path):
    benchmark, _ = write("seeds = [0]", UNRANKED)
    before = benchmark.path.read_text()
    benchmark.path.write_text(before + FACTS)
    benchmark = find_benchmark("small", (str(tmp_path),))
    data = {"ner": {64: "dd", 128: "ee"}, "image_classification": {64: "ff"}}
    digest = freeze(benchmark, data, {"ner": {64: 1 / 3}})
    changed = benchmark.path.read_text()
    assert changed.startswith(before)
    for kept in ("[data.ner]  # names\n64 = \"dd\"  # of the first corpus\n",
                 "# the end of the data\n", "# Hashes.\n", '"0" = "abc"  # in June\n'):  # fmt: skip
        assert kept in changed
    content = tomllib.loads(changed)
    assert content["data"] == {
        "ner": {"64": "dd", "128": "ee"},
        "image_classification": {"64": "ff"},
    }
    assert content["trivial"] == {"ner": {"64": 0.333333}}
    assert content["frozen"]["1"] == digest and list(content)[-1] == "frozen"
