"""The files of the site: pages, and bundles of records."""

from __future__ import annotations

import dataclasses
import json
import os

from dashboards.pages import PAGES, Host, render_page
from suite.actions.sites import draw_site
from suite.records.migrations import SCHEMA_VERSION
from suite.records.schema import parse_summary
from tests.dashboards.site_records import (
    ENTRIES,
    FROZEN,
    REGISTRY,
    SCRIPT,
    draw,
    entry,
    read_script,
    runs_of,
    texts_of_runs,
)


def test_pages_contain_no_names_of_records(folder):
    pages = list(folder.glob("*.html"))
    assert len(pages) == len(PAGES)
    for path in pages:
        assert SCRIPT not in path.read_text()


def test_templates_escape_what_they_insert():
    page = dataclasses.replace(PAGES[0], title=SCRIPT, heading=SCRIPT, summary=SCRIPT)
    html = render_page(page, Host())
    assert SCRIPT not in html and html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3


def test_a_web_server_may_read_all_files(tmp_path):
    previous = os.umask(0o022)
    try:
        draw(ENTRIES[:2], tmp_path)
    finally:
        os.umask(previous)
    site = [
        tmp_path / name for name in ("assets", "data", *(f"{page.name}.html" for page in PAGES))
    ]
    files = [path for top in site for path in (top, *top.rglob("*"))]
    assert len(files) > 20
    for path in files:
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_one_run_more_or_less_changes_one_bundle(tmp_path):
    entries = [entry("vanilla", 128, seed, f1=0.5, memory=1.0, speed=1.0) for seed in range(400)]
    draw(entries, tmp_path)
    first = runs_of(tmp_path)
    written = {path: path.stat().st_mtime_ns for path in first}
    assert 5 < len(first) < 80
    draw(entries[:150] + entries[151:], tmp_path)
    second = runs_of(tmp_path)
    kept = set(first) & set(second)
    assert len(set(first) - kept) in (1, 2) and len(set(second) - kept) <= 1
    assert all(path.stat().st_mtime_ns == written[path] for path in kept)
    ids = sorted(record["run_id"] for records in second.values() for record in records)
    assert ids == sorted(kept.record.run_id for kept in entries[:150] + entries[151:])
    bundles = read_script(tmp_path / "data" / "index.js")["bundles"]
    assert {(records[0]["run_id"], path.stem) for path, records in second.items()} == {
        (run_id, name) for run_id, name in bundles
    }


def test_a_bundle_holds_the_records_of_the_files(tmp_path):
    known, gone = (entry("vanilla", 128, seed, f1=0.5, memory=100, speed=1) for seed in (0, 1))
    file = tmp_path / "record.json"
    file.write_text(known.record.to_json())
    both = [
        dataclasses.replace(known, path=file),
        dataclasses.replace(gone, path=tmp_path / "gone"),
    ]
    draw_site(both, REGISTRY, tmp_path / "site")
    found = [record for records in runs_of(tmp_path / "site").values() for record in records]
    assert found == [json.loads(file.read_text())]


def test_a_bundle_holds_older_records_in_the_current_schema(tmp_path):
    """Records of the current schema are copied without parsing, older ones are migrated."""
    old = FROZEN / "schema-3-occlusion.json"
    new = tmp_path / "new.json"
    new.write_text(ENTRIES[0].record.to_json())
    assert json.loads(old.read_text())["schema_version"] == 3
    stored = [
        dataclasses.replace(ENTRIES[0], record=parse_summary(path.read_bytes()), path=path)
        for path in (old, new)
    ]
    draw_site(stored, REGISTRY, tmp_path / "site")
    records = {
        record["run_id"]: record
        for bundle in runs_of(tmp_path / "site").values()
        for record in bundle
    }
    assert {record["schema_version"] for record in records.values()} == {SCHEMA_VERSION}
    migrated = records[stored[0].record.run_id]
    assert "occlusion" in migrated["reports"]["test"]
    assert "influence" not in migrated["reports"]["test"]
    texts = texts_of_runs(tmp_path / "site").values()
    lines = "".join(line.lstrip(" ") for line in new.read_text().splitlines())
    assert any(lines in text for text in texts)


def test_the_first_page_stays_small(tmp_path):
    """Its scripts and 2,000 records take half a megabyte: 10,000 records take less than two."""
    entries = [
        entry(name, length, seed, f1=0.5, memory=float(seed + 1), speed=1_000.0 + seed)
        for name in ("vanilla", "bert", "longformer", "reformer", "transformer_xl")
        for length in (128, 256, 512, 1_024)
        for seed in range(100)
    ]
    draw(entries, tmp_path)
    overview = next(page for page in PAGES if page.name == "index")
    first = ["index.html", "assets/style.css", "assets/theme.js", *overview.scripts]
    first.remove("assets/plotly.min.js")  # the same on every site, and cached by the browser
    assert sum((tmp_path / name).stat().st_size for name in first) <= 2**19
