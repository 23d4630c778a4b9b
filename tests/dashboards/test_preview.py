"""The preview image of the site, and the pages that name it."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import pandas as pd
import pytest

from dashboards.pages import PAGES, PREVIEW, Host, render_page
from dashboards.preview import HEIGHT, WIDTH, choose_charts, choose_colored, write_preview
from suite.actions.sites import draw_site
from suite.api import Metric
from suite.records.measures import QUALITY
from tests.dashboards.site_records import REGISTRY, draw, probe

ADDRESS = "https://example.org/lengthwise"
HOST = Host(ADDRESS)
COLUMNS = ["comparison", "entry", "sequence_length", "measure", "value"]
SPEED, MEMORY = "training.tokens_per_second", "training.peak_memory_bytes"
BITS = Metric("bits", higher_is_better=False)


def frame(*rows):
    return pd.DataFrame(rows, columns=COLUMNS)


def lines(comparison, measure, **lengths):
    return [
        (comparison, entry, length, measure, 1_000.0 / length + len(entry))
        for entry, of_entry in lengths.items()
        for length in of_entry
    ]


COMPARISON = SimpleNamespace(metric=BITS)


def chosen(rows, comparisons, sources=()):
    return [
        (chart.comparison, chart.title, sorted(set(chart.figures["entry"])))
        for chart in choose_charts(frame(*rows), comparisons, sources)
    ]


def test_the_charts_are_the_quality_that_pages_prefer_and_a_cost_of_its_entries():
    rows = [
        *lines(0, QUALITY, a=(1, 2), b=(1,), c=(1,)),  # one line is no chart
        *lines(1, QUALITY, a=(1, 2, 3), b=(1, 3)),
        *lines(2, QUALITY, a=(1, 2, 3, 4), b=(1, 2, 3, 4), c=(1, 2)),
        *lines(3, MEMORY, a=(1, 2), b=(1, 2), e=(1, 2)),
        *lines(4, SPEED, a=(1, 2), b=(1,)),
    ]
    comparisons, sources = [COMPARISON] * 5, [[], [4, 3], [], [], []]
    cost = 3, "Peak training memory, MiB · lower is better", ["a", "b"]
    assert chosen(rows, comparisons, sources) == [(1, "Bits · lower is better", ["a", "b"]), cost]


def test_without_quality_the_chart_is_the_cost_of_the_most_entries():
    few = lines(0, SPEED, a=(1, 2), b=(1, 2), c=(1,))
    many = lines(1, MEMORY, a=(1, 2), b=(1, 2), c=(1, 2), d=(1,))
    title = "Peak training memory, MiB · lower is better"
    assert chosen([*few, *many], [COMPARISON] * 2) == [(1, title, ["a", "b", "c"])]
    assert chosen(lines(0, SPEED, a=(1, 2), b=(1,)), [COMPARISON]) == []


def test_the_references_and_the_best_entries_have_a_colour():
    names = {"x" * number: (1, 2) for number in range(1, 12)}
    charts = choose_charts(frame(*lines(0, QUALITY, **names)), [COMPARISON], [[]])
    worst = "x" * 11
    assert choose_colored(charts, [worst]) == [worst, *list(names)[:7]]
    assert choose_colored([], [worst]) == []


@pytest.mark.parametrize(
    "rows", [[], lines(0, QUALITY, **dict.fromkeys(("$x$", "yy", "zz"), (1, 2)))]
)
def test_the_image_has_the_size_of_a_large_card_and_equal_bytes(tmp_path, rows):
    charts = choose_charts(frame(*rows), [COMPARISON], [[]])
    styles = [
        {"name": "$x$", "color": "#0072B2", "dash": "solid"},
        {"name": "yy", "color": "#0072B2", "dash": "8px,4px"},
    ]
    files = [tmp_path / "one.png", tmp_path / "other.png"]
    for path in files:
        write_preview(path, charts, styles, ["Quality of $x$ and others"])
    one, other = (path.read_bytes() for path in files)
    assert one == other and one[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", one[16:24]) == (WIDTH, HEIGHT)


def test_pages_name_the_image_by_its_full_address_or_not_at_all(tmp_path):
    entries = [
        probe(name, length, 0, 9.0) for name in ("vanilla", "gpt") for length in (512, 1_024)
    ]
    draw(entries, tmp_path / "local")
    assert not (tmp_path / "local" / PREVIEW).exists()
    assert "og:image" not in (tmp_path / "local" / "index.html").read_text()
    draw_site(entries, REGISTRY, tmp_path / "public", host=HOST)
    assert (tmp_path / "public" / PREVIEW).read_bytes()[1:4] == b"PNG"
    for page in PAGES:
        html = (tmp_path / "public" / f"{page.name}.html").read_text()
        assert html == render_page(page, HOST)
        assert f'<meta property="og:image" content="{ADDRESS}/{PREVIEW}">' in html
