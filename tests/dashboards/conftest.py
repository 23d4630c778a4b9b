"""A drawn site, and a browser that opens its pages."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from tests.dashboards.site_records import ENTRIES, draw
from tests.dashboards.tab import Tab


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The folder of a site of `ENTRIES`, in which the first run has a page in MLflow."""
    folder = tmp_path_factory.mktemp("site")
    first = ENTRIES[0].record.run_id
    pages = {first: "http://127.0.0.1:5000/#/experiments/1/runs/abc", "another home's": "x"}
    draw(ENTRIES, folder, pages)
    return folder


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
    """A context manager that gives a tab on the site, and fails if the tab had errors."""

    @contextmanager
    def tab(**settings):
        page = browser.new_page(**settings)
        found = Tab(page, folder)
        yield found
        page.close()
        assert found.errors == []

    return tab
