"""The documents: their links, their lengths, the catalogue, and the site that they become."""

from __future__ import annotations

import re
import runpy
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.builders.guides import needs_make
from tests.conftest import ROOT

GUIDES = sorted((ROOT / "docs").glob("*.md"))
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *GUIDES,
    *sorted((ROOT / "results").glob("*.md")),
    *sorted((ROOT / "results" / "leaderboard").glob("*.md")),
]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def prose(text: str) -> str:
    """Return a page without its code."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"(?ms)^```.*?^```$", "", text))


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text())
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"(?m)^#+ +(.*)$", text):
        anchor = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


def dead_links(page: Path) -> list[str]:
    """Return the relative links of a page whose file or heading does not exist."""
    dead = []
    for target in LINK.findall(prose(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dead.append(target)
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_and_its_anchor_exist(page):
    assert dead_links(page) == []


def test_a_dead_link_and_a_dead_anchor_are_found(tmp_path):
    (tmp_path / "other.md").write_text("# A `page`, at last\n")
    page = tmp_path / "page.md"
    alive = "[a](other.md) [b](other.md#a-page-at-last) `[c](none.md)` [d](https://none.invalid)"
    page.write_text(f"# Page\n{alive} [e](none.md) [f](#page) [g](other.md#none)\n")
    assert dead_links(page) == ["none.md", "other.md#none"]


def test_the_readme_leads_to_every_guide():
    text = (ROOT / "README.md").read_text()
    linked = {target.partition("#")[0] for target in LINK.findall(text)}
    assert {f"docs/{guide.name}" for guide in GUIDES} <= linked


def test_the_catalogue_is_that_of_the_registry(bench):
    printed = bench("list", "--markdown", BENCH_PATH="")
    assert printed.returncode == 0, printed.stderr
    page = (ROOT / "docs" / "catalogue.md").read_text()
    assert page == printed.stdout, "Run `bench list --markdown > docs/catalogue.md`"


def test_the_markdown_of_a_docstring_becomes_restructured_text():
    convert = runpy.run_path(str(ROOT / "docs" / "conf.py"))["to_restructured_text"]
    text = "Two `a\n b`s of x*y:\n- one\n- two\n\n```python\nx * y\n```\n>>> a * b\nc"
    assert convert(text).split("\n") == [
        r"Two \ `a b`\ s of x\*y:",
        "",
        "- one",
        "- two",
        "",
        "",
        ".. code-block:: python",
        "",
        "   x * y",
        "",
        ">>> a * b",
        "c",
    ]
    assert convert("| a | b |\n|---|---|") == "\n::\n\n   | a | b |\n   |---|---|"


@pytest.mark.slow  # imports every module
@needs_make
@pytest.mark.skipif(
    not (ROOT / ".venv" / ".docs").exists(), reason="the extra `docs` is not installed"
)
def test_the_site_builds_without_a_warning_and_can_be_searched(tmp_path):
    built = subprocess.run(
        ["make", "docs", f"DOCS={tmp_path / 'docs'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1_200,
    )
    assert built.returncode == 0, built.stderr[-4000:]
    site = tmp_path / "docs"
    assert "Which sequence model should I use" in (site / "index.html").read_text()
    assert "suite.crossover" in (site / "reference" / "suite.html").read_text()
    assert "quick-tour" in (site / "searchindex.js").read_text()
