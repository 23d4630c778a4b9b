"""The data of the site: points, findings, entries."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import click
import pytest

from dashboards.data import SECTIONS
from suite.actions.request import make_request
from suite.analysis.comparison_key import ComparisonKind
from suite.analysis.comparisons import compare, in_precedence
from suite.analysis.tradeoffs import comparable_shares
from suite.api import AppliedMethod, Metric, Mode
from suite.cli.command import request_options
from suite.matrix.expansion import expand
from tests.dashboards.site_records import (
    ENTRIES,
    REGISTRY,
    SCRIPT,
    VERSIONS,
    draw,
    entry,
    probe,
    read_script,
)
from tests.suite.analysis.final_runs import make_boards


@pytest.mark.parametrize("section", SECTIONS)
def test_the_command_of_a_section_runs_cells_of_the_benchmark(section):
    bench, run, *arguments = SECTIONS[section][1].split()
    assert (bench, run) == ("bench", "run")
    command = click.command()(request_options(lambda home=None, **given: make_request(given)))
    cells = expand(command.main(arguments, standalone_mode=False), REGISTRY)
    assert cells and all(cell.of_benchmark for cell in cells)


def test_the_newest_version_of_a_benchmark_comes_before_a_former_one_with_more_runs():
    (one, *_) = (each for each in compare(ENTRIES) if each.records)

    def of(benchmark, number):
        key = dataclasses.replace(one.key, mode=Mode.TRAIN, benchmark=benchmark, ranked=True)
        records = tuple(one.records)[:1] * number
        return SimpleNamespace(key=dataclasses.replace(key, split="test"), records=records)

    former, newest, other = of("small-9", 5), of("small-10", 1), of("other-1", 3)
    assert in_precedence([former, newest, other]) == [other, newest, former]


def rows(columns):
    """Return the rows of a table that a script has in columns."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_crossings_and_pairs(folder):
    findings = read_script(folder / "data" / "findings.js")
    crossing = next(r for r in rows(findings["crossings"]) if r["measure"].endswith("per_second"))
    assert (crossing["behind"], crossing["ahead"]) == ("vanilla", "longformer")
    (change,) = crossing["changes"]
    assert 512 < change["value"] < 1_024 and change["low"] <= change["value"] <= change["high"]
    index = read_script(folder / "data" / "index.js")
    probes = [about["mode"] for about in index["comparisons"]].index("probe")
    speed = [measure["key"] for measure in index["measures"]].index("training.tokens_per_second")
    place = ("comparison", "measure", "length", "batch", "first", "second")
    gaps = {tuple(row[name] for name in place): row for row in rows(findings["pairs"])}
    gap = gaps[probes, speed, 2_048, 2, "longformer", "vanilla"]
    assert (gap["value"], gap["n"], gap["better"]) == (3, 3, "longformer")
    assert gap["low"] == pytest.approx(3) and gap["high"] == pytest.approx(3)
    trained = next(number for number, about in enumerate(index["comparisons"]) if about["metric"])
    assert (trained, -1, 128, 16, SCRIPT, "vanilla") not in gaps, "one seed has no interval"
    # At 128, SCRIPT is better in speed and equal in score; at 512, vanilla alone has a score.
    found = {(one["comparison"], one["measure"]): one for one in rows(index["tradeoffs"])}
    names = [index["entries"][entry]["name"] for entry in found[trained, speed]["front"]]
    assert names == [SCRIPT]
    assert found[trained, speed]["source"] == trained and found[trained, speed]["length"] == 128


def test_backends_are_compared_with_the_baseline_cell_by_cell(tmp_path):
    """The baseline is the first backend and precision."""
    engines = ({"backend": "jax"}, {}, {"precision": "mixed_bfloat16"})
    entries = [
        probe("vanilla", 512, number, 100.0 * (place + 1), **engine)
        for number in range(3)
        for place, engine in enumerate(engines)
    ]
    draw(entries, tmp_path)
    comparisons = read_script(tmp_path / "data" / "index.js")["comparisons"]
    about = [(one["backend"], one["precision"]) for one in comparisons]
    backends = read_script(tmp_path / "data" / "findings.js")["backends"]
    assert {about[number] for number in backends["baseline"]} == {("tensorflow", "float32")}
    found = {
        about[row["comparison"]]: (row["value"], row["rounds"])
        for row in rows(backends)
        if row["measure"] == "training.tokens_per_second"
    }
    assert found == {("jax", "float32"): (0.5, 3), ("tensorflow", "mixed_bfloat16"): (1.5, 3)}


@pytest.mark.parametrize("higher", [True, False])
def test_shares_of_the_best_score(higher):
    made = [entry("vanilla", 128, f1=0.4, memory=1, speed=1)]
    made.append(entry("bert", 128, f1=0.5, memory=1, speed=1))
    (board,) = make_boards(made, VERSIONS)
    key = dataclasses.replace(board.key, benchmark="core-1", ranked=True)
    metric = Metric("score", higher_is_better=higher)
    shares = comparable_shares([dataclasses.replace(board, key=key, metric=metric)])
    assert shares["bert" if higher else "vanilla"] == [1.0]
    assert shares["vanilla" if higher else "bert"] == pytest.approx([0.8])


def test_models_come_before_methods_and_many_before_few(tmp_path):
    methods = (AppliedMethod("int8", 1),)
    opened = [probe("vanilla", n, r, 1.0, methods=methods) for n in (128, 512) for r in range(3)]
    few = [probe("vanilla", 128, round_, 1.0) for round_ in range(9)]
    few = [dataclasses.replace(one, machine="abacus") for one in few]
    many = [probe(name, 128, 0, 1.0) for name in ("vanilla", "longformer")]
    draw([*opened, *few, *many], tmp_path)
    index = read_script(tmp_path / "data" / "index.js")
    found = [(about["track"], about["machine"]) for about in index["comparisons"]]
    assert found == [("standard", "here"), ("standard", "abacus"), ("open", "here")]


def test_the_profile_compares_entries_of_the_same_boards():
    def board(entries, place):
        key = SimpleNamespace(
            kind=ComparisonKind.FINAL, unranked_reason=None, mode=Mode.TRAIN, place=place
        )
        rows = [
            SimpleNamespace(entry=name, estimate=SimpleNamespace(value=0.5)) for name in entries
        ]
        return SimpleNamespace(key=key, valid=rows, metric=Metric("score"))

    encoders = [board(("bert", "longformer", "vanilla"), place) for place in range(2)]
    decoders = [board(("gpt", "llama"), place) for place in range(2)]
    assert set(comparable_shares([*encoders, *decoders])) == {"bert", "longformer", "vanilla"}
    both = [board(("gpt", "vanilla"), 0)]
    assert set(comparable_shares([*encoders, *both])) == {"vanilla"}
