"""Pages: their templates, escaped texts, figures as a reader wants them, and footnotes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.analysis.estimates import Estimate
from suite.api import Metric
from suite.records.measures import score_decimals, significant

if TYPE_CHECKING:
    from jinja2 import Environment

NONE = "—"
SPECIAL = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "\n": " "})
IN_NAMES = str.maketrans({"[": "&#91;", "]": "&#93;", "`": "&#96;", "*": "&#42;"})
"""The characters that could turn a name into a link or another format."""
DIGITS = 8
"""The number of digits that a page shows of a digest."""
SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def escape(text: str) -> str:
    """Escape text for a table, which a web page may show as HTML."""
    return text.translate(SPECIAL)


def escape_name(text: str) -> str:
    """Escape the name of an entry, which a submitter may choose."""
    return escape(text).translate(IN_NAMES)


def number(value: float | None) -> str:
    """Return a score outside a table: three decimals below 10, and fewer above."""
    return NONE if value is None else decimal(value, score_decimals([value]))


def decimal(value: float | None, places: int = 2) -> str:
    """Return a figure with a number of decimal places."""
    return NONE if value is None else f"{value:,.{places}f}"


def small(value: float | None) -> str:
    """Return a difference with two significant digits."""
    return NONE if value is None else significant(value, 2)


def interval(estimate: Estimate | None, places: int | None = None) -> str:
    """Return an estimate with its interval, by default with the decimals of a score alone."""
    if estimate is None:
        return NONE
    places = score_decimals([estimate.value]) if places is None else places
    ends = (estimate.value, estimate.low, estimate.high)
    value, low, high = (decimal(end, places) for end in ends)
    return value if estimate.ends is None else f"{value} [{low}, {high}]"


def metric_name(metric: Metric) -> str:
    """Return the name of a metric with an arrow to the better side."""
    return f"{escape(metric.name.replace('_', ' '))} {'↑' if metric.higher_is_better else '↓'}"


def shortened(texts: Iterable[str], most: int = 3) -> str:
    """Return texts as a list, of which the last are counted if there are more than `most`."""
    texts = list(texts)
    rest = [f"+ {len(texts) - most}"] if len(texts) > most else []
    return ", ".join([*texts[:most], *rest]) or NONE


def millions(counts: Collection[int] | None) -> str:
    """Return the smallest and the largest of some counts in millions."""
    texts = dict.fromkeys(f"{count / 1e6:.2f}" for count in counts or ())
    return f"{'–'.join(texts)} M" if texts else NONE


def first_digest(digests: Iterable[str | None]) -> str:
    """Return the start of the first digest that is known."""
    digest = next(filter(None, digests), None)
    return f"`{escape(digest[:DIGITS])}`" if digest else NONE


def render(template: str, **content: Any) -> str:
    """Return a page of the folder `templates`, such as "card.html"."""
    return _templates().get_template(f"{template}.jinja").render(content)


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(("html.jinja",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "text": escape,
        "name": escape_name,
        "number": number,
        "decimal": decimal,
        "small": small,
        "interval": interval,
        "metric": metric_name,
        "few": shortened,
        "thousands": "{:,}".format,
        "millions": millions,
        "digest": first_digest,
        "hyphenated": lambda name: name.replace("_", "-"),
        "authors": lambda paper: re.sub(r"( \d{4}), .*", r"\1", paper),  # and the year
    }
    return environment


def shared_notes(notes: Sequence[Sequence[str]]) -> list[str]:
    """Return the notes that all of several rows have; a table prints them once."""
    first, *others = notes or [()]
    return [text for text in first if others and all(text in of for of in others)]


class Footnotes:
    """The footnotes of one page: each text once, numbered in the order of its first use."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def after(self, text: str, notes: Iterable[str]) -> str:
        """Return a text with the numbers of its notes."""
        numbers = (str(self._numbers.setdefault(note, len(self._numbers) + 1)) for note in notes)
        return text + " ".join(numbers).translate(SUPERSCRIPT)

    def __str__(self) -> str:
        """Return the footnotes as one paragraph; "" without any."""
        notes = (
            f"{str(number).translate(SUPERSCRIPT)} {escape(note)}"
            for note, number in self._numbers.items()
        )
        return "; ".join(notes) + "." if self._numbers else ""
