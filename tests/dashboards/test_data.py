"""The data and the files of the site: points, findings, entries, bundles of records."""

from __future__ import annotations

import dataclasses
import json
import os
from types import SimpleNamespace

import click
import pytest

from dashboards.data import SECTIONS
from dashboards.pages import PAGES, Host, render_page
from suite.actions.request import make_request
from suite.actions.sites import draw_site
from suite.analysis.comparison_key import ComparisonKind
from suite.analysis.comparisons import MAIN_BENCHMARK, compare, in_precedence
from suite.analysis.tradeoffs import comparable_shares
from suite.api import AppliedMethod, Metric, Mode
from suite.cli.command import request_options
from suite.matrix.expansion import expand
from suite.records.migrations import SCHEMA_VERSION
from suite.records.schema import parse_summary
from tests.dashboards.site_records import (
    ENTRIES,
    FROZEN,
    REGISTRY,
    SCRIPT,
    VERSIONS,
    draw,
    entry,
    probe,
    read_script,
    runs_of,
    texts_of_runs,
)
from tests.suite.analysis.final_runs import make_boards


@pytest.mark.parametrize("section", SECTIONS)
def test_the_command_of_a_section_runs_cells_of_the_benchmark(section):
    bench, run, *arguments = SECTIONS[section][1].split()
    assert (bench, run) == ("bench", "run")
    command = click.command()(request_options(lambda home=None, **given: make_request(given)))
    cells = expand(command.main(arguments, standalone_mode=False), REGISTRY)
    assert cells and all(cell.of_benchmark for cell in cells)


def final(benchmark, number):
    """Return a comparison of a number of final runs of a benchmark."""
    (one, *_) = (each for each in compare(ENTRIES) if each.records)
    key = dataclasses.replace(one.key, mode=Mode.TRAIN, benchmark=benchmark, ranked=True)
    records = tuple(one.records)[:1] * number
    return SimpleNamespace(key=dataclasses.replace(key, split="test"), records=records)


def test_the_newest_version_of_a_benchmark_comes_before_a_former_one_with_more_runs():
    former, newest, other = final("small-9", 5), final("small-10", 1), final("other-1", 3)
    assert in_precedence([former, newest, other]) == [other, newest, former]


def test_the_main_benchmark_comes_before_another_with_more_runs():
    main, other = final(f"{MAIN_BENCHMARK}-1", 1), final("small-1", 5)
    assert in_precedence([other, main]) == [main, other]


def rows(columns):
    """Return the rows of a table that a script has in columns."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_crossings_and_pairs(folder):
    findings = read_script(folder / "data" / "findings.js")
    crossing = next(r for r in rows(findings["crossings"]) if r["measure"].endswith("per_second"))
    assert (crossing["behind"], crossing["ahead"]) == ("vanilla", "longformer")
    (change,) = crossing["changes"]
    assert 512 < change["value"] < 1_024 and change["low"] <= change["value"] <= change["high"]
    index = read_script(folder / "data" / "index.js")
    probes = [about["mode"] for about in index["comparisons"]].index("probe")
    speed = [measure["key"] for measure in index["measures"]].index("training.tokens_per_second")
    place = ("comparison", "measure", "length", "batch", "first", "second")
    gaps = {tuple(row[name] for name in place): row for row in rows(findings["pairs"])}
    gap = gaps[probes, speed, 2_048, 2, "longformer", "vanilla"]
    assert (gap["value"], gap["n"], gap["better"]) == (3, 3, "longformer")
    assert gap["low"] == pytest.approx(3) and gap["high"] == pytest.approx(3)
    trained = next(number for number, about in enumerate(index["comparisons"]) if about["metric"])
    assert (trained, -1, 128, 16, SCRIPT, "vanilla") not in gaps, "one seed has no interval"
    # At 128, SCRIPT is better in speed and equal in score; at 512, vanilla alone has a score.
    found = {(one["comparison"], one["measure"]): one for one in rows(index["tradeoffs"])}
    names = [index["entries"][entry]["name"] for entry in found[trained, speed]["front"]]
    assert names == [SCRIPT]
    assert found[trained, speed]["source"] == trained and found[trained, speed]["length"] == 128


def test_backends_are_compared_with_the_baseline_cell_by_cell(tmp_path):
    """The baseline is the first backend and precision."""
    engines = ({"backend": "jax"}, {}, {"precision": "mixed_bfloat16"})
    entries = [
        probe("vanilla", 512, number, 100.0 * (place + 1), **engine)
        for number in range(3)
        for place, engine in enumerate(engines)
    ]
    draw(entries, tmp_path)
    comparisons = read_script(tmp_path / "data" / "index.js")["comparisons"]
    about = [(one["backend"], one["precision"]) for one in comparisons]
    backends = read_script(tmp_path / "data" / "findings.js")["backends"]
    assert {about[number] for number in backends["baseline"]} == {("tensorflow", "float32")}
    found = {
        about[row["comparison"]]: (row["value"], row["rounds"])
        for row in rows(backends)
        if row["measure"] == "training.tokens_per_second"
    }
    assert found == {("jax", "float32"): (0.5, 3), ("tensorflow", "mixed_bfloat16"): (1.5, 3)}


@pytest.mark.parametrize("higher", [True, False])
def test_shares_of_the_best_score(higher):
    made = [entry("vanilla", 128, f1=0.4, memory=1, speed=1)]
    made.append(entry("bert", 128, f1=0.5, memory=1, speed=1))
    (board,) = make_boards(made, VERSIONS)
    key = dataclasses.replace(board.key, benchmark="core-1", ranked=True)
    metric = Metric("score", higher_is_better=higher)
    shares = comparable_shares([dataclasses.replace(board, key=key, metric=metric)])
    assert shares["bert" if higher else "vanilla"] == [1.0]
    assert shares["vanilla" if higher else "bert"] == pytest.approx([0.8])


def test_models_come_before_methods_and_many_before_few(tmp_path):
    methods = (AppliedMethod("int8", 1),)
    opened = [probe("vanilla", n, r, 1.0, methods=methods) for n in (128, 512) for r in range(3)]
    few = [probe("vanilla", 128, round_, 1.0) for round_ in range(9)]
    few = [dataclasses.replace(one, machine="abacus") for one in few]
    many = [probe(name, 128, 0, 1.0) for name in ("vanilla", "longformer")]
    draw([*opened, *few, *many], tmp_path)
    index = read_script(tmp_path / "data" / "index.js")
    found = [(about["track"], about["machine"]) for about in index["comparisons"]]
    assert found == [("standard", "here"), ("standard", "abacus"), ("open", "here")]


def test_the_profile_compares_entries_of_the_same_boards():
    def board(entries, place):
        key = SimpleNamespace(
            kind=ComparisonKind.FINAL, unranked_reason=None, mode=Mode.TRAIN, place=place
        )
        rows = [
            SimpleNamespace(entry=name, estimate=SimpleNamespace(value=0.5)) for name in entries
        ]
        return SimpleNamespace(key=key, valid=rows, metric=Metric("score"))

    encoders = [board(("bert", "longformer", "vanilla"), place) for place in range(2)]
    decoders = [board(("gpt", "llama"), place) for place in range(2)]
    assert set(comparable_shares([*encoders, *decoders])) == {"bert", "longformer", "vanilla"}
    both = [board(("gpt", "vanilla"), 0)]
    assert set(comparable_shares([*encoders, *both])) == {"vanilla"}


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
