"""Publication: checks, removal of private content, and files of a static site."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import stat
import zlib
from base64 import b64decode
from pathlib import Path

import pytest

from dashboards.copying import migrated, write_bundle
from suite.analysis.comparisons import compare
from suite.analysis.diagnostic_charts import make_charts
from suite.analysis.diagnostics import find_diagnostics
from suite.analysis.learning_rates import count_unranked
from suite.api import Status
from suite.api.errors import RequestError
from suite.publish.checks import check_tree
from suite.publish.reduction import reduced
from suite.records.published import (
    has_own_file,
    local_records,
    read_published,
    without_trials,
    write_archive,
)
from suite.records.schema import Failure, parse_record
from tests.builders.publishing import CLEAN, GOOD, REGISTRY, publish_here
from tests.builders.records import FINAL, FINGERPRINT, PROBE, TRIAL, make_record
from tests.conftest import STORED_RECORDS
from tests.dashboards.site_records import texts_of_runs
from tests.suite.analysis.diagnostic_records import recall


def test_a_record_is_published_once_and_without_private_content(store, tmp_path):
    store.write(make_record(**GOOD))
    assert len(publish_here(store, into=tmp_path, dry_run=True).written) == 1
    assert not (tmp_path / "abacus-r-9-2-cores").exists()
    (path,) = publish_here(store, into=tmp_path).written
    place = Path("abacus-r-9-2-cores", "miniature-1", "ner")
    assert path.parent == tmp_path / place
    assert path.name.startswith("longformer-128-seed-0.2026")
    assert "secret" not in path.read_text()
    assert parse_record(path.read_bytes()).metric("entity_f1") == 0.5
    again = publish_here(store, into=tmp_path)
    assert (again.written, again.already_published) == ([], 1)


def test_the_traceback_of_a_failure_is_not_published(store, tmp_path):
    error = Failure(type="OutOfMemory", message="too much", traceback="/home/secret/file.py")
    store.write(make_record(Status.OUT_OF_MEMORY, **{**GOOD, "metrics": {}, "error": error}))
    (path,) = publish_here(store, "my-machine", into=tmp_path).written
    assert path.is_relative_to(tmp_path / "my-machine") and "secret" not in path.read_text()


def test_the_trainings_of_a_draft_are_published_with_what_their_page_draws(bench, store, tmp_path):
    drafts = recall(
        benchmark=None, scores_test=False, evaluation_lengths=(64, 256, 1_024), environment=CLEAN
    )
    trial = {"cell": TRIAL, "metrics": {"validation": {"entity_f1": 0.5}}}
    for record in (*(one.record for one in drafts), make_record(**{**GOOD, **trial})):
        store.write(record)
    store.write(make_record(**GOOD))
    said = bench("publish", "--results", str(tmp_path / "results"))
    assert said.returncode == 0 and "14 records published" in said.stdout, said
    check_tree(tmp_path / "results")

    def charts_of(records):
        comparisons = compare(records)
        diagnostics = find_diagnostics(comparisons, REGISTRY.tasks.plugins)
        charts = make_charts(diagnostics, comparisons)
        return [(chart.measure, chart.lines) for chart in charts], [d.rows() for d in diagnostics]

    published = read_published(tmp_path / "results")
    shown = without_trials(published)
    assert len(published) == 14 and len(shown) == 13, "the trial without lengths is evidence alone"
    archived = [one for one in published if not has_own_file(one.record)]
    assert [count.task for count in count_unranked(archived)] == ["ner"]
    here = charts_of(local_records(store))
    assert charts_of(shown) == here
    charts, (rows,) = here
    assert charts and rows[0].median_steps == 300


def test_a_record_that_fails_a_check_is_refused_with_the_reason(store, tmp_path):
    store.write(make_record(**{**GOOD, "environment": {**CLEAN, "dirty": True}}))
    outcome = publish_here(store, into=tmp_path)
    ((_, reason),) = outcome.refused
    assert not outcome.written and "uncommitted changes" in reason


def test_a_published_file_can_be_read_by_a_web_server(store, tmp_path):
    store.write(make_record(**GOOD))
    before = os.umask(0o022)
    try:
        (path,) = publish_here(store, into=tmp_path).written
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_the_name_of_a_machine_must_not_be_a_path(store):
    with pytest.raises(RequestError):
        publish_here(store, "../elsewhere")


@pytest.mark.parametrize(
    ("task", "architecture"),
    [
        ("../../../..", "z"),
        ("a/../../..", "z"),
        ("ner", "../../../../z"),
        ("..", ".."),
        ("ner", "/z"),
    ],
)
def test_names_in_a_record_that_are_paths_lead_to_no_other_folder(
    store, tmp_path, task, architecture
):
    cell = dataclasses.replace(
        TRIAL, task=task, architecture=architecture, task_version=1, evaluation_lengths=(256,)
    )
    trial = {"cell": cell, "metrics": {"validation": {"entity_f1": 0.5}}}
    ranking = make_record(cell=TRIAL).ranking
    store.write(make_record(**{**GOOD, **trial, "ranking": ranking}))
    store.write(make_record(**GOOD))
    into = tmp_path / "a" / "b" / "published"
    written = publish_here(store, into=into).written
    folders = {path.relative_to(into).parts[1:-2] for path in written}
    assert folders == {("trials",), ("miniature-1",)}
    found = [path for path in tmp_path.rglob("*.json") if store.home not in path.parents]
    assert sorted(found) == sorted(written)


def test_a_record_whose_file_would_have_too_long_a_name_hides_no_other(store, tmp_path):
    cell = dataclasses.replace(TRIAL, source="synthetic:" + "x" * 300)
    ranking = make_record(cell=TRIAL).ranking
    trial = {"cell": cell, "metrics": {"validation": {"entity_f1": 0.5}}, "ranking": ranking}
    store.write(make_record(**{**GOOD, **trial}))
    store.write(make_record(**GOOD))
    outcome = publish_here(store, into=tmp_path)
    ((_, reason),) = outcome.refused
    assert len(outcome.written) == 1 and "the name of its file would have" in reason


@pytest.mark.parametrize(("free", "kept"), [(True, True), (False, False), (None, False)])
def test_examples_of_non_free_texts_are_not_published(store, tmp_path, free, kept):
    reports = {
        "validation": {"samples": [{"prompt": "a poem"}]},
        "test": {"examples": [{"input": "a poem"}], "without_part": {"entity_f1": [0.5]}},
    }
    data = {"fingerprint": FINGERPRINT, **({} if free is None else {"redistributable": free})}
    store.write(make_record(**{**GOOD, "reports": reports, "data": data}))
    (path,) = publish_here(store, into=tmp_path).written
    assert ("a poem" in path.read_text()) is kept
    assert parse_record(path.read_bytes()).reports["test"]["without_part"]


@pytest.mark.parametrize(
    ("occlusion", "passes"),
    [
        ({"inputs": [0], "outputs": [0], "map": "s5nCS+/f+/f76+u/x9=="}, True),
        ({"inputs": [0], "outputs": ["/home/secret/x"], "map": "s5nC"}, False),
        ({"inputs": [0], "outputs": [0], "map": "kept in /home/secret/x"}, False),
        ("kept in /home/secret/x", False),
    ],
)
def test_an_occlusion_map_is_not_taken_for_a_path(store, tmp_path, occlusion, passes):
    data = {"fingerprint": FINGERPRINT, "redistributable": True}
    reports = {"test": {"occlusion": occlusion}}
    store.write(make_record(**{**GOOD, "reports": reports, "data": data}))
    outcome = publish_here(store, into=tmp_path)
    assert bool(outcome.written) is passes
    assert passes or "path of a user's machine" in outcome.refused[0][1]


def test_the_folder_for_a_static_host_holds_site_leaderboard_and_records(bench, tmp_path):
    results, folder = tmp_path / "results", tmp_path / "public"
    published = results / "published"
    (published / "here" / "miniature-1" / "ner").mkdir(parents=True)
    for path in STORED_RECORDS.glob("schema-3-train.json"):
        shutil.copy(path, published / "here" / "miniature-1" / "ner")
    line = reduced(make_record(cell=PROBE))
    write_archive(published / "here" / "timing" / "x.jsonl.gz", {"run": line})
    linked = {"CHANGES.md", "lessons-from-core.md"}
    for name in linked:
        (results / name).touch()
    said = bench("publish", "--to", str(folder), "--results", str(results))
    assert said.returncode == 0, said.stderr
    there = {path.name for path in folder.iterdir()}
    assert {"index.html", "run.html", "LEADERBOARD.md", "records", ".nojekyll", *linked} <= there
    copied = folder / "records" / "published"
    committed = {path.relative_to(published) for path in published.rglob("*.*")}
    assert len(committed) == 2
    assert {path.relative_to(copied) for path in copied.rglob("*.*")} == committed
    assert json.loads(line)["run_id"] in "".join(texts_of_runs(folder).values())
    assert (folder / "index.html").stat().st_mode & 0o004  # a web server may read it
    (folder / "records" / "withdrawn.json").touch()
    (folder / "CNAME").write_text("example.org")
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.html").touch()
    said = bench("publish", "--to", str(folder), "--docs", str(docs), "--results", str(results))
    assert said.returncode == 0, said.stderr
    assert (folder / "docs" / "index.html").exists()
    assert '<a href="docs/index.html">Documentation</a>' in (folder / "index.html").read_text()
    assert not (folder / "records" / "withdrawn.json").exists()
    assert (folder / "CNAME").exists() and (folder / "index.html").exists()


def test_the_folder_for_a_static_host_replaces_no_other_files(bench, tmp_path):
    folder, results = tmp_path / "site", str(tmp_path / "none")
    folder.mkdir()
    (folder / "thesis.tex").write_text("three years of work")
    (folder / ".nojekyll").touch()  # as in each folder of GitHub Pages
    said = bench("publish", "--to", str(folder), "--results", results)
    assert said.returncode == 2
    assert "did not write thesis.tex" in said.stderr
    assert {path.name for path in folder.iterdir()} == {"thesis.tex", ".nojekyll"}
    assert {path.name for path in tmp_path.iterdir()} <= {"site", "home"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--dry-run",), "--machine and --dry-run do not apply"),
        (("--machine", "here"), "--machine and --dry-run do not apply"),
        (("--docs", "."), "which has no index.html"),
        (("--docs", "public/docs"), "whose contents are replaced"),
    ],
)
def test_options_that_do_not_fit_a_public_folder_change_nothing(
    bench, tmp_path, monkeypatch, options, message
):
    monkeypatch.chdir(tmp_path)
    said = bench("publish", "--to", "public", "--results", "none")
    assert said.returncode == 0, said.stderr
    (tmp_path / "public" / "docs").mkdir()
    (tmp_path / "public" / "docs" / "index.html").touch()
    before = sorted(map(str, (tmp_path / "public").rglob("*")))
    said = bench("publish", "--to", "public", "--results", "none", *options)
    assert said.returncode == 2 and message in said.stderr
    assert sorted(map(str, (tmp_path / "public").rglob("*"))) == before


@pytest.mark.parametrize("inside", ["results/published", "results/published/new", "docs/new"])
def test_a_public_folder_lies_in_none_that_is_copied_into_it(bench, tmp_path, monkeypatch, inside):
    monkeypatch.chdir(tmp_path)
    for folder in ("results/published", "docs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "docs" / "index.html").touch()
    before = sorted(tmp_path.rglob("*"))
    said = bench("publish", "--to", inside, "--docs", "docs", "--results", "results")
    assert said.returncode == 2 and "outside of those that are copied" in said.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_a_disk_that_is_full_while_a_folder_is_copied_is_one_line(bench, tmp_path, monkeypatch):
    def fill(source, *_, **__):
        raise shutil.Error([(source, "x", f"[Errno 28] {os.strerror(28)}: 'x'")])

    (tmp_path / "results" / "published").mkdir(parents=True)
    monkeypatch.setattr(shutil, "copytree", fill)
    folder = tmp_path / "public"
    said = bench("publish", "--to", str(folder), "--results", str(tmp_path / "results"))
    assert (said.returncode, len(said.stderr.splitlines())) == (2, 1)
    assert "The disk is full. Received: No space left" in said.stderr and not folder.exists()


def test_a_number_that_a_browser_refuses_hides_no_run(store, tmp_path):
    (good, odd) = (store.write(make_record(Status.OK, minutes)) for minutes in (0, 1))
    content = {**json.loads(odd.read_text()), "metrics": {"test": {"entity_f1": math.nan}}}
    odd.write_text(json.dumps(content))
    write_bundle(tmp_path / "x.js", [migrated(path.read_bytes(), 5, dict) for path in (good, odd)])
    text = zlib.decompress(b64decode((tmp_path / "x.js").read_text().split('"')[1])).decode()
    first, second = json.loads(text, parse_constant=pytest.fail)
    assert first == json.loads(good.read_text())
    assert second["metrics"] == {"test": {"entity_f1": None}}


def test_machines_with_long_names_are_published_apart(store, tmp_path):
    processor = "Abacus (R) 9 with a name that is longer than sixty-four characters by far"
    for number, cores in enumerate((16, 96)):
        environment = {**CLEAN, "processor": processor, "num_cores": cores}
        cell = dataclasses.replace(FINAL, seed=number)
        store.write(make_record(**{**GOOD, "cell": cell, "environment": environment}))
    folders = [
        path.relative_to(tmp_path).parts[0] for path in publish_here(store, into=tmp_path).written
    ]
    assert len(set(folders)) == 2
    assert publish_here(store, folders[0], into=tmp_path / "named").written, (
        "--machine takes the name"
    )
