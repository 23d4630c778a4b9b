"""A browser tab that collects errors."""

from __future__ import annotations


class Tab:
    """A page in a browser, and its errors.

    Errors are messages of the console, exceptions, dialogs, and requests to the network.
    """

    def __init__(self, page, folder):
        self.page, self.folder, self.errors = page, folder, []
        page.on("console", lambda m: self._add_error(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self._add_error(str(error)))
        page.on("dialog", lambda dialog: (self._add_error("dialog"), dialog.dismiss()))
        page.on("request", lambda r: self._request(r.url))

    def _add_error(self, text):
        self.errors.append(text)

    def _request(self, url):
        if not url.startswith(("file:", "data:", "blob:")):
            self._add_error(url)

    def open(self, name, state=""):
        self.page.goto("about:blank")
        self.page.goto(f"{(self.folder / name).as_uri()}#{state}")
        self.page.wait_for_selector("body[data-drawn]")


def select(page, label):
    return page.locator("label", has_text=label).locator("select")
