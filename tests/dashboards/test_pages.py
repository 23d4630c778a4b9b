"""The pages in a browser: links, filters, keyboard, downloads."""

from __future__ import annotations

import pytest

from dashboards.pages import PAGES
from tests.dashboards.site_records import ENTRIES, SCRIPT


@pytest.mark.parametrize("listed", PAGES, ids=lambda page: page.name)
def test_a_page_opens_from_disk_without_errors_or_requests(tab, folder, listed):
    run = ENTRIES[0].record.run_id
    tab.open(folder, f"{listed.name}.html", f"run={run}&task=ner")
    if listed.name not in ("rates", "diagnostics"):  # no rate was tuned, and no diagnostic ran
        tab.page.wait_for_selector(".plot .main-svg")
    assert tab.page.locator("h1").text_content() == listed.title
    # The page is no wider than the window, also on a phone.
    for width in (1_280, 390):
        tab.page.set_viewport_size({"width": width, "height": 800})
        tab.page.wait_for_function(f"document.documentElement.scrollWidth <= {width}")


def test_the_address_restores_the_view_and_the_keyboard_keeps_its_place(tab, folder):
    tab.open(folder, again=True)
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.className") == "skip"
    assert "Named entity recognition" in tab.answer()
    tab.page.locator(".advanced summary").focus()
    tab.page.keyboard.press("Enter")
    tab.select("Seed").focus()
    tab.page.keyboard.press("ArrowDown")
    tab.page.wait_for_function("location.hash.includes('repeat')")
    assert tab.page.evaluate("document.activeElement.name") == "Seed"
    assert tab.select("Seed").is_visible()  # the further filters stay open
    tab.select("Task").select_option("probe, encoder")
    assert "Speed and memory, encoder" in tab.answer()
    tab.page.locator(".legend label", has_text="vanilla").locator("input").uncheck()
    labels = tab.page.locator(".plot").evaluate_all("all => all.map(p => p.ariaLabel)")
    assert labels and all(labels)
    text = tab.page.locator("main").inner_text()
    tab.open(folder, "index.html", tab.page.url.partition("#")[2], again=True)
    tab.page.locator(".advanced summary").click()
    assert tab.page.locator("main").inner_text() == text
    box = tab.page.locator(".legend label", has_text="vanilla").locator("input")
    assert not box.is_checked()


def test_links_open_the_run_and_pages_keep_the_comparison(tab, folder):
    tab.open(folder, "index.html", "task=ner&length=128")
    tab.page.locator("table a", has_text="vanilla").first.click()
    tab.page.wait_for_selector("h2")
    assert "ner · vanilla · length 128" in tab.page.locator("h2").first.text_content()
    command = tab.page.locator("pre").first.text_content()
    assert "bench run --benchmark look --task ner" in command
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


def test_compare_two_lines_and_two_runs(tab, folder):
    one, other = (found.record.run_id for found in ENTRIES[:2])
    tab.open(folder, "compare.html", f"task=ner&a=vanilla&b={SCRIPT}")
    assert "1 seed: no interval" in tab.texts("table")[0]
    tab.open(folder, "compare.html", "task=probe%2C+encoder&a=vanilla&b=longformer")
    assert tab.texts(".answer li")[0] == (
        "Training throughput: vanilla is better (512); longformer is better (1024, 2048)."
    )
    # The analysis compares longformer with vanilla; the page computes no inverse.
    assert tab.texts("th")[:2] == ["length", "longformer / vanilla [95%]"]
    assert "3.000 [" in tab.texts("table")[0]
    tab.open(folder, "compare.html", f"one={one}&other={other}")
    tab.page.wait_for_selector("tr.differs")
    assert "cell.seed" in tab.texts("tr.differs")[0]


def test_dark_and_light_theme(tab, folder):
    tab.page.emulate_media(color_scheme="dark")
    tab.open(folder, again=True)
    dark = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.page.locator("#theme").click()
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    tab.page.evaluate("localStorage.clear()")
    tab.page.emulate_media(color_scheme="light")


def test_a_figure_downloads_as_csv(tab, folder):
    tab.open(folder, "index.html", "task=ner")
    with tab.page.expect_download() as download:
        tab.page.locator("figure button").first.click()
    text = download.value.path().read_text()
    assert text.splitlines()[0].startswith("line,sequence_length,batch_size,quality")
    assert "vanilla,128,16,0.6" in text
