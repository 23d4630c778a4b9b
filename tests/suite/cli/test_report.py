"""`bench report`: samples of language models, names of benchmarks."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from suite.api import Form
from suite.records.naming import split_label
from tests.builders.records import CELL, REGISTRY, make_record
from tests.suite.analysis.diagnostic_records import states

SAMPLES = [
    {"method": "greedy", "prompt": "to be,", "sample": " or [not]\nto be"},
    {"method": "top-p 0.95", "prompt": "to be,", "sample": " and yet"},
]


@pytest.fixture
def home(store):
    """A home with two seeds of a language model, of which the second has other samples."""
    version = REGISTRY.task_versions["language_modeling"]
    for seed in (0, 1):
        own = SAMPLES if seed == 0 else [{**SAMPLES[0], "sample": " of seed 1"}]
        cell = dataclasses.replace(
            CELL, task="language_modeling", task_version=version, form=Form.DECODER, options={},
            seed=seed,
        )  # fmt: skip
        metrics, reports = {"test": {"bits_per_character": 2.0}}, {"validation": {"samples": own}}
        store.write(make_record(cell=cell, metrics=metrics, reports=reports))
    return str(store.home)


def test_samples_are_shown_if_asked_for(bench, home):
    shown = bench("report", "--samples", "--home", home).stdout
    assert "at 128, greedy:" in shown and "at 128, top-p 0.95:" in shown
    assert "    to be,▸ or [not]\n    to be" in shown and "of seed 1" not in shown
    (table,) = json.loads(bench("report", "--samples", "--json", "--home", home).stdout)
    assert table["rows"][0]["samples"] == SAMPLES
    (table,) = json.loads(bench("report", "--json", "--home", home).stdout)
    assert table["rows"][0]["samples"] == []
    assert "▸" not in bench("report", "--home", home).stdout


def test_filters_select_rows_and_keep_their_ranks(bench, store):
    for stored in states():
        store.write(stored.record)
    home = ("--home", str(store.home))
    whole, *_ = json.loads(bench("report", "--json", *home).stdout)
    part, *_ = json.loads(bench("report", "--json", "--architectures", "lstm", *home).stdout)
    assert part["rows"] == [row for row in whole["rows"] if row["entry"] == "lstm"] != []
    length = part["rows"][0]["cell"]["sequence_length"]
    same = json.loads(bench("report", "--json", "--lengths", str(length), *home).stdout)
    assert {row["cell"]["sequence_length"] for table in same for row in table["rows"]} == {length}
    nothing = bench("report", "--lengths", "7", *home)
    assert nothing.returncode == 2 and "widen the filters" in nothing.stderr
    label = whole["rows"][0]["cell"]["benchmark"]
    for name in (label, split_label(label)[0]):
        found = json.loads(bench("report", "--json", "--benchmark", name, *home).stdout)
        assert {row["cell"]["benchmark"] for table in found for row in table["rows"]} == {label}


def test_seeds_that_solve_a_task_stand_below_the_tables(bench, store):
    for stored in states():
        store.write(stored.record)
    shown = bench("report", "--home", str(store.home)).stdout
    assert "State tracking: parity: solved at accuracy 0.99, test split" in shown
    cells = [[cell.strip() for cell in line.split("│")] for line in shown.splitlines()]
    assert ["40", "lstm", "0.833", "2 of 3", "200", "40 (0 to 40)", "1.00"] in cells
    assert ["40", "vanilla", "0.510", "0 of 3", "not by half", "0", "1.00"] in cells


def test_published_records_are_shown_if_asked_for(bench, home):
    shown = bench("report", "--published", "--task", "language_modeling", "--home", home)
    assert shown.returncode == 0, shown.stderr
    assert "\nlanguage_modeling · " in shown.stdout and "mamba2" in shown.stdout
    assert "trials are left out; --trials shows them." in shown.stderr
    first, *_ = re.findall(r"^language_modeling · .*", shown.stdout, re.MULTILINE)
    assert "long_text-" in first, "the ranked benchmark comes first"
    more = bench("report", "--published", "--trials", "--task", "language_modeling")
    assert len(more.stdout) > len(shown.stdout) and "left out; --" not in more.stderr
    none = bench("report", "--task", "image_classification", "--home", home)
    assert none.returncode == 2 and "or read the --published records" in none.stderr


@pytest.mark.parametrize(
    ("label", "parts"),
    [
        ("core-10", ("core", "10")),
        ("long-text-2", ("long-text", "2")),
        *((label, (label, "")) for label in ("mine", "mine-x", "core-", "-1", "", "a-²", "a-1.5")),
        ("a-" + "9" * 5_000, ("a-" + "9" * 5_000, "")),
    ],
)
def test_a_benchmark_of_any_name_is_shown(bench, store, label, parts):
    assert split_label(label) == parts
    metrics = {"test": {"entity_f1": 0.5}}
    for benchmark in (label, "core-1"):
        cell = dataclasses.replace(CELL, benchmark=benchmark)
        store.write(make_record(cell=cell, metrics=metrics))
    for command in (("report",), ("report", "--json"), ("dashboard",)):
        said = bench(*command, "--home", str(store.home))
        assert said.returncode == 0, said.stderr
