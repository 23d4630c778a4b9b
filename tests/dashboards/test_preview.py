"""The preview image of the site, and the pages that name it."""

from __future__ import annotations

import struct

import pandas as pd
import pytest

from dashboards.pages import PAGES, PREVIEW, Host, render_page
from dashboards.preview import HEIGHT, WIDTH, choose_chart, write_preview
from suite.actions.sites import draw_site
from suite.records.measures import CHARTED
from tests.dashboards.site_records import REGISTRY, draw, probe

ADDRESS = "https://example.org/lengthwise"
HOST = Host(ADDRESS)
COLUMNS = ["comparison", "entry", "sequence_length", "measure", "value"]
SPEED, MEMORY = "training.tokens_per_second", "training.peak_memory_bytes"


def frame(*rows):
    return pd.DataFrame(rows, columns=COLUMNS)


def lines(comparison, measure, **lengths):
    return [
        (comparison, line, length, measure, 1_000.0 / length)
        for line, of_line in lengths.items()
        for length in of_line
    ]


def style(name, color="#0072B2", dash="solid"):
    return {"name": name, "color": color, "dash": dash}


def test_the_chart_has_the_most_lines_of_several_lengths():
    few = lines(0, SPEED, a=(1, 2), b=(1, 2), c=(1,))
    many = lines(1, MEMORY, a=(1, 2), b=(1, 2), c=(1, 2), d=(1,))
    comparison, measure, drawn = choose_chart(frame(*few, *many))
    assert (comparison, measure, sorted(set(drawn["entry"]))) == (
        1,
        CHARTED[MEMORY],
        ["a", "b", "c"],
    )
    comparison, measure, drawn = choose_chart(frame(*few))
    assert (comparison, measure, sorted(set(drawn["entry"]))) == (0, CHARTED[SPEED], ["a", "b"])
    assert choose_chart(frame(*lines(0, SPEED, a=(1, 2), b=(1,)))) is None


@pytest.mark.parametrize(
    "points", [frame(), frame(*lines(0, SPEED, **{"$x$": (1, 2), "y": (1, 2)}))]
)
def test_the_image_has_the_size_of_a_large_card_and_equal_bytes(tmp_path, points):
    styles = [style("$x$"), style("y", dash="8px,4px")]
    files = [tmp_path / "one.png", tmp_path / "other.png"]
    for path in files:
        write_preview(path, points, styles, ["Speed of $x$ and others"])
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
