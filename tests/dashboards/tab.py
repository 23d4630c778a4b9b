"""A browser tab that collects errors."""

from __future__ import annotations


class Tab:
    """A page in a browser, and its errors.

    Errors are messages of the console, exceptions, dialogs, and requests to the network.
    """

    def __init__(self, page):
        self.page, self.errors = page, []
        page.on("console", lambda m: self._add_error(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self._add_error(str(error)))
        page.on("dialog", lambda dialog: (self._add_error("dialog"), dialog.dismiss()))
        page.on("request", lambda r: self._request(r.url))

    def _add_error(self, text):
        self.errors.append(text)

    def _request(self, url):
        if not url.startswith(("file:", "data:", "blob:")):
            self._add_error(url)

    def open(self, site, name="index.html", state="", *, again=False):
        """Show a page in a state; a page that is open changes its state, unless `again`."""
        address = (site / name).as_uri()
        if again or self.page.url.partition("#")[0] != address:
            self.page.goto("about:blank")
            self.page.goto(f"{address}#{state}")
        elif self.page.url.partition("#")[2] != state:
            change = "state => { location.hash = state; }"
            self.redrawn_after(lambda: self.page.evaluate(change, state))
        self.page.wait_for_selector("body[data-drawn]")

    def redrawn_after(self, change):
        """Change the state of the page, and wait until the page shows it.

        The address of a page changes first, and the event that draws the page comes later.
        """
        drawn = self.page.evaluate("document.body.dataset.drawn")
        change()
        self.page.wait_for_function("n => document.body.dataset.drawn !== n", arg=drawn)

    def answer(self):
        return self.page.locator(".answer").first.text_content()

    def select(self, label):
        return self.page.locator(f'select[name="{label}"]')

    def texts(self, selector):
        return self.page.locator(selector).all_text_contents()

    def plots(self):
        """Return the traces and the layout of each figure."""
        # A figure is drawn after the page is.
        self.page.wait_for_function("[...document.querySelectorAll('.plot')].every(p => p.layout)")
        return self.page.evaluate(
            "[...document.querySelectorAll('.plot')].map(p => [p.data, p.layout])"
        )
