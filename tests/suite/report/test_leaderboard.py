"""The files of the leaderboard, and the check that they are up to date."""

from __future__ import annotations

import re
from functools import partial

import pytest

from suite.publish.publishing import add_records, strip
from suite.publish.reduction import reduced
from suite.records.published import committed_path, read_published
from suite.records.schema import RecordError
from suite.report.archive import to_csv
from tests.builders.boards import VERSIONS, seeds
from tests.builders.records import with_fields
from tests.suite.analysis.final_runs import SMALL, TRIVIAL, benchmark_folder, make_boards
from tests.suite.report.pages import (
    ENTRIES,
    archive_of,
    files_of,
    page_of,
    renamed,
    rows_of,
    runs,
    section,
)

EXPECTED = """
[[expected]]
task = "ner"
architecture = "vanilla"
length = 128
metric = "entity_f1"
value = 0.81
tolerance = 0.02
source = "Someone et al. 2020, table 1"
"""


def test_the_page_has_winners_a_table_for_each_task_and_sizes(tmp_path):
    folder = benchmark_folder(tmp_path, SMALL + TRIVIAL + EXPECTED)
    page = page_of(folder, runs(folder))
    head, *winners = rows_of(section(page, "Winner by length"))
    assert head[:3] == ["task", "length", "winner"] and len(winners) == 5  # with a line of dashes
    ner = winners[1]
    assert ner[:2] == ["Named entity recognition: entity f1 ↑", "128"]
    assert ner[2] == "no significant winner; best mean: vanilla"
    assert ner[4:6] == ["longformer", "0.0010"] and ner[7].startswith("longformer (0.")
    sizes = {row[0]: row for row in rows_of(section(page, "Encoders"))}
    assert sizes["vanilla"][1] == "0.80 M"
    assert "*identity*" in sizes  # a control
    for form in ("Encoders", "Decoders"):
        assert "**Not run: convolution, lstm.**" in section(page, form)
    task = {row[0]: row for row in rows_of(section(page, "Named entity recognition"))}
    assert task["bert"][1].startswith("3: 0.700 [") and "*identity*" in task
    assert len(task["bert"]) == 4 and "Notes:" not in page
    assert "All winners: untuned." in page
    assert "All rows: untuned." in section(page, "Named entity recognition")
    assert f"128 (trivial 0.000, detectable {ner[6]})" in task["entry"]
    assert re.search(
        r"vanilla at 128, entity f1: published 0\.810 ± 0\.020 \(Someone et al\. 2020, table 1\), "
        r"measured 0\.800 \[0\.\d+, 0\.\d+\]: agrees\.",
        section(page, "Published figures"),
    )
    assert "first version" in section(page, "Changes since the version before")


def test_the_page_says_what_is_missing(tmp_path):
    folder = benchmark_folder(tmp_path)
    steps = "Steps: Named entity recognition 10, Sentiment 10, Language modelling 10."
    complete = page_of(folder, runs(folder))
    assert steps in complete and "No final runs" not in complete
    names = page_of(folder, runs(folder, tasks=("ner",)))
    missing = "No final runs are ranked yet: Sentiment 128, Language modelling 64."
    assert steps in names and missing in names


def test_without_results_the_page_counts_what_exists(tmp_path):
    folder = benchmark_folder(tmp_path, SMALL.replace("version = 1", "version = 1\nranked = false"))
    files = files_of(folder, [])
    assert list(files) == ["LEADERBOARD.md"]
    assert "no final runs of a ranked benchmark yet" in files["LEADERBOARD.md"]
    assert "trials" not in files["LEADERBOARD.md"]
    trials = runs(folder, {"vanilla": 0.8}, tasks=("ner",), options={"dropout": "0"})
    page = page_of(folder, [*trials, *runs(folder, tasks=("ner",))])
    assert "\n- `small-1`: `ner` 24 runs of 4 architectures at lengths 128, 512\n" in page
    assert ": `ner` 6 trials of 1 architecture at lengths 128, 512\n" in page
    assert "0.8" not in page and "vanilla" not in page


def test_a_further_benchmark_has_a_page_of_its_own(tmp_path):
    folder = benchmark_folder(tmp_path)
    benchmark_folder(folder, SMALL.replace('"small"', '"other"'), name="other")
    files = files_of(folder, runs(folder) + runs(folder, name="other"))
    assert "`other` version 1" in files["LEADERBOARD.md"]
    assert "(leaderboard/small.md)" in files["LEADERBOARD.md"]
    assert "`small` version 1" in files["leaderboard/small.md"]
    assert "(../CHANGES.md)" in files["leaderboard/small.md"]
    assert "(archive.csv)" in files["leaderboard/small.md"]


def test_the_open_track_lists_the_options_of_each_row_and_ranks_final_runs_alone(tmp_path):
    options = "\noptions = { tag_chain = true }"
    content = SMALL.replace("positions_per_step = 512\n", f"positions_per_step = 512{options}\n", 1)
    folder = benchmark_folder(tmp_path, content)
    trials = runs(folder, tasks=("ner",), options={"columns": "true"}, score_test=True)
    sealed = runs(folder, tasks=("ner",), options={"neighbour_convolution": "true"})
    page = files_of(folder, [*runs(folder), *trials, *sealed])["leaderboard/open.md"]
    _, _, *rows = rows_of(section(page, "ner"))
    ranks = {(row[2], row[3], row[4]) for row in rows}
    assert ("tag_chain=True", "1", "vanilla") in ranks
    assert ("columns=True tag_chain=True", "—", "vanilla") in ranks
    assert "neighbour_convolution" not in page and "sentiment" not in page


def test_an_open_track_without_rows_has_no_page_and_no_link(tmp_path):
    folder = benchmark_folder(tmp_path)
    files = files_of(folder, runs(folder))
    assert "leaderboard/open.md" not in files and "leaderboard/archive.csv" in files
    page = files["LEADERBOARD.md"]
    assert "open track" not in page and "[all rows but trials](leaderboard/archive.csv)" in page


def test_the_archive_has_superseded_rows_and_names_are_escaped_on_the_page(tmp_path):
    folder = benchmark_folder(tmp_path)
    former = [with_fields(one, protocol=1) for one in runs(folder, {"vanilla": 0.1})]
    names = ("<script>|[x](y)", "=HYPERLINK(1)")
    nasty = [renamed(one, name) for one in runs(folder, {"vanilla": 0.3}) for name in names]
    files = files_of(folder, [*former, *nasty, *runs(folder)])
    rows = archive_of(files)
    assert {row["entry"] for row in rows} == {*ENTRIES, names[0], f"'{names[1]}"}
    gone = [row for row in rows if row["superseded_by"]]
    assert len(gone) == 4 and all(float(row["value"]) < 0.2 and not row["rank"] for row in gone)
    page = files["LEADERBOARD.md"]
    assert "<script>" not in page and "&lt;script&gt;&#124;&#91;x&#93;(y)" in page
    assert "now in the archive: vanilla 4." in page


def test_runs_with_test_and_of_an_unranked_benchmark_have_no_rank(tmp_path):
    folder = benchmark_folder(tmp_path)
    content = SMALL.replace("version = 1", "version = 1\nranked = false")
    benchmark_folder(folder, content.replace('"small"', '"look"'), name="look")
    marked = runs(folder, steps=9, score_test=True)
    files = files_of(folder, [*runs(folder), *runs(folder, name="look"), *marked])
    told = {
        (row["benchmark"], row["split"], bool(row["rank"]), row["note"])
        for row in archive_of(files)
    }
    assert told == {
        ("small-1", "test", True, "untuned"),
        ("look-1", "test", False, "the benchmark look-1 is not ranked; untuned"),
        ("", "test", False, "only final runs of a ranked benchmark are ranked; untuned"),
    }


def test_the_archive_has_no_trials():
    trial = seeds("vanilla", [0.1, 0.2, 0.3], scores_test=False)
    assert to_csv(make_boards(trial, VERSIONS)).count("\n") == 1


@pytest.fixture
def committed(tmp_path):
    """A folder of results, and the folder of the benchmark whose final runs it holds."""
    folder = benchmark_folder(tmp_path / "plug-ins")
    published = tmp_path / "results" / "published" / "here"
    for found in runs(folder):
        record = strip(found.record)
        add_records(published / committed_path(record), {record.run_id: reduced(record)})
    return tmp_path / "results", folder


@pytest.fixture
def run(committed, bench):
    """Return `bench leaderboard` on the committed results, as a function of its arguments."""
    results, folder = committed
    return partial(bench, "leaderboard", "--results", str(results), BENCH_PATH=str(folder))


def test_check_finds_a_stale_edited_or_left_over_file(committed, run):
    results, _ = committed
    assert run("--check").returncode == 2
    assert run().returncode == 0
    assert run("--check").returncode == 0
    path = results / "LEADERBOARD.md"
    assert "best mean: vanilla" in path.read_text()
    path.write_text(path.read_text().replace("0.800", "0.999"))
    said = run("--check")
    assert said.returncode == 2 and "LEADERBOARD.md, which is stale or was edited" in said.stderr
    assert run().returncode == 0
    left_over = results / "leaderboard" / "costs-gone.md"
    left_over.write_text("# Costs")
    said = run("--check")
    assert said.returncode == 2 and "leaderboard/costs-gone.md" in said.stderr
    assert run().returncode == 0 and not left_over.exists()
    assert run("--check").returncode == 0


def test_the_figures_of_guides_are_inserted_and_checked(committed, run):
    results, _ = committed
    mark = """<!-- value where="entry == 'bert'" value="test.entity_f1@128" format=".2f" -->"""
    guide, other = (results.parent / "docs" / name for name in ("guide.md", "other.md"))
    guide.parent.mkdir()
    guide.write_text(f"It is {mark}0.11<!-- end -->.")
    other.write_text("No figure. <!-- a comment -->")
    said = run()
    assert "docs/guide.md: written" in said.stdout and "other.md" not in said.stdout
    assert guide.read_text() == f"It is {mark}0.70<!-- end -->."
    assert run("--check").returncode == 0
    guide.write_text(f"It is {mark}0.71<!-- end -->.")
    said = run("--check")
    assert said.returncode == 2 and "docs/guide.md, which is stale or was edited" in said.stderr
    other.write_text('<!-- value value="test.entity_f1 -->0.71<!-- end -->')
    said = run()
    assert said.returncode == 2 and "docs/other.md: The fields of a mark" in said.stderr


def test_an_unreadable_published_file_is_named(committed):
    results, _ = committed
    (results / "published" / "here" / "x.json").write_text("{}")
    with pytest.raises(RecordError, match=r"published/here/x\.json"):
        read_published(results)
