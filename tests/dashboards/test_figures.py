"""Figures and tables in a browser."""

from __future__ import annotations

import dataclasses
import json

from suite.api import PROTOCOL
from suite.cli.dashboard_command import draw_site
from suite.records.migrations import SCHEMA_VERSION
from suite.records.schema import parse_summary
from tests.dashboards.site_records import (
    ARCHITECTURES,
    ENTRIES,
    FROZEN,
    REGISTRY,
    SCRIPT,
    VERSIONS,
    draw,
    entry,
)
from tests.dashboards.tab import Tab, select


def test_the_table_of_leaders_links_to_the_leaderboards(opened):
    from playwright.sync_api import expect

    with opened() as tab:
        tab.open("index.html", "metric=training.peak_memory_bytes")
        tab.page.locator("summary", has_text="Leaders of all").click()
        leaders = tab.page.locator("details", has_text="Leaders of all").locator("table")
        learned, probed = (
            leaders.locator("tr", has_text=name) for name in ("Named entity", "Speed and memory")
        )
        assert "not ranked" in learned.text_content()
        items = [text.strip() for text in probed.locator("li").all_text_contents()]
        assert items == ["512 vanilla", "1024 longformer", "2048 longformer"]
        probed.locator("li a").nth(1).click()
        # The page is drawn after the click, not during it.
        expect(select(tab.page, "Length")).to_have_value("1024")
        expect(select(tab.page, "Ranked by")).to_have_value("training.tokens_per_second")
        tab.page.locator("summary", has_text="Leaders of all").click()
        learned.locator("a").click()
        expect(tab.page.locator("#shown")).to_contain_text("Named entity recognition")


def test_one_seed_is_drawn_alone(opened):
    with opened() as tab:
        tab.open("index.html", "task=ner&repeat=1")
        tab.page.wait_for_selector(".main-svg")
        drawn = tab.page.evaluate(
            "document.querySelector('.plot').data.filter(t => t.text).map(t => t.y)"
        )
        assert [values for values in drawn if values] == [[0.7]]


def test_failed_cells_are_marked_and_listed(opened):
    with opened() as tab:
        tab.open("index.html", "task=ner")
        tab.page.wait_for_selector(".annotation")
        assert tab.page.locator(".annotation", has_text="✕").count() == 3
        listed = tab.page.locator("table", has_text="out_of_memory").nth(-2).text_content()
        assert f"too big {SCRIPT}" in listed and "unsupported" in listed


def test_a_report_of_another_form_hides_its_own_figure_only(browser, tmp_path):
    first = ENTRIES[0]
    reports = {
        "test": {
            "confusion": 5,
            "by_cue_distance": [1],
            "examples": {"length": 2},
            "without_part": {"entity_f1": (0.4, 0.6)},
        }
    }
    other = first.record.model_copy(update={"reports": reports})
    draw([dataclasses.replace(first, record=other)], tmp_path)
    page = browser.new_page()
    tab = Tab(page, tmp_path)
    tab.open("task.html")
    page.wait_for_selector("body[data-loaded]")
    errors = page.locator("main p.status-bad").all_text_contents()
    assert [text.partition(" cannot be drawn")[0] for text in errors] == [
        "The confusion matrix of vanilla",
        "The examples",
    ]
    assert page.locator("h3", has_text="by part of the split").count() == 1
    assert tab.errors == []
    page.close()


def test_the_occlusion_map_of_a_record_of_an_older_schema_is_drawn(browser, tmp_path):
    frozen = (FROZEN / "schema-1-occlusion.json").read_bytes()
    content = json.loads(frozen)
    # Only the schema is old: a record of an older protocol is superseded.
    content["protocol"] = PROTOCOL
    content["cell"]["task_version"] = VERSIONS["ner"]
    cell = dataclasses.replace(parse_summary(frozen).cell, task_version=VERSIONS["ner"])
    content["cell_id"] = cell.id
    path = tmp_path / "old.json"
    path.write_text(json.dumps(content))
    assert content["schema_version"] < SCHEMA_VERSION
    record = parse_summary(path.read_bytes())
    stored = dataclasses.replace(ENTRIES[0], record=record, path=path)
    draw_site([stored], REGISTRY, tmp_path)
    page = browser.new_page()
    tab = Tab(page, tmp_path)
    tab.open("task.html")
    title = page.locator("h3", has_text=f"Occlusion map: {record.cell.architecture}")
    title.wait_for()
    map_ = page.locator("figure", has=title).locator(".plot")
    map_.locator(".main-svg").first.wait_for()
    rows, columns = map_.evaluate("p => [p.data[0].z.length, p.data[0].z[0].length]")
    found = content["reports"]["test"]["influence"]
    assert (rows, columns) == (len(found["outputs"]), len(found["inputs"]))
    assert tab.errors == []
    page.close()


def test_many_lines_at_a_single_length_stay_within_the_figure(browser, tmp_path):
    names = [name for name, part in ARCHITECTURES.items() if not part.control]
    made = [entry(name, 128, f1=0.5, memory=1, speed=1) for name in names]
    assert len(made) >= 7
    draw(made, tmp_path)
    page = browser.new_page()
    Tab(page, tmp_path).open("index.html")
    drawn = page.evaluate(
        "() => { const plot = document.querySelector('.plot');"
        " return [plot.layout.xaxis.range, plot.data.map((line) => Math.log10(line.x[0]))]; }"
    )
    page.close()
    (low, high), places = drawn
    assert len(places) == len(made)
    assert all(low < place < high for place in places)


def test_a_shortened_list_of_runs_shows_the_total(browser, tmp_path):
    runs = [entry("vanilla", 128, seed, f1=0.5, memory=1.0, speed=1.0) for seed in range(501)]
    draw(runs, tmp_path)
    page = browser.new_page()
    tab = Tab(page, tmp_path)
    tab.open("index.html")
    listed = page.locator("details", has_text="501 runs, the first 500 of them listed")
    assert listed.locator("tbody tr").count() == 500
    assert tab.errors == []
    page.close()


def test_superseded_rows_are_folded_and_have_no_costs(opened):
    with opened() as tab:
        tab.open("index.html", "task=ner&length=128")
        standing = tab.page.locator("table", has_text="Speed and memory are of training")
        assert "superseded" not in standing.text_content()
        folded = tab.page.locator("details", has_text="1 superseded row")
        assert not folded.locator("table").is_visible()
        cells = folded.locator("tbody td").all_text_contents()
        assert cells[:6] == ["—", "vanilla", "0.1", "1", "—", "—"]
        assert cells[-1].startswith("superseded by protocol")


def test_a_comparison_without_quiet_costs_says_so(browser, tmp_path):
    noisy = {"details": {"noisy": ("training", "inference")}}
    runs = [entry("vanilla", 128, seed, f1=0.5, memory=1, speed=1) for seed in range(3)]
    runs = [dataclasses.replace(run, record=run.record.model_copy(update=noisy)) for run in runs]
    page = browser.new_page()
    for quiet, count in ((False, 1), (True, 0)):
        site = tmp_path / str(quiet)
        site.mkdir()
        draw(
            [*runs, *([entry("vanilla", 128, 3, f1=0.5, memory=1, speed=1)] if quiet else [])], site
        )
        Tab(page, site).open("index.html")
        note = page.locator("p.note", has_text="Training costs are not shown")
        assert note.count() == count
    page.close()
