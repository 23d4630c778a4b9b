"""The files of the leaderboard, and the check that they are up to date."""

from __future__ import annotations

import csv
import io
import json

import pytest

from suite.analysis.boards import make_boards
from suite.publish.leaderboard_files import to_csv, to_json, to_markdown
from suite.publish.publishing import add_records, strip
from suite.publish.reduction import reduced
from suite.records.published import place_of, read_published
from suite.records.schema import RecordError
from tests.suite.analysis.test_boards import VERSIONS, seeds
from tests.suite.records.test_store import CELL


def test_files_agree_and_names_are_escaped():
    boards = make_boards(
        [*seeds("<script>|x", [0.1, 0.2, 0.3]), *seeds("bert", [0.8, 0.81, 0.82])], VERSIONS
    )
    text = to_markdown(boards)
    assert "<script>" not in text and "&lt;script&gt;&#124;x" in text
    rows = list(csv.DictReader(io.StringIO(to_csv(boards))))
    assert [row["line"] for row in rows] == ["bert", "<script>|x"]
    assert float(rows[0]["value"]) == pytest.approx(0.81)
    loaded = json.loads(to_json(boards))
    assert loaded[0]["rows"][0]["estimate"]["value"] == pytest.approx(0.81)


def test_markdown_begins_with_leaders_and_ends_with_superseded_rows():
    clear = seeds("vanilla", [0.800, 0.801, 0.802]) + seeds("bert", [0.70, 0.701, 0.702])
    longer = {"sequence_length": 2 * CELL.sequence_length, "batch_size": CELL.batch_size // 2}
    tied = seeds("bert", [0.8, 0.9, 0.7], **longer) + seeds("vanilla", [0.7, 0.8, 0.9], **longer)
    former = seeds("vanilla", [0.1, 0.2, 0.3], protocol=1)
    text = to_markdown(make_boards([*clear, *tied, *former], VERSIONS))
    summary, *boards = text.split("\n### ")
    assert "| 128: vanilla; 256: bert or 1 more |" in summary
    standing, superseded = boards[0].split("<details>")
    assert "| 0.801 [" in standing and "| 0.2 [" not in standing
    assert superseded.count("superseded by protocol") == 1 and "| 0.2 [" in superseded
    assert "Who is best" not in to_markdown(make_boards(clear[:1], VERSIONS))


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results" / "published" / "here"
    for found in seeds("vanilla", [0.5, 0.6], benchmark="core-1", scores_test=True):
        record = strip(found.record)
        add_records(folder / place_of(record), {record.run_id: reduced(record)})
    return tmp_path / "results"


def test_check_finds_a_stale_or_edited_file(results, bench):
    assert bench("leaderboard", "--results", str(results), "--check").returncode == 2
    assert bench("leaderboard", "--results", str(results)).returncode == 0
    assert bench("leaderboard", "--results", str(results), "--check").returncode == 0
    path = results / "LEADERBOARD.md"
    path.write_text(path.read_text().replace("0.55", "0.99"))
    said = bench("leaderboard", "--results", str(results), "--check")
    assert said.returncode == 2 and "LEADERBOARD.md, which is stale or was edited" in said.stderr


def test_an_unreadable_published_file_is_named(results):
    (results / "published" / "here" / "x.json").write_text("{}")
    with pytest.raises(RecordError, match=r"published/here/x\.json"):
        read_published(results)
