"""Crossovers of entries: a variant of an architecture, and equal scores."""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.api import RequestError
from suite.execution.preparation import prepare
from suite.search.crossover import cost_crossover, score_crossover
from tests.builders.crossovers import LEARNED, PAIR, learned
from tests.builders.records import make_record, measured, stored

VARIANTS = """
name = "variants"
version = 1
summary = "an architecture and a variant of it"
model_size = "tiny"
seeds = [0, 1]
time_limit_seconds = 60
architectures = ["gpt", "vanilla"]
entries = [{ architecture = "vanilla", options = { positions = "rotary" } }]

[tasks.language_modeling]
source = "synthetic"
lengths = [64, 256]
steps = 2
positions_per_step = 512

[[probes]]
form = "decoder"
lengths = [128, 512]
examples_per_step = 1
rounds = 2
"""


@pytest.fixture
def variants(tmp_path, monkeypatch):
    folder = tmp_path / "plugins" / "benchmarks"
    folder.mkdir(parents=True)
    (folder / "variants.toml").write_text(VARIANTS)
    monkeypatch.setenv("BENCH_PATH", str(folder.parent))


ROTARY = "vanilla (positions=rotary)"
PERPLEXITY = {"gpt": 5.0, "vanilla": 4.0, ROTARY: 3.0}


def variant_records(store):
    request = replace(LEARNED, benchmark="variants", lengths=None, seeds=None)
    return [
        stored(
            make_record(
                cell=planned.cell,
                ranking=planned.ranking,
                metrics={
                    "test": {
                        "perplexity": PERPLEXITY[planned.ranking.entry] + planned.cell.seed / 10
                    }
                },
            )
        )
        for planned in prepare(request, store).plan.cells
    ]


@pytest.mark.usefixtures("variants")
@pytest.mark.parametrize(
    ("first", "second", "gap"),
    [("gpt", "vanilla", 1.0), ("vanilla", ROTARY, 1.0), (ROTARY, "gpt", -2.0)],
)
def test_a_variant_is_an_entry_of_its_own(store, first, second, gap):
    request = replace(LEARNED, benchmark="variants", lengths=None, seeds=None)
    request = replace(request, architectures=(first, second))
    found = score_crossover(request, variant_records(store), "perplexity")
    assert {at: one.value for at, one in found.differences.items()} == pytest.approx(
        {64: gap, 256: gap}
    )
    assert found.crossing.always == (second if gap > 0 else first)
    with pytest.raises(RequestError, match="Known: gpt, vanilla, vanilla"):
        score_crossover(replace(request, architectures=("gpt", "vanilla (positions=x)")), [])


@pytest.mark.usefixtures("variants")
def test_costs_are_those_of_the_named_entry(store):
    ran = []

    def run(prepared):
        ran.extend(planned.ranking.entry for planned in prepared.plan.cells)
        return [
            make_record(
                cell=planned.cell,
                ranking=planned.ranking,
                measurements={
                    "training": {
                        "tokens_per_second": measured(100 / PERPLEXITY[planned.ranking.entry])
                    }
                },
            )
            for planned in prepared.plan.cells
        ]

    request = replace(PAIR, benchmark="variants", architectures=("vanilla", "gpt"), lengths=None)
    assert cost_crossover(request, store, run).crossing.always == "vanilla"
    assert set(ran) == {"vanilla", "gpt"}
    request = replace(request, architectures=("vanilla", ROTARY))
    assert cost_crossover(request, store, run).crossing.always == ROTARY


def test_equal_scores_are_no_lead(store):
    vanilla = {64: (1.0, 1.0), 256: (2.0, 2.1)}
    gpt = {64: (1.0, 1.0), 256: (3.0, 3.1)}
    for better, worse in (("vanilla", "gpt"), ("gpt", "vanilla")):
        records = learned(store, {better: vanilla, worse: gpt})
        found = score_crossover(LEARNED, records, "perplexity")
        assert found.crossing.always == better and not found.crossing.changes
        assert "(equal at 64)" in str(found) and "gpt equal" in str(found)
    same = score_crossover(LEARNED, learned(store, {"vanilla": gpt, "gpt": gpt}), "perplexity")
    assert same.crossing.always is None and "have the same perplexity" in str(same)
