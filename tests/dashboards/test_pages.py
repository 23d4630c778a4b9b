"""The dashboard: right figures, harmless names, and a browser that is content with it."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from dashboards.frame import make_frame, summarize
from dashboards.pages import write_dashboard
from suite.contracts import Mode, Status
from suite.record import Measurement
from tests.suite.test_store import CELL, make_record

SCRIPT = "<script>alert(1)</script>"


def cell_record(architecture, length, seed=0, status=Status.OK, **values):
    cell = dataclasses.replace(
        CELL, architecture=architecture, sequence_length=length, seed=seed, options={}
    )
    if status is not Status.OK:
        return make_record(status, seed, cell, reason=values.get("reason", "it broke"))

    def measured(value):
        return Measurement(value=value, n=1, samples=(value,), quartiles=None, method="by hand")

    return make_record(
        status,
        seed,
        cell,
        metrics={"test": {"entity_f1": values["f1"]}},
        measurements={
            "training": {
                "peak_memory_bytes": measured(values["memory"] * 2**20),
                "tokens_per_second": measured(values["speed"]),
            }
        },
    )


RECORDS = [
    cell_record("vanilla", 128, 0, f1=0.5, memory=100.0, speed=1_000.0),
    cell_record("vanilla", 128, 1, f1=0.7, memory=120.0, speed=1_200.0),
    cell_record("vanilla", 512, 0, f1=0.8, memory=900.0, speed=400.0),
    cell_record(SCRIPT, 128, 0, f1=0.6, memory=90.0, speed=2_000.0),
    cell_record(SCRIPT, 512, 0, status=Status.OUT_OF_MEMORY, reason=f"too big {SCRIPT}"),
    cell_record("vit", 128, 0, status=Status.UNSUPPORTED, reason="does not take text"),
]
METRICS = {"ner": "entity_f1"}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("site") / "index.html"
    write_dashboard(RECORDS, METRICS, path)
    return path


def test_means_ranges_and_n():
    summary = summarize(make_frame(RECORDS, METRICS), "quality")
    row = summary[(summary["line"] == "vanilla") & (summary["sequence_length"] == 128)].iloc[0]
    assert (row["mean"], row["min"], row["max"], row["count"]) == (
        pytest.approx(0.6),
        0.5,
        0.7,
        2,
    )
    assert len(summary) == 3


def test_the_page_holds_every_figure_and_what_went_wrong(page):
    text = page.read_text()
    table = text[text.rindex("<table>") :]
    assert "0.600" in table and "110 MiB" in table and "1,100" in table
    assert "out_of_memory: too big" in table and "unsupported: does not take text" in table
    traces = [json.loads(found) for found in re.findall(r'"y":(\[[^]]*\])', text)]
    assert [0.6, 0.8] in [[round(value, 6) for value in trace] for trace in traces]
    assert SCRIPT not in text.replace("<script>", "", 1)


def test_a_probe_has_no_quality(tmp_path):
    record = RECORDS[0]
    cell = dataclasses.replace(record.cell, mode=Mode.PROBE, task=None, source=None)
    probe = record.model_copy(update={"cell": cell, "cell_id": cell.id, "metrics": {}})
    write_dashboard([probe], METRICS, tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text()
    assert "Inference throughput" in text and "<th>test " not in text


def test_a_browser_shows_it_from_disk_without_errors_or_requests(page, chromium):
    from playwright.sync_api import sync_playwright

    troubles: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        tab = browser.new_page()
        tab.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
        tab.on("pageerror", lambda error: troubles.append(str(error)))
        tab.on("dialog", lambda dialog: (troubles.append("dialog"), dialog.dismiss()))
        tab.on(
            "request",
            lambda r: None if r.url.startswith(("file:", "data:")) else troubles.append(r.url),
        )
        tab.goto(page.as_uri())
        tab.wait_for_selector(".main-svg")
        assert tab.locator(".scatterlayer .trace").count() == 6
        assert tab.locator("text=Peak training memory").count() >= 1
        assert tab.locator(".annotation", has_text="✕").count() == 3
        names = tab.locator(".legendtext").all_text_contents()
        browser.close()
    assert troubles == []
    assert names == [SCRIPT, "vanilla"]
