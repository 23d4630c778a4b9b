"""The pages in a browser: links, filters, keyboard, downloads."""

from __future__ import annotations

import csv
import dataclasses
import re
import struct
from xml.etree import ElementTree

import pytest

from dashboards.pages import PAGES
from suite.api import PROTOCOL, Form, Mode
from tests.builders.records import with_fields
from tests.dashboards.site_records import ENTRIES, SCRIPT, costs_of, draw, entry, probe

F1_TITLE = "Test entity F1 · higher is better"


@pytest.mark.parametrize("listed", PAGES, ids=lambda page: page.name)
def test_a_page_opens_from_disk_without_errors_or_requests(tab, folder, listed):
    run = ENTRIES[0].record.run_id
    tab.open(folder, f"{listed.name}.html", f"run={run}&task=ner")
    if listed.name not in ("rates", "diagnostics", "methods", "archive"):  # they draw nothing here
        tab.page.wait_for_selector(".plot .main-svg")
    assert tab.page.locator("h1").text_content() == (listed.heading or listed.title)
    # The page is no wider than the window, also on a phone.
    for width in (1_280, 390):
        tab.page.set_viewport_size({"width": width, "height": 800})
        tab.page.wait_for_function(f"document.documentElement.scrollWidth <= {width}")


def test_the_address_restores_the_view_and_the_keyboard_keeps_its_place(tab, folder):
    tab.open(folder, again=True)
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.className") == "skip"
    assert "Named entity recognition" in tab.answer()
    tab.page.locator(".limits summary").focus()
    tab.page.keyboard.press("Enter")
    budget = tab.page.get_by_label("Memory budget, GiB")
    budget.fill("9")
    budget.press("Enter")
    tab.page.wait_for_function("location.hash.includes('gib=9')")
    assert tab.page.evaluate("document.activeElement.name") == "Memory budget, GiB"
    assert budget.is_visible()  # the limits stay open
    tab.select("Task").select_option("probe, encoder")
    assert "Speed and memory, encoder" in tab.answer()
    assert tab.page.get_by_role("status").text_content() == tab.answer()
    tab.page.locator(".legend label", has_text="vanilla").locator("input").uncheck()
    labels = tab.page.locator(".plot").evaluate_all("all => all.map(p => p.ariaLabel)")
    assert labels and all(labels)
    text = tab.page.locator("main").inner_text()
    tab.open(folder, "index.html", tab.page.url.partition("#")[2], again=True)
    assert tab.page.locator("main").inner_text() == text
    box = tab.page.locator(".legend label", has_text="vanilla").locator("input")
    assert not box.is_checked()


def test_all_lines_of_a_legend_lose_and_get_their_colours_at_once(tab, folder):
    tab.open(folder, "index.html", "task=ner")
    assert any(trace.get("name") for traces, _ in tab.plots() for trace in traces)
    boxes = tab.page.locator("fieldset.legend input")
    count = boxes.count()
    assert count > 1
    tab.page.get_by_role("button", name="none", exact=True).click()
    assert tab.page.locator("fieldset.legend input:checked").count() == 0
    assert tab.page.evaluate("document.activeElement.name") == "no entries"
    assert not any(trace.get("name") for traces, _ in tab.plots() for trace in traces)
    tab.page.get_by_role("button", name="the best").click()
    assert tab.page.locator("fieldset.legend input:checked").count() == count


def test_links_open_the_run_and_pages_keep_the_comparison(tab, folder):
    tab.open(folder, "index.html", "task=ner&length=128")
    tab.page.locator("table a", has_text="vanilla").first.click()
    tab.page.wait_for_selector("h2")
    assert "ner · vanilla · length 128" in tab.page.locator("h2").first.text_content()
    run_id = tab.page.evaluate("state().run")
    assert tab.page.locator("pre").first.text_content() == f"bench verify {run_id}"
    link = tab.page.locator("a", has_text="This run in MLflow")
    assert link.get_attribute("href").endswith("/#/experiments/1/runs/abc")
    tab.open(folder, "run.html", f"run={ENTRIES[1].record.run_id}", again=True)
    tab.page.wait_for_selector("h2")
    assert link.count() == 0
    tab.open(folder, "index.html", "task=ner")
    tab.page.locator("header nav a", has_text="Tasks").click()
    tab.page.wait_for_selector("body[data-loaded]")
    assert tab.page.url.endswith("task.html#task=ner")
    assert tab.page.locator("td", has_text="lives").count() >= 1


def test_compare_two_entries(tab, folder):
    tab.open(folder, "compare.html", f"task=ner&a=vanilla&b={SCRIPT}")
    rows = tab.texts("table tbody tr")
    assert rows[0] == "Test entity F1128—fewer than 3 seeds in common: no interval0.6000.600"
    assert rows[1].endswith("has no figure: no interval—0.800")
    tab.open(folder, "compare.html", "task=probe%2C+encoder&a=vanilla&b=longformer")
    assert tab.texts(".answer li")[0] == (
        "Training throughput: vanilla is better at 512; longformer is better at 1024, 2048."
    )
    # The analysis compares longformer with vanilla; the page computes no inverse.
    assert tab.texts("th")[1:3] == ["length", "longformer against vanilla [95%]"]
    assert "3.000 [" in tab.texts("table")[0]


def test_the_archive_lists_filters_sorts_and_downloads_every_row(tab, folder):
    tab.open(folder, "archive.html", again=True)
    rows = tab.page.locator("tbody tr:visible")
    total = rows.count()
    assert tab.texts("caption") == [f"{total} rows"]
    tab.page.get_by_placeholder("Filter rows").fill("superseded 128 F1")
    (former,) = rows.all_text_contents()
    assert re.match(r"vanilla\dNamed entity recognition128Test entity F10\.1001—", former)
    assert any(text.startswith("superseded by protocol") for text in tab.texts(".footnotes li"))
    tab.page.get_by_placeholder("Filter rows").fill("longformer training throughput")
    assert rows.count() == 3
    for direction in ("ascending", "descending"):
        tab.page.get_by_role("button", name="length", exact=True).click()
        lengths = rows.locator("td:nth-child(3)").all_text_contents()
        assert lengths == sorted(("512", "1024", "2048"), key=int, reverse=direction[0] == "d")
        assert tab.page.locator("th[aria-sort]").get_attribute("aria-sort") == direction
    with tab.page.expect_download() as started:
        tab.page.get_by_role("button", name=f"Download {total} rows as CSV").click()
    lines = list(csv.DictReader(started.value.path().read_text().splitlines()))
    assert len(lines) == total
    assert {line["entry"] for line in lines} == {"longformer", "vanilla", SCRIPT}


def test_a_long_archive_shows_all_rows_on_demand(drawn):
    entries = [entry("vanilla", length, f1=0.5, memory=1, speed=1) for length in range(64, 274)]
    tab = drawn(entries, "archive.html")
    rows = tab.page.locator("tbody tr:visible")
    assert rows.count() == 200
    tab.page.get_by_role("button", name="Show all 210 rows").click()
    assert rows.count() == 210


def test_dark_and_light_theme(tab, folder):
    tab.page.emulate_media(color_scheme="dark")
    tab.open(folder, again=True)
    dark = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    # Print is on white paper.
    background = "getComputedStyle(document.documentElement).getPropertyValue('--paper')"
    assert tab.page.evaluate(background) == "#15171b"
    tab.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert tab.page.evaluate(background) == "#fff"
    tab.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert tab.page.evaluate(background) == "#15171b"
    tab.page.locator("#theme").click()
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    tab.page.evaluate("localStorage.clear()")
    tab.page.emulate_media(color_scheme="light")


def download(tab, title, file_format):
    """Return the name and the content of a download of a figure, by the keyboard."""
    button = tab.page.get_by_role("button", name=f"Download {title} as {file_format}", exact=True)
    with tab.page.expect_download() as started:
        button.press("Enter")
    return started.value.suggested_filename, started.value.path().read_bytes()


def texts_of(svg):
    """Return the texts of an SVG image, each with its lines in one."""
    image = ElementTree.fromstring(svg)
    assert image.tag == "{http://www.w3.org/2000/svg}svg"
    return [" ".join(node.itertext()) for node in image.iterfind(".//{*}text")]


def test_a_figure_downloads_as_csv(tab, folder):
    tab.open(folder, "index.html", "task=ner")
    name, content = download(tab, F1_TITLE, "CSV")
    assert name == "ner-entity_f1.csv"
    head, first, *_ = content.decode().splitlines()
    assert head.startswith("entry,sequence_length,batch_size,entity_f1")
    assert head.endswith(",source")
    source = "Named entity recognition · look-1 · test split"
    model = "model size tiny: 2 layers, width 128"
    assert first.endswith(f'{source} · {model} · protocol {PROTOCOL}"')
    assert b"vanilla,128,16,0.6" in content


def test_a_figure_downloads_as_an_image_on_white_paper_from_the_dark_theme(tab, folder):
    tab.page.emulate_media(color_scheme="dark")
    tab.open(folder, "index.html", "task=ner", again=True)
    svg_name, svg = download(tab, F1_TITLE, "SVG")
    png_name, png = download(tab, F1_TITLE, "PNG")
    tab.page.emulate_media(color_scheme="light")
    assert (svg_name, png_name) == ("ner-entity_f1.svg", "ner-entity_f1.png")
    assert svg.startswith(b"<svg") and b'width="960" height="540"' in svg
    texts = texts_of(svg)
    assert {"vanilla", SCRIPT} <= set(texts)
    (title,) = [text for text in texts if text.startswith(F1_TITLE)]
    assert "Lengthwise · Named entity recognition · look-1 · test split · model size" in title
    fills = set(re.findall(rb"fill: (rgb\(.*?\))", svg))
    dark_ink = b"rgb(233, 234, 236)"
    assert {b"rgb(255, 255, 255)", b"rgb(26, 26, 26)"} <= fills and dark_ink not in fills
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (1_920, 1_080)


@pytest.mark.parametrize(
    ("name", "state"), [("tradeoffs", "task=probe%2C+encoder"), ("task", "task=ner&length=128")]
)
def test_heat_maps_bars_and_lines_download_as_images(tab, folder, name, state):
    tab.open(folder, f"{name}.html", state)
    titles = tab.texts("figure h3")
    assert titles
    for title in titles:
        shown = texts_of(download(tab, title, "SVG")[1])
        assert any(text.startswith(title) for text in shown)
        # Plotly names a trace "trace 1" that has no name.
        assert not [text for text in shown if text.startswith("trace ")]


def test_the_page_of_a_run_shows_samples_as_text(drawn):
    found = entry("vanilla", 128, f1=0.5, memory=1, speed=1)
    samples = [{"method": "greedy", "prompt": SCRIPT, "sample": " or\nnot"}]
    sampled = with_fields(found, reports={"validation": {"samples": samples}})
    tab = drawn([sampled], "run.html", f"run={found.record.run_id}")
    tab.page.locator("h3", has_text="Samples").wait_for()
    shown = tab.page.locator("pre", has=tab.page.locator("strong"))
    assert shown.text_content() == f"{SCRIPT} or\nnot"


def test_decodings_are_drawn_against_the_context_beside_probes(tab, tmp_path):
    """The state of a noisy generation is exact, so it is drawn all the same."""

    def decoding(architecture, length, number):
        found = probe(architecture, length, number, 1.0, form=Form.DECODER)
        cell = dataclasses.replace(found.record.cell, mode=Mode.DECODE, batch_size=1)
        generation = costs_of(step_seconds=0.002, state_bytes=8.0 * length)
        phases = {"prefill": costs_of(tokens_per_second=5e4), "generation": generation}
        noisy = {"noisy": ("generation",)} if length == 512 else {}
        return with_fields(found, cell=cell, measurements=phases, details=noisy)

    decodings = [
        decoding(name, length, number)
        for name in ("vanilla", "longformer")
        for length in (512, 1_024)
        for number in range(3)
    ]
    draw([*decodings, probe("vanilla", 512, 0, 900.0, form=Form.DECODER)], tmp_path)
    tab.open(tmp_path, "index.html", "task=decode%2C+decoder")
    assert "Generation, decoder" in tab.texts("option")
    figures = {
        axes["yaxis"]["title"]["text"]: [line for line in lines if line.get("name") == "vanilla"]
        for lines, axes in tab.plots()
    }
    assert list(figures) == [
        "Time per generated token, ms",
        "Size of the decoding state, KiB",
        "Prefill throughput, tokens/s",
    ]
    (state,) = figures["Size of the decoding state, KiB"]
    assert (state["x"], state["y"]) == ([512, 1_024], [4, 8])
    (times,) = figures["Time per generated token, ms"]
    assert times["y"] == [2, 2]
    tab.open(tmp_path, "run.html", f"run={decodings[0].record.run_id}")
    tab.page.wait_for_selector("h2")
    assert "decode, decoder · vanilla · length 512" in tab.page.locator("h2").first.text_content()
    # The page of a run says which of its phases were noisy.
    for found in (decodings[0], decodings[3]):
        tab.open(tmp_path, "run.html", f"run={found.record.run_id}")
        tab.page.wait_for_selector("h2")
        warnings = tab.texts(".warning")
        assert len(warnings) == 1 - found.record.quiet
        assert all("during generation. The speeds of such a phase" in text for text in warnings)
