"""The page of methods in a browser."""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.api import AppliedMethod, Mode, Stage
from suite.records.schema import Measurement
from tests.builders.method_runs import run
from tests.builders.records import CELL, make_record, stored
from tests.dashboards.site_records import draw

PAGE = "methods.html"
SQUEEZED = AppliedMethod("squeezed", 1, stage=Stage.COMPRESS)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of a site with effects, a disturbance, and three sizes of the data."""
    conditions = {"typos=0.1": {"validation": {"entity_f1": 0.4}}}
    records = [run(seed, 0.5 + seed / 100) for seed in range(3)]
    records += [
        run(seed, 0.6 + seed / 100, "smooth", seconds=1.2, conditions=conditions)
        for seed in range(3)
    ]
    for share in (0.01, 0.1):
        records += [run(seed, share, options={"train_share": share}) for seed in range(3)]
    records += [
        probed(number, at, seconds, *methods)
        for number in range(3)
        for at in (128, 256)
        for seconds, methods in ((1.0, ()), (0.5, (SQUEEZED,)))
    ]
    folder = tmp_path_factory.mktemp("methods")
    draw(records, folder)
    return folder


def probed(number, length, seconds, *methods):
    """Return a round of a probe."""
    cell = replace(
        CELL,
        mode=Mode.PROBE,
        task=None,
        task_version=None,
        source=None,
        steps=0,
        options={},
        sequence_length=length,
        methods=methods,
        round=number,
    )
    measured = {"inference": {"step_seconds": Measurement(value=seconds, n=1)}}
    return stored(make_record(minutes=number, cell=cell, measurements=measured, metrics={}))


def test_the_table_has_gains_and_prices_and_the_chart_the_disturbance(tab, site):
    tab.open(site, PAGE, again=True)
    assert tab.texts("thead th")[:6] == [
        "entry",
        "against",
        "length",
        "seeds",
        "entity F1",
        "gain",
    ]
    cells = tab.texts("tbody td, tbody th")
    assert "none;…" not in " ".join(tab.texts("p"))
    tab.open(site, PAGE, "tasks=all")
    heads = tab.texts("h2")
    assert len(set(heads)) == len(heads) > 1 and any("length 128: " in head for head in heads), (
        heads
    )
    tab.open(site, PAGE)
    assert "0.1" in " ".join(cells) and any("1.2" in cell and "×" in cell for cell in cells)
    plots = {layout["xaxis"]["title"]["text"]: (traces, layout) for traces, layout in tab.plots()}
    traces, _ = plots["strength of the disturbance"]
    (trace,) = (one for one in traces if one.get("name"))
    assert trace["x"] == [0, 0.1] and trace["y"][1] == 0.4
    traces, layout = plots["share of the training examples, %"]
    (trace,) = (one for one in traces if one.get("name"))
    assert layout["xaxis"]["ticktext"] == ["1", "10", "100"]
    assert trace["y"] == [0.01, 0.1, 0.51]


def test_a_probe_has_prices_alone(tab, site):
    tab.open(site, PAGE, again=True)
    named = ("rounds", "gain")
    assert {text for text in tab.texts("thead th") if text in named} == {"gain"}
    probes = tab.texts('select[name="Task"] option')[-2]
    tab.select("Task").select_option(probes)
    assert {text for text in tab.texts("thead th") if text in named} == {"rounds"}
    tab.select("Task").select_option("all")
    assert {text for text in tab.texts("thead th") if text in named} == {*named}


def test_one_chart_has_the_gain_of_each_method_against_a_price_that_the_reader_chooses(drawn):
    priced = [("smooth", 0.6, 1.2), ("sharp", 0.55, 0.9)]
    records = [run(seed, 0.5) for seed in range(3)]
    records += [
        run(seed, score, name, seconds=seconds)
        for name, score, seconds in priced
        for seed in range(3)
    ]
    tab = drawn(records, PAGE)
    order = "() => ['table', 'figure'].map(s => document.querySelector(s).offsetTop)"
    assert tab.page.evaluate(order) == sorted(tab.page.evaluate(order))
    (title,) = tab.texts("figure h3")
    assert title.startswith("Gain in entity F1 against the ") and title.endswith("left is better")
    ((traces, _),) = tab.plots()
    gains = {trace["name"][-6:]: trace["y"][0] for trace in traces if trace.get("name")}
    assert gains == {"smooth": pytest.approx(0.1), " sharp": pytest.approx(0.05)}
    assert tab.select("Price").count() == 1


def test_an_entry_without_its_reference_has_a_score_and_the_page_says_what_is_missing(drawn):
    records = [run(0, 0.6, "smooth"), probed(0, 128, 0.5, SQUEEZED)]
    tab = drawn(records, PAGE, "tasks=all")
    cells = tab.texts("tbody td, tbody th")
    assert cells[1:4] == ["—", "128", "1"] and "0.6" in cells[4]
    assert cells[-3:] == ["—", "128", "—"]
    assert '--methods "none;…"' in " ".join(tab.texts("p"))


def test_long_names_do_not_make_the_page_wider_than_a_phone(drawn):
    records = [run(0, 0.5), run(0, 0.6, "smooth_" * 9)]
    tab = drawn(records, PAGE)
    tab.page.set_viewport_size({"width": 390, "height": 800})
    tab.page.wait_for_function("document.documentElement.scrollWidth <= 390", timeout=5_000)


def test_without_methods_the_page_says_what_to_run(drawn):
    assert "There are no records with methods yet" in " ".join(
        drawn([run(0, 0.5)], PAGE).texts("p")
    )
