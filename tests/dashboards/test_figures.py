"""Figures and tables in a browser."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from urllib.parse import urlencode

import pytest

from dashboards.pages import PAGES
from dashboards.site import ASSETS
from suite.api import PROTOCOL
from suite.records.migrations import SCHEMA_VERSION
from suite.records.schema import parse_summary
from tests.builders.records import with_fields
from tests.dashboards.site_records import (
    ARCHITECTURES,
    ENTRIES,
    FROZEN,
    SCRIPT,
    VERSIONS,
    draw,
    entry,
    probe,
    read_script,
)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """The folder of a site of odd records.

    At length 128 one entry has reports of another form, and at 256 a record has an older schema. At
    512 each architecture has a run with noisy costs.
    """
    first = entry("vanilla", 128, f1=0.5, memory=1, speed=1)
    reports = {
        "confusion": 5,
        "by_cue_distance": [1],
        "examples": {"length": 2},
        "without_part": {"entity_f1": (0.4, 0.6)},
    }
    entries = [with_fields(first, reports={"test": reports})]
    entries += [
        entry(name, 512, f1=0.5, memory=1, speed=1)
        for name, part in ARCHITECTURES.items()
        if not part.control
    ]
    noisy = {"noisy": ("training", "inference")}
    folder = tmp_path_factory.mktemp("other")
    draw([with_fields(one, details=noisy) for one in entries], folder)
    return folder


def test_no_script_computes_a_figure(folder):
    """Means, intervals and ratios come from the analysis."""
    scripts = "".join(path.read_text() for path in ASSETS.glob("*.js"))
    assert not re.findall(
        r"\.reduce\(|Math\.(?:exp|pow|log)\b|\b1 / \w|\bmean\(|\bmedian\(", scripts
    )
    assert len(PAGES) == 9


def test_a_figure_of_one_seed_says_so_inside(tab, folder, tmp_path):
    def inside():
        return [[mark["text"] for mark in layout["annotations"]] for _, layout in tab.plots()]

    tab.open(folder, "index.html", "task=ner&length=512")
    assert not any("one seed: no interval" in texts for texts in inside()), "vanilla has two seeds"
    draw([entry("vanilla", length, f1=0.5, memory=1, speed=1) for length in (128, 512)], tmp_path)
    tab.open(tmp_path, "index.html")
    assert inside() and all("one seed: no interval" in texts for texts in inside())


def test_five_models_and_the_controls_have_colours_and_names_at_their_ends(drawn):
    models = ("bert", "bigbird", "gla", "gpt", "linformer", "llama", "longformer", "mamba2")
    names = (*models, "identity", "lstm")
    made = [
        entry(name, length, f1=0.9 - 0.05 * place, memory=1, speed=1)
        for place, name in enumerate(names)
        for length in (128, 512)
    ]
    tab = drawn(made, state="task=ner&length=512")
    plots = {layout["yaxis"]["title"]["text"]: (data, layout) for data, layout in tab.plots()}
    traces, layout = plots["entity F1"]
    colored = {trace["name"] for trace in traces if trace.get("name")}
    assert colored == {*models[:5], "identity", "lstm"}
    ends = [mark for mark in layout["annotations"] if mark.get("name") == "end"]
    assert {mark["text"].rpartition(" ")[2] for mark in ends} == colored
    heights = sorted(mark["y"] for mark in ends)
    assert all(b - a > 0.04 for a, b in itertools.pairwise(heights))
    assert {mark["yanchor"] for mark in ends} == {"middle"}
    rest = [trace for trace in traces if not trace.get("name")]
    assert {trace["text"][0].split(" at")[0] for trace in rest} == {*models[5:]}
    # The reader chooses others, at most eight.
    tab.page.locator('.legend input[name="entry mamba2"]').check()
    assert tab.page.locator(".legend input:checked").count() == 8
    assert tab.page.locator('.legend input[name="entry llama"]').is_disabled()
    assert "mamba2" in tab.page.url


def test_all_ranked_entries_have_colours_if_they_fit_and_entries_with_costs_alone_have_none(drawn):
    ranked = ("bert", "bigbird", "gla", "linformer", "longformer", "mamba2", "vanilla", "identity")
    made = [
        entry(name, length, f1=0.9 - 0.05 * place, memory=1, speed=1)
        for place, name in enumerate(ranked)
        for length in (128, 512)
    ]
    probes = [
        probe(name, length, number, 1_000.0)
        for name in ("convolution", "lstm", "reformer")
        for length in (128, 512)
        for number in range(3)
    ]
    tab = drawn([*made, *probes], state="task=ner&length=512")
    boxes = tab.page.locator(".legend input")
    assert boxes.count() == len(ranked) + 3
    names = {box.get_attribute("name") for box in boxes.all() if box.is_checked()}
    assert names == {f"entry {name}" for name in ranked}


def test_labels_of_an_axis_do_not_overlap_in_a_narrow_figure(tab, folder):
    tab.open(folder)
    labels = tab.page.evaluate(
        "[[512, 2048, 4096, 8192, 32768], [2, 64, 128]].map("
        " numbers => numberAxis(numbers, 'length', String).axis.ticktext)"
    )
    assert labels == [["512", "2048", "", "8192", "32768"], ["2", "64", "128"]]


def test_failed_cells_are_marked_and_listed(tab, folder):
    tab.open(folder, "index.html", "task=ner")
    marks = [layout["annotations"] for _, layout in tab.plots()]
    failed = [[mark["text"] for mark in of_figure].count("✕") for of_figure in marks]
    assert failed == [1, 1, 1]
    listed = tab.page.locator("table", has_text="out_of_memory").first.text_content()
    assert f"too big {SCRIPT}" in listed and "unsupported" in listed


def test_reports_are_means_over_seeds(tab, folder):
    tab.open(folder, "task.html", "task=ner&length=128")
    titles = tab.texts("figure h3")
    assert [title.split(" · ")[0] for title in titles[:3]] == [
        "F1 by type",
        "F1 by cue distance",
        "Entity F1 by part",
    ]
    by_type, by_cue, by_part = (data for data, _ in tab.plots()[:3])
    assert [(trace["type"], trace["x"], trace["y"]) for trace in by_type] == [
        ("scatter", ["PER"], [0.6]),  # one seed
        ("scatter", ["PER"], [0.6]),  # the mean of 0.5 and 0.7
    ]
    assert by_cue[1]["x"] == ["1-8", "9-64"] and by_cue[1]["y"] == [0.9, 0.4]
    assert len(by_part[1]["y"]) == 3


def test_the_tasks_page_shows_the_length_that_a_reader_chooses(drawn):
    lengths = (512, 1024, 4096)
    found = [entry("vanilla", length, f1=0.5, memory=1, speed=1) for length in lengths]
    tab = drawn(found, "task.html", "task=ner")
    tab.redrawn_after(lambda: tab.select("Length").select_option("1,024"))
    assert tab.texts("main h2")[0].endswith("length 1,024")
    assert tab.select("Length").input_value() == "1024"


def test_scores_are_drawn_along_the_evaluation_length(drawn):
    reason = "not applicable: GPT-2 has learned positions"
    found = []
    for name, seed, longer in (
        *(("vanilla", seed, {"f1": 0.2 + seed / 10, "examples": 4}) for seed in range(3)),
        ("gpt", 0, reason),
    ):
        one = entry(name, 128, seed, f1=0.5, memory=1, speed=1)
        by_length = {"128": {"f1": 0.5, "examples": 9}, "1024": longer}
        found.append(with_fields(one, reports={"test": {"by_evaluation_length": by_length}}))
    tab = drawn(found, "task.html", "task=ner&length=128")
    assert tab.texts("figure h3")[0].startswith("F1 after training at length 128")
    traces, layout = tab.plots()[0]
    drawn = {trace["name"]: trace for trace in traces}
    assert drawn["gpt"]["x"] == ["128"]
    assert drawn["vanilla"]["x"] == ["128", "1024"]
    assert drawn["vanilla"]["y"] == [0.5, 0.3]
    assert drawn["vanilla"]["error_y"]["array"][1] > 0.1
    assert layout["xaxis"]["title"]["text"] == "evaluation length"
    assert "Not applicable: GPT-2 has learned positions." in tab.texts("figure")[0]


def test_a_report_of_another_form_hides_its_own_figure_only(tab, other):
    tab.open(other, "task.html", "length=128&entries=vanilla")
    tab.page.wait_for_selector("body[data-loaded]")
    errors = tab.texts("main p.status-bad")
    assert [text.partition(" cannot be drawn")[0] for text in errors] == [
        "The confusion matrix of vanilla",
        "The examples",
    ]
    assert any(title.startswith("Entity F1 by part") for title in tab.texts("h3"))


def test_disturbed_speeds_are_hollow_and_dimmed_and_say_what_to_do(tab, other):
    tab.open(other, "index.html", "length=512&entries=vanilla")
    assert any("--retry noisy --wait-quiet" in text for text in tab.texts("p.note"))
    symbols = {
        layout["yaxis"]["title"]["text"].partition(",")[0]: trace["marker"]["symbol"]
        for traces, layout in tab.plots()[1:]
        for trace in traces
        if trace.get("name") == "vanilla"
    }
    assert all(symbol.endswith("-open") for symbol in symbols["Training throughput"])
    assert not any(symbol.endswith("-open") for symbol in symbols["Peak training memory"])
    caption = next(text for text in tab.texts("figcaption") if "Hollow" in text)
    assert "Model size tiny: 2 layers, width 128" in caption
    assert "~1.00" in tab.texts("td.soft")


def test_a_pair_of_disturbed_speeds_says_why_it_has_no_interval(tab, other):
    tab.open(other, "compare.html", "length=512&a=gpt&b=vanilla")
    verdicts = {row.partition("512")[0]: row for row in tab.texts("table tbody tr")}
    reason = "measured beside other programs: no interval"
    assert reason in verdicts["Training throughput, tokens/s"]
    assert reason not in verdicts["Peak training memory, MiB"]


def test_whole_figures_have_as_many_decimals_as_others(drawn):
    scores = zip((128, 256), (0.5, 0.3336), strict=True)
    made = [entry("vanilla", length, f1=f1, memory=1, speed=1) for length, f1 in scores]
    made = [with_fields(one, worker_seconds=180.0) for one in made]
    assert "3.0" in drawn(made, state="task=ner").texts("td")
    tab = drawn(made, "tradeoffs.html", "task=ner")
    (map_,) = (data for data, _ in tab.plots() if data[0]["type"] == "heatmap")
    assert map_[0]["text"] == [["0.500", "0.334"]]


def test_a_figure_without_costs_says_so_and_invents_no_axis(tab, other):
    tab.open(other, "index.html", "length=512")
    tab.page.evaluate(
        "document.getElementById('content').append("
        "lengthFigure(0, measureNumber('generation.state_bytes'), new Set()))"
    )
    _, layout = tab.plots()[-1]
    assert "No measurement of these entries" in {mark["text"] for mark in layout["annotations"]}
    assert layout["yaxis"]["showticklabels"] is False


def test_the_occlusion_map_of_a_record_of_an_older_schema_is_drawn(tab, tmp_path):
    frozen = (FROZEN / "schema-3-occlusion.json").read_bytes()
    content = json.loads(frozen)
    found = content["reports"]["test"]["occlusion"]
    assert content["schema_version"] < SCHEMA_VERSION
    # Only the schema is old: a record of an older protocol is superseded.
    version = VERSIONS["ner"]
    cell = dataclasses.replace(parse_summary(frozen).cell, task_version=version)
    content |= {"protocol": PROTOCOL, "cell_id": cell.id}
    content["cell"]["task_version"] = version
    path = tmp_path / "old.json"
    path.write_text(json.dumps(content))
    stored = dataclasses.replace(ENTRIES[0], record=parse_summary(path.read_bytes()), path=path)
    draw([stored], tmp_path / "site", written=True)
    (about,) = read_script(tmp_path / "site" / "data" / "index.js")["comparisons"]
    tab.open(tmp_path / "site", "task.html", urlencode({"comparison": about["title"]}))
    assert "Trials, not results" in tab.texts(".warning")[0]
    title = tab.page.locator("h3", has_text=f"Occlusion map: {cell.architecture}")
    title.wait_for()
    maps = [data for data, _ in tab.plots() if data[0]["type"] == "heatmap"]
    assert (len(maps[0][0]["z"]), len(maps[0][0]["z"][0])) == (
        len(found["outputs"]),
        len(found["inputs"]),
    )


def test_superseded_rows_are_folded_and_have_no_costs(tab, folder):
    tab.open(folder, "index.html", "task=ner&length=128")
    standing = tab.page.locator("table", has_text="Higher is better")
    assert "superseded" not in standing.text_content()
    folded = tab.page.locator("details", has_text="1 superseded row")
    assert not folded.locator("table").is_visible()
    cells = folded.locator("tbody td").all_text_contents()
    assert cells[:3] == ["vanilla1", "0.100", "1"]
    assert folded.locator(".footnotes").text_content().startswith("superseded by protocol")
