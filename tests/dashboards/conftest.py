"""A drawn site, and a browser that opens its pages: one browser and one tab for each module.

The browser is closed after each module, since its event loop runs in the process of the tests.
"""

from __future__ import annotations

import pytest

from tests.dashboards.site_records import ENTRIES, draw
from tests.dashboards.tab import Tab


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The folder of a site of `ENTRIES`, in which the first run has a page in MLflow."""
    folder = tmp_path_factory.mktemp("site")
    first = ENTRIES[0].record.run_id
    pages = {first: "http://127.0.0.1:5000/#/experiments/1/runs/abc", "another home's": "x"}
    draw(ENTRIES, folder, pages, with_plotly=True)
    return folder


@pytest.fixture(scope="module")
def one_tab(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield Tab(browser.new_page())
        browser.close()


@pytest.fixture
def tab(one_tab):
    """A tab that fails the test if a page had errors."""
    one_tab.page.set_viewport_size({"width": 1_300, "height": 800})
    yield one_tab
    errors, one_tab.errors = one_tab.errors, []
    assert errors == []


@pytest.fixture
def drawn(tab, tmp_path):
    """A function that draws a site of records, shows one of its pages, and returns the tab."""

    def show(records, page="index.html", state="", **settings):
        draw(records, tmp_path, **settings)
        tab.open(tmp_path, page, state, again=True)
        return tab

    return show


@pytest.fixture
def shown(tab, made):
    """A function that shows the first page in a state and returns the tab.

    The fixture `made` of the module has the folder of the site first.
    """

    def show(state="", **settings):
        tab.open(made[0], "index.html", state, **settings)
        return tab

    return show
