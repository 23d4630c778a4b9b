"""The pages in a browser: links, filters, keyboard, downloads."""

from __future__ import annotations

import pytest

from dashboards.pages import PAGES
from tests.dashboards.site_records import (
    ENTRIES,
    SCRIPT,
)
from tests.dashboards.tab import select


@pytest.mark.parametrize("listed", PAGES, ids=lambda page: page.name)
def test_a_page_opens_from_disk_without_errors_or_requests(opened, listed):
    run = ENTRIES[0].record.run_id
    with opened() as tab:
        tab.open(f"{listed.name}.html", f"run={run}&task=ner")
        tab.page.wait_for_selector(".plot .main-svg")
        assert tab.page.locator("h1").text_content() == listed.title
        # The page is no wider than the window, also on a phone.
        for width in (1_280, 390):
            tab.page.set_viewport_size({"width": width, "height": 800})
            tab.page.wait_for_function(
                f"document.documentElement.scrollWidth <= {width}", timeout=5_000
            )


def test_the_address_restores_the_filters(opened):
    with opened() as tab:
        tab.open("index.html")
        assert "Named entity recognition" in tab.page.locator("#shown").text_content()
        select(tab.page, "Task").select_option("probe, encoder")
        assert "Speed and memory, encoder" in tab.page.locator("#shown").text_content()
        tab.page.locator("label", has_text="vanilla").locator("input").uncheck()
        rows = tab.page.locator("table").first.locator("tbody tr")
        assert rows.count() == 0 or "vanilla" not in rows.first.text_content()
        address = tab.page.url
        text = tab.page.locator("main").inner_text()
        tab.open("index.html", address.partition("#")[2])
        assert tab.page.locator("main").inner_text() == text
        assert not tab.page.locator("label", has_text="vanilla").locator("input").is_checked()


def test_links_open_the_run_and_pages_keep_the_comparison(opened):
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


def test_a_run_links_to_its_page_in_mlflow(opened):
    with opened() as tab:
        for entered, links in ((ENTRIES[0], 1), (ENTRIES[1], 0)):
            tab.open("run.html", f"run={entered.record.run_id}")
            tab.page.wait_for_selector("h2")
            link = tab.page.locator("a", has_text="This run in MLflow")
            assert link.count() == links
            if links:
                assert link.get_attribute("href").endswith("/#/experiments/1/runs/abc")


def test_compare_two_lines_and_two_runs(opened):
    one, other = (found.record.run_id for found in ENTRIES[:2])
    with opened() as tab:
        tab.open("compare.html", f"task=ner&a=vanilla&b={SCRIPT}")
        assert "one seed: no interval" in tab.page.locator("table").first.text_content()
        tab.open("compare.html", "task=probe%2C+encoder&a=vanilla&b=longformer")
        answer = tab.page.locator(".answer li").first.text_content()
        assert answer == (
            "Training throughput: vanilla is better (512); longformer is better (1024, 2048)."
        )
        tab.open("compare.html", f"one={one}&other={other}")
        tab.page.wait_for_selector("tr.differs")
        assert "cell.seed" in tab.page.locator("tr.differs").all_text_contents()[0]


def test_the_keyboard_reaches_all_controls_and_keeps_its_place(opened):
    with opened() as tab:
        tab.open("index.html", "task=ner")
        tab.page.keyboard.press("Tab")
        assert tab.page.evaluate("document.activeElement.className") == "skip"
        tab.page.locator(".advanced summary").focus()
        tab.page.keyboard.press("Enter")
        select(tab.page, "Seed").focus()
        tab.page.keyboard.press("ArrowDown")
        tab.page.wait_for_function("location.hash.includes('repeat')")
        assert tab.page.evaluate("document.activeElement.tagName") == "SELECT"
        assert select(tab.page, "Seed").is_visible()  # the further filters stay open
        names = tab.page.locator(".plot").evaluate_all("all => all.map(p => p.ariaLabel)")
        assert names and all(names)


def test_dark_and_light_theme(opened):
    with opened(color_scheme="dark") as tab:
        tab.open("index.html")
        dark = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
        tab.page.locator("#theme").click()
        assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_a_figure_downloads_as_csv(opened):
    with opened() as tab:
        tab.open("index.html", "task=ner")
        with tab.page.expect_download() as download:
            tab.page.locator("figure button").first.click()
        text = download.value.path().read_text()
        assert text.splitlines()[0].startswith("line,sequence_length,batch_size,quality")
        assert "vanilla,128,16,0.6" in text
