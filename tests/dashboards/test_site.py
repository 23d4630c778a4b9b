"""The site: right figures, harmless names, and a browser that is content with it."""

from __future__ import annotations

import dataclasses
import json
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from dashboards.findings import shares_of_best
from dashboards.frame import point_frame
from dashboards.lines import COLORS, draw_lines
from dashboards.site import PAGES, write_site
from suite.analysis.aggregate import compare
from suite.analysis.boards import make_boards
from suite.analysis.findings import QUALITY
from suite.api import PROTOCOL, Form, Metric, Mode, Status
from suite.matrix.registry import load_registry
from suite.records.environment import machine_name
from suite.records.published import Folder, StoredRecord
from suite.records.schema import Curve, Measurement, parse_summary
from tests.suite.records.test_store import CELL, make_record

SCRIPT = "<script>alert(1)</script>"
VERSIONS = load_registry(()).task_versions
ARCHITECTURES = load_registry(()).architectures.plugins
UNWRITTEN = Path("see `draw`")


def draw(entries, folder, pages=None):
    """Draw the site of records written to disk and read again, as a command does."""
    (folder / "records").mkdir(exist_ok=True)
    there = []
    for made in entries:
        path = folder / "records" / f"{len(there)}.json"
        path.write_text(made.record.to_json())
        there.append(dataclasses.replace(made, record=parse_summary(path.read_bytes()), path=path))
    return write_site(there, VERSIONS, ARCHITECTURES, folder, pages)


def measured(**values):
    return {
        name: Measurement(value=value, n=1, samples=(value,), quartiles=None, method="by hand")
        for name, value in values.items()
    }


def entry(architecture, length, seed=0, status=Status.OK, owner="here", **values):
    cell = dataclasses.replace(
        CELL, architecture=architecture, sequence_length=length, seed=seed, options={},
        batch_size=2_048 // length,
    )  # fmt: skip
    if status is not Status.OK:
        record = make_record(status, seed, cell, reason=values.get("reason", "it broke"))
        return StoredRecord(record, Folder.LOCAL, owner, UNWRITTEN)
    cost = measured(peak_memory_bytes=values["memory"] * 2**20, tokens_per_second=values["speed"])
    f1 = values["f1"]
    record = make_record(
        status,
        seed,
        cell,
        metrics={"test": {"entity_f1": f1}},
        measurements={"training": cost},
        reports={
            "test": {
                "by_type": {"PER": {"f1": f1, "precision": f1, "recall": f1}},
                "by_cue_distance": {"1-8": {"f1": 0.9}, "9-64": {"f1": 0.4}},
                "by_part": {"entity_f1": [f1 - 0.05, f1, f1 + 0.05]},
                "examples": [
                    {"input": f"{SCRIPT} lives", "expected": "PER O", "answer": "O O", "right": 0}
                ],
            }
        },
        curves={"validation_entity_f1": Curve(tokens=(1, 2), values=(f1 / 2, f1))},
        data={"fingerprint": "f"},
        details={"recipe": {"learning_rate": 0.001}},
        parameter_count=7,
    )
    return StoredRecord(record, Folder.LOCAL, owner, UNWRITTEN)


def probe(architecture, length, number, speed, **changes):
    cell = dataclasses.replace(
        CELL, mode=Mode.PROBE, task=None, task_version=None, source=None, options={},
        architecture=architecture, sequence_length=length, batch_size=4_096 // length, budget=0,
        seed=0, round=number, **changes,
    )  # fmt: skip
    cost = measured(tokens_per_second=speed, peak_memory_bytes=2.0**20 * length, step_seconds=1.0)
    record = make_record(Status.OK, number, cell, measurements={"training": cost})
    return StoredRecord(record, Folder.LOCAL, "here", UNWRITTEN)


ENTRIES = [
    entry("vanilla", 128, 0, f1=0.5, memory=100.0, speed=1_000.0),
    entry("vanilla", 128, 1, f1=0.7, memory=120.0, speed=1_210.0),
    entry("vanilla", 512, 0, f1=0.8, memory=900.0, speed=400.0),
    entry(SCRIPT, 128, 0, f1=0.6, memory=90.0, speed=2_000.0),
    entry(SCRIPT, 512, 0, status=Status.OUT_OF_MEMORY, reason=f"too big {SCRIPT}"),
    entry("vit", 128, 0, status=Status.UNSUPPORTED, reason="does not take text"),
    *[
        probe(architecture, length, number, speed * (1 + number / 1_000))
        for number in range(3)
        for architecture, length, speed in (
            ("vanilla", 512, 900.0),
            ("vanilla", 1_024, 500.0),
            ("vanilla", 2_048, 200.0),
            ("longformer", 512, 600.0),
            ("longformer", 1_024, 600.0),
            ("longformer", 2_048, 600.0),
        )
    ],
]


SUPERSEDED = entry("vanilla", 128, 2, f1=0.1, memory=1.0, speed=3.0)
ENTRIES.append(
    dataclasses.replace(
        SUPERSEDED, record=SUPERSEDED.record.model_copy(update={"protocol": PROTOCOL - 1})
    )
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    first = ENTRIES[0].record.run_id
    pages = {first: "http://127.0.0.1:5000/#/experiments/1/runs/abc", "another home's": "x"}
    draw(ENTRIES, folder, pages)
    return folder


def read_script(path):
    text = path.read_text()
    return json.loads(text[text.index("=") + 1 :].rstrip(";\n"))


def test_points_are_means_with_intervals_and_n():
    made = compare(ENTRIES, VERSIONS)
    points = point_frame(made)

    def point(measure, line, length):
        at = (points["measure"] == measure) & (points["line"] == line)
        return points[at & (points["sequence_length"] == length)].iloc[0]

    quality = point(QUALITY, "vanilla", 128)
    assert (quality["value"], quality["n"]) == (pytest.approx(0.6), 2)
    assert quality["low"] < 0.5 and quality["high"] > 0.7
    train = point("training.tokens_per_second", "vanilla", 128)
    assert train["value"] == pytest.approx(1_100.0)  # the geometric mean of 1,000 and 1,210
    alone = point(QUALITY, "vanilla", 512)
    assert alone["n"] == 1 and pd.isna(alone["low"])


def test_costs_come_from_one_machine_and_leave_out_what_was_disturbed():
    def noisy(found):
        record = found.record.model_copy(update={"details": {"noisy": ("training",)}})
        return dataclasses.replace(found, record=record)

    entries = [
        entry("vanilla", 128, 0, f1=0.5, memory=100.0, speed=1_000.0),
        entry("vanilla", 128, 1, f1=0.6, memory=100.0, speed=1_000.0),
        entry("vanilla", 128, 2, owner="elsewhere", f1=0.7, memory=1.0, speed=9_000.0),
        noisy(entry("vanilla", 128, 3, f1=0.8, memory=1.0, speed=1.0)),
    ]
    made = compare(entries, VERSIONS)
    points = point_frame(made).set_index("measure")
    assert points.loc["training.tokens_per_second", "value"] == pytest.approx(1_000.0)
    assert points.loc["training.tokens_per_second", "n"] == 2
    assert points.loc["training.tokens_per_second", "noisy"] == 1
    assert points.loc[QUALITY, "n"] == 4
    made = compare(entries[3:], VERSIONS)
    points = point_frame(made).set_index("measure")
    assert "training.tokens_per_second" not in points.index and QUALITY in points.index


def test_what_is_superseded_or_somebody_else_s_is_in_no_point():
    found = [
        entry("vanilla", 128, 0, f1=0.1, memory=1.0, speed=1.0),
        entry("vanilla", 128, 0, f1=0.5, memory=100.0, speed=1_000.0),
        entry("vanilla", 128, 1, f1=0.6, memory=100.0, speed=1_000.0),
        dataclasses.replace(
            entry("vanilla", 128, 0, f1=0.9, memory=1.0, speed=1.0),
            folder=Folder.SUBMITTED,
            owner="them",
        ),
    ]
    earlier = found[0].record.model_copy(update={"run_id": "20200101T000000000000Z-000000"})
    found[0] = dataclasses.replace(found[0], record=earlier)
    made = compare(found, VERSIONS)
    points = point_frame(made)
    quality = points[points["measure"] == QUALITY].set_index("line")
    assert quality.loc["vanilla", "value"] == pytest.approx(0.55)
    assert quality.loc["vanilla", "n"] == 2
    assert quality.loc["vanilla, by them", "value"] == pytest.approx(0.9)


def test_no_name_becomes_markup(folder):
    for path in folder.glob("*.html"):
        assert SCRIPT not in path.read_text()


def test_crossings_and_pairs_are_found(folder):
    findings = read_script(folder / "data" / "findings.js")
    crossing = next(item for item in findings["crossings"] if item[1].endswith("per_second"))
    assert crossing[2:4] == ["vanilla", "longformer"] and 512 < crossing[4] < 1_024
    assert crossing[5] <= crossing[4] <= crossing[6]
    index = read_script(folder / "data" / "index.js")
    probes = [about["mode"] for about in index["comparisons"]].index("probe")
    speed = [measure["key"] for measure in index["measures"]].index("training.tokens_per_second")
    gaps = {tuple(row[:6]): row[6:] for row in findings["pairs"]}
    ratio, low, high, n = gaps[probes, speed, 2_048, 2, "longformer", "vanilla"]
    assert (ratio, n) == (3, 3) and low == pytest.approx(3) and high == pytest.approx(3)
    trained = next(number for number, about in enumerate(index["comparisons"]) if about["metric"])
    gap, low, high, n = gaps[trained, -1, 128, 16, SCRIPT, "vanilla"]
    assert (gap, low, high, n) == (pytest.approx(0.1), None, None, 1)


def test_backends_are_compared_cell_by_cell(tmp_path):
    """All are seen from the first; what was disturbed is no evidence."""
    ways = ({"backend": "jax"}, {}, {"precision": "mixed_bfloat16"})
    entries = [
        probe("vanilla", length, number, 100.0 * (place + 1), **way)
        for number in range(3)
        for length in (512, 1_024)
        for place, way in enumerate(ways)
    ]
    noisy = probe("vanilla", 512, 3, 9e9, backend="jax").record
    noisy = noisy.model_copy(update={"details": {"noisy": ("training", "inference")}})
    entries.append(dataclasses.replace(entries[0], record=noisy))
    entries.append(probe("vanilla", 512, 3, 200.0))
    draw(entries, tmp_path)
    index = read_script(tmp_path / "data" / "index.js")
    about = [(one["backend"], one["precision"]) for one in index["comparisons"]]
    found = {
        (about[other], about[base], length, measure): (value, rounds)
        for other, base, _, length, measure, value, _, _, rounds, _ in read_script(
            tmp_path / "data" / "findings.js"
        )["ways"]
    }
    first = ("tensorflow", "float32")
    assert {(other, base) for other, base, _, _ in found} == {
        (("jax", "float32"), first),
        (("tensorflow", "mixed_bfloat16"), first),
    }
    speed = "training.tokens_per_second"
    assert found[("jax", "float32"), first, 512, speed] == (0.5, 3)
    assert found[("tensorflow", "mixed_bfloat16"), first, 1_024, speed] == (1.5, 3)
    assert found[("jax", "float32"), first, 512, "training.peak_memory_bytes"] == (1, 3)


def test_what_others_sent_is_a_line_of_its_own_beside_ours_of_the_same_machine(tmp_path):
    ours = [entry for entry in ENTRIES if entry.record.cell.mode is Mode.PROBE]
    machine = machine_name(ours[0].record.environment)
    ours = [dataclasses.replace(entry, folder=Folder.PUBLISHED, owner=machine) for entry in ours]
    theirs = [dataclasses.replace(entry, folder=Folder.SUBMITTED, owner="them") for entry in ours]
    draw([*ours, *theirs], tmp_path)
    index = read_script(tmp_path / "data" / "index.js")
    assert [about["machine"] for about in index["comparisons"]] == [machine]
    lines = {"vanilla", "longformer", "vanilla, by them", "longformer, by them"}
    assert {line["name"] for line in index["lines"]} == lines
    findings = read_script(tmp_path / "data" / "findings.js")
    assert {row[1] for row in findings["growth"]} == lines
    assert {row[6] for row in findings["growth"]} == {3}
    crossed = {tuple(row[2:4]) for row in findings["crossings"] if row[1].endswith("per_second")}
    assert ("vanilla", "longformer, by them") in crossed


def test_the_options_of_an_architecture_can_be_told_apart_at_a_single_length():
    lines = draw_lines(
        pd.DataFrame({"architecture": ["bert"] * 3 + ["vit"], "line": ["a", "b", "c", "v"]})
    )
    colors = [line["color"] for line in lines]
    assert len(set(colors)) == 4
    assert (colors[0], colors[3]) == (COLORS["bert"][0], COLORS["vit"][0])
    assert {line["symbol"] for line in lines[:3]} == {COLORS["bert"][1]}


@pytest.mark.parametrize("higher", [True, False])
def test_a_line_is_a_share_of_the_best(higher):
    made = [entry("vanilla", 128, f1=0.4, memory=1, speed=1)]
    made.append(entry("bert", 128, f1=0.5, memory=1, speed=1))
    board = next(board for board in make_boards(made, VERSIONS) if board.metric.name == "entity_f1")
    board = dataclasses.replace(board, metric=Metric("score", higher_is_better=higher))
    shares = {line.split()[0]: of_line for line, of_line in shares_of_best([board]).items()}
    assert shares["bert" if higher else "vanilla"] == [1.0]
    assert shares["vanilla" if higher else "bert"] == pytest.approx([0.8])


def runs_of(site):
    """Return by its path the records in each script that the run pages load."""
    begin, end = "lengthwiseRuns(", ");\n"
    scripts = {path: path.read_text() for path in (site / "data" / "runs").iterdir()}
    assert all(text.startswith(begin) and text.endswith(end) for text in scripts.values())
    return {path: json.loads(text[len(begin) : -len(end)]) for path, text in scripts.items()}


def test_a_run_more_or_less_changes_one_bundle_of_many(tmp_path):
    entries = [entry("vanilla", 128, seed, f1=0.5, memory=1.0, speed=1.0) for seed in range(400)]
    draw(entries, tmp_path)
    first = runs_of(tmp_path)
    written = {path: path.stat().st_mtime_ns for path in first}
    assert 5 < len(first) < 80
    draw(entries[:150] + entries[151:], tmp_path)
    second = runs_of(tmp_path)
    kept = set(first) & set(second)
    assert len(set(first) - kept) in (1, 2) and len(set(second) - kept) <= 1
    assert all(path.stat().st_mtime_ns == written[path] for path in kept)
    ids = sorted(record["run_id"] for records in second.values() for record in records)
    assert ids == sorted(kept.record.run_id for kept in entries[:150] + entries[151:])
    bundles = read_script(tmp_path / "data" / "index.js")["bundles"]
    assert {(records[0]["run_id"], path.stem) for path, records in second.items()} == {
        (run_id, name) for run_id, name in bundles
    }


def test_a_run_page_holds_the_record_as_its_file_has_it(tmp_path):
    known, gone = (entry("vanilla", 128, seed, f1=0.5, memory=100, speed=1) for seed in (0, 1))
    file = tmp_path / "record.json"
    file.write_text(known.record.to_json())
    both = [
        dataclasses.replace(known, path=file),
        dataclasses.replace(gone, path=tmp_path / "gone"),
    ]
    write_site(both, VERSIONS, ARCHITECTURES, tmp_path / "site")
    found = [record for records in runs_of(tmp_path / "site").values() for record in records]
    assert found == [json.loads(file.read_text())]


def test_the_first_page_stays_small_with_ten_thousand_records(tmp_path):
    entries = [
        entry(name, length, seed, f1=0.5, memory=float(seed + 1), speed=1_000.0 + seed)
        for name in ("vanilla", "bert", "longformer", "reformer", "transformer_xl")
        for length in (128, 256, 512, 1_024)
        for seed in range(500)
    ]
    draw(entries, tmp_path)
    first = ["index.html", "data/index.js"]
    first += [f"assets/{name}" for name in ("style.css", "theme.js", "common.js", "index.js")]
    assert sum((tmp_path / name).stat().st_size for name in first) <= 2 * 2**20


class Tab:
    """A page in a browser, and what troubled it."""

    def __init__(self, page, folder):
        self.page, self.folder, self.troubles = page, folder, []
        page.on("console", lambda m: self._trouble(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self._trouble(str(error)))
        page.on("dialog", lambda dialog: (self._trouble("dialog"), dialog.dismiss()))
        page.on("request", lambda r: self._request(r.url))

    def _trouble(self, text):
        self.troubles.append(text)

    def _request(self, url):
        if not url.startswith(("file:", "data:", "blob:")):
            self._trouble(url)

    def open(self, name, state=""):
        self.page.goto("about:blank")
        self.page.goto(f"{(self.folder / name).as_uri()}#{state}")
        self.page.wait_for_selector("body[data-drawn]")


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=str(chromium),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )


@pytest.fixture
def opened(browser, folder):
    @contextmanager
    def tab(**settings):
        page = browser.new_page(**settings)
        found = Tab(page, folder)
        yield found
        page.close()
        assert found.troubles == []

    return tab


def select(page, label):
    return page.locator("label", has_text=label).locator("select")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_from_disk_without_errors_or_requests(opened, name):
    run = ENTRIES[0].record.run_id
    with opened() as tab:
        tab.open(f"{name}.html", f"run={run}&task=ner")
        tab.page.wait_for_selector(".plot .main-svg")
        assert tab.page.locator("h1").text_content() == PAGES[name][0]
        # No wider than the window, neither here nor on a phone.
        for width in (1_280, 390):
            tab.page.set_viewport_size({"width": width, "height": 800})
            tab.page.wait_for_function(
                f"document.documentElement.scrollWidth <= {width}", timeout=5_000
            )


def test_filters_filter_and_the_address_restores_the_view(opened):
    with opened() as tab:
        tab.open("index.html")
        assert "probe" in tab.page.locator("#shown").text_content()
        select(tab.page, "Task").select_option("ner")
        assert "ner" in tab.page.locator("#shown").text_content()
        tab.page.locator("label", has_text="vanilla").locator("input").uncheck()
        rows = tab.page.locator("table").first.locator("tbody tr")
        assert rows.count() == 0 or "vanilla" not in rows.first.text_content()
        address = tab.page.url
        text = tab.page.locator("main").inner_text()
        tab.open("index.html", address.partition("#")[2])
        assert tab.page.locator("main").inner_text() == text
        assert not tab.page.locator("label", has_text="vanilla").locator("input").is_checked()


def test_the_leaders_of_all_comparisons_stand_first_and_lead_to_their_boards(opened):
    from playwright.sync_api import expect

    with opened() as tab:
        tab.open("index.html", "metric=training.peak_memory_bytes")
        leaders = tab.page.locator("table").first
        learned, probed = (leaders.locator("tr", has_text=name) for name in ("ner", "probe"))
        assert "not ranked" in learned.text_content()
        said = [text.strip() for text in probed.locator("li").all_text_contents()]
        assert said == ["512 vanilla", "1024 longformer", "2048 longformer"]
        probed.locator("li a").nth(1).click()
        # The page is drawn anew after the click, not during it.
        expect(select(tab.page, "Leaderboard at length")).to_have_value("1024")
        expect(select(tab.page, "Ranked by")).to_have_value("training.tokens_per_second")
        learned.locator("a").click()
        expect(tab.page.locator("#shown")).to_contain_text("ner")


def test_one_seed_is_drawn_alone(opened):
    with opened() as tab:
        tab.open("index.html", "task=ner&repeat=1")
        tab.page.wait_for_selector(".main-svg")
        drawn = tab.page.evaluate(
            "document.querySelector('.plot').data.filter(t => t.text).map(t => t.y)"
        )
        assert [values for values in drawn if values] == [[0.7]]


def test_links_lead_to_the_run_and_pages_keep_the_comparison(opened):
    with opened() as tab:
        tab.open("index.html", "task=ner&length=128")
        tab.page.locator("table a", has_text="vanilla").first.click()
        tab.page.wait_for_selector("h2")
        assert "ner · vanilla · length 128" in tab.page.locator("h2").first.text_content()
        command = tab.page.locator("pre").first.text_content()
        assert "bench run --task ner" in command and "learning_rate=0.001" in command
        tab.open("index.html", "task=ner")
        tab.page.locator("header nav a", has_text="Tasks").click()
        tab.page.wait_for_selector("body[data-loaded]")
        assert tab.page.url.endswith("task.html#task=ner")
        assert tab.page.locator("td", has_text="lives").count() >= 1


def test_a_run_links_to_its_page_in_mlflow_where_it_has_one(opened):
    with opened() as tab:
        for entered, links in ((ENTRIES[0], 1), (ENTRIES[1], 0)):
            tab.open("run.html", f"run={entered.record.run_id}")
            tab.page.wait_for_selector("h2")
            link = tab.page.locator("a", has_text="This run in MLflow")
            assert link.count() == links
            if links:
                assert link.get_attribute("href").endswith("/#/experiments/1/runs/abc")


def test_what_failed_is_drawn_as_what_it_is(opened):
    with opened() as tab:
        tab.open("index.html", "task=ner")
        tab.page.wait_for_selector(".annotation")
        assert tab.page.locator(".annotation", has_text="✕").count() == 3
        told = tab.page.locator("table", has_text="out_of_memory").nth(-2).text_content()
        assert f"too big {SCRIPT}" in told and "unsupported" in told


def test_a_report_of_another_form_spoils_its_own_figure_alone(browser, tmp_path):
    first = ENTRIES[0]
    reports = {
        "test": {
            "confusion": 5,
            "by_cue_distance": [1],
            "examples": {"length": 2},
            "by_part": {"entity_f1": (0.4, 0.6)},
        }
    }
    other = first.record.model_copy(update={"reports": reports})
    draw([dataclasses.replace(first, record=other)], tmp_path)
    page = browser.new_page()
    tab = Tab(page, tmp_path)
    tab.open("task.html")
    page.wait_for_selector("body[data-loaded]")
    spoilt = page.locator("main p.status-bad").all_text_contents()
    assert [text.partition(" cannot be drawn")[0] for text in spoilt] == [
        "The confusion of vanilla",
        "The examples",
    ]
    assert page.locator("h3", has_text="by part of the split").count() == 1
    assert tab.troubles == []
    page.close()


def test_many_lines_at_a_single_length_all_stand_within_their_figure(browser, tmp_path):
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


def test_a_list_that_leaves_runs_out_says_so(browser, tmp_path):
    runs = [entry("vanilla", 128, seed, f1=0.5, memory=1.0, speed=1.0) for seed in range(501)]
    draw(runs, tmp_path)
    page = browser.new_page()
    tab = Tab(page, tmp_path)
    tab.open("index.html")
    listed = page.locator("details", has_text="501 runs, the first 500 of them listed")
    assert listed.locator("tbody tr").count() == 500
    assert tab.troubles == []
    page.close()


def test_what_is_superseded_is_folded_away_without_the_costs_of_what_stands(opened):
    with opened() as tab:
        tab.open("index.html", "task=ner&length=128")
        standing = tab.page.locator("table", has_text="Speed and memory are of training")
        assert "superseded" not in standing.text_content()
        folded = tab.page.locator("details", has_text="1 superseded row")
        assert not folded.locator("table").is_visible()
        cells = folded.locator("tbody td").all_text_contents()
        assert cells[:6] == ["—", "vanilla", "0.1", "1", "—", "—"]
        assert cells[-1].startswith("superseded by protocol")


def test_two_lines_and_two_runs_are_compared(opened):
    one, other = (found.record.run_id for found in ENTRIES[:2])
    with opened() as tab:
        tab.open("compare.html", f"task=ner&a=vanilla&b={SCRIPT}")
        assert "one seed: no telling" in tab.page.locator("table").first.text_content()
        tab.open("compare.html", "task=probe%2C+encoder&a=vanilla&b=longformer")
        said = tab.page.locator(".answer li").first.text_content()
        assert said == (
            "Training throughput: vanilla is better (512); longformer is better (1024, 2048)."
        )
        tab.open("compare.html", f"one={one}&other={other}")
        tab.page.wait_for_selector("tr.differs")
        assert "cell.seed" in tab.page.locator("tr.differs").all_text_contents()[0]


def test_the_keyboard_reaches_everything_and_keeps_its_place(opened):
    with opened() as tab:
        tab.open("index.html", "task=ner")
        tab.page.keyboard.press("Tab")
        assert tab.page.evaluate("document.activeElement.className") == "skip"
        select(tab.page, "Seed").focus()
        tab.page.keyboard.press("ArrowDown")
        tab.page.wait_for_function("location.hash.includes('repeat')")
        assert tab.page.evaluate("document.activeElement.tagName") == "SELECT"
        names = tab.page.locator(".plot").evaluate_all("all => all.map(p => p.ariaLabel)")
        assert names and all(names)


def test_dark_and_light(opened):
    with opened(color_scheme="dark") as tab:
        tab.open("index.html")
        dark = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
        tab.page.locator("#theme").click()
        assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_a_figure_can_be_had_as_csv(opened):
    with opened() as tab:
        tab.open("index.html", "task=ner")
        with tab.page.expect_download() as download:
            tab.page.locator("figure button").first.click()
        text = download.value.path().read_text()
        assert text.splitlines()[0].startswith("line,sequence_length,batch_size,quality")
        assert "vanilla,128,16,0.6" in text


def test_a_form_is_told_in_the_filters_of_a_probe(folder):
    tasks = [c["task"] for c in read_script(folder / "data" / "index.js")["comparisons"]]
    assert f"probe, {Form.ENCODER}" in tasks
