"""One set of records shows the same figures in every table, page, file and MLflow run."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import statistics

import pytest
from mlflow.tracking import MlflowClient

import suite
from suite.actions.sites import draw_site
from suite.analysis.comparisons import compare
from suite.analysis.tables import make_tables
from suite.api import Status
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.published import StoredRecord, local_record
from suite.records.store import Store
from suite.report.archive import to_csv
from suite.search.crossover import score_crossover
from suite.tracking.sync import sync
from tests.builders.boards import UNREAD
from tests.builders.records import make_record, measured
from tests.suite.analysis.final_runs import make_boards

REGISTRY = load_registry(())
REQUEST = Request(
    tasks=("ner",),
    architectures=("vanilla", "bert"),
    lengths=(128, 256),
    seeds=(0, 1, 2),
    score_test=True,
)
SPEED = "training.tokens_per_second"
NOISY_SEED = 2
"""The training of this seed is noisy: its score counts and its speed does not."""


def speed_of(cell) -> float:
    return 1e5 / cell.sequence_length * (1 + cell.seed) * (2 if cell.architecture == "bert" else 1)


def score_of(cell) -> float:
    return 0.5 + 0.01 * cell.seed + (0.1 if cell.architecture == "bert" else 0.0)


def record_of(planned, minutes: int, score: float, speed: float):
    cell = planned.cell
    noisy = ("training",) if cell.seed == NOISY_SEED else ()
    return make_record(
        Status.OK,
        minutes,
        cell,
        ranking=planned.ranking,
        metrics={"test": {"entity_f1": score}},
        reports={"test": {"without_part": {"entity_f1": (score - 0.01, score + 0.01)}}},
        measurements={"training": {"tokens_per_second": measured(speed)}},
        details={"noisy": noisy},
        data={"fingerprint": "f"},
        environment={"processor": "abacus", "num_cores": 2},
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Store:
    """A home with three seeds of each cell, and an earlier run of each that is superseded."""
    store = Store(tmp_path_factory.mktemp("one") / "home")
    store.prepare()
    for planned in expand(REQUEST, REGISTRY):
        cell = planned.cell
        store.write(record_of(planned, 0, 0.01, 1.0))
        store.write(record_of(planned, 60, score_of(cell), speed_of(cell)))
    return store


@pytest.fixture(scope="module")
def records(home):
    return [local_record(record, home.path_of(record)) for record in home.summaries()]


@pytest.fixture(scope="module")
def expected() -> dict[tuple[str, int], tuple[float, float]]:
    """The score and the speed of each entry and length, computed by hand."""
    cells = [planned.cell for planned in expand(REQUEST, REGISTRY)]
    found = {}
    for entry in ("vanilla", "bert"):
        for length in (128, 256):
            repeats = [
                cell
                for cell in cells
                if (cell.architecture, cell.sequence_length) == (entry, length)
            ]
            quiet = [speed_of(cell) for cell in repeats if cell.seed != NOISY_SEED]
            score = statistics.fmean(map(score_of, repeats))
            found[entry, length] = (score, statistics.geometric_mean(quiet))
    return found


def close(found, expected):
    assert set(found) == set(expected)
    for place, figures in found.items():
        assert figures == pytest.approx(expected[place], rel=1e-4), place


def test_points(records, expected):
    (comparison,) = compare(records, REGISTRY.task_versions)
    close(
        {
            (point.name, point.sequence_length): (point.score.value, point.cost(SPEED).value)
            for point in comparison.entries
        },
        expected,
    )


def test_tables(records, expected):
    (table,) = make_tables(records, REGISTRY.task_versions)
    close(
        {
            (row.entry, row.cell.sequence_length): (
                row.figures["test.entity_f1"].value,
                row.figures[SPEED].value,
            )
            for row in table.rows
        },
        expected,
    )


def test_the_report_of_the_command_line(home, bench, expected):
    output = bench("report", "--json", "--home", str(home.home)).stdout
    (table,) = json.loads(output)
    close(
        {
            (row["entry"], row["cell"]["sequence_length"]): (
                row["figures"]["test.entity_f1"]["value"],
                row["figures"][SPEED]["value"],
            )
            for row in table["rows"]
        },
        expected,
    )


def test_boards_and_leaderboard_files(records, expected):
    boards = make_boards(records, REGISTRY.task_versions)
    close(
        {
            (row.entry, board.sequence_length): (row.estimate.value, row.cost(SPEED).value)
            for board in boards
            for row in board.rows
            if not row.superseded_by
        },
        expected,
    )
    rows = csv.DictReader(io.StringIO(to_csv(boards)))
    close(
        {
            (row["entry"], int(row["sequence_length"])): (
                float(row["value"]),
                float(row["training_tokens_per_second"]),
            )
            for row in rows
            if not row["superseded_by"]
        },
        expected,
    )


def test_ranks_and_detectable_differences(records):
    """Boards, CSV and the Python API tell the same rank and detectable difference."""
    records = [dataclasses.replace(stored, record=ranked_run(stored.record)) for stored in records]
    boards = make_boards(records, REGISTRY.task_versions)
    ranked = {
        (row.entry, board.sequence_length): (row.rank, row.detectable_difference)
        for board in boards
        for row in board.rows
        if not row.superseded_by
    }
    assert ranked["bert", 128] == (1, None) and ranked["vanilla", 128] == (2, None)
    close_by = [
        dataclasses.replace(stored, record=lowered(stored.record))
        if stored.record.cell.architecture == "bert"
        else stored
        for stored in records
    ]
    boards = make_boards(close_by, REGISTRY.task_versions)
    ties = {
        (row.entry, board.sequence_length): (row.rank, row.detectable_difference)
        for board in boards
        for row in board.rows
        if not row.superseded_by
    }
    assert ties["bert", 128] == (1, None)
    assert ties["vanilla", 128][0] == 1 and 0.01 < ties["vanilla", 128][1] < 0.1
    frame = suite.compare(stored.record for stored in close_by).to_frame()
    told = {
        (row["entry"], row["sequence_length"]): (row["rank"], row["detectable_difference"])
        for row in frame.astype(object).where(frame.notna(), None).to_dict("records")
    }
    assert told == ties
    told = {
        (row["entry"], int(row["sequence_length"])): (
            int(row["rank"]),
            float(row["detectable_difference"]) if row["detectable_difference"] else None,
        )
        for row in csv.DictReader(io.StringIO(to_csv(boards)))
        if not row["superseded_by"]
    }
    assert told == ties


def ranked_run(record):
    """Return a record as a final run of a ranked benchmark."""
    ranking = record.ranking.model_copy(update={"ranked": True})
    cell = dataclasses.replace(record.cell, benchmark="small-1")
    return record.model_copy(update={"ranking": ranking, "cell": cell})


def lowered(record):
    """Return a record whose score is lower by 0.09 or 0.11, so that the lead varies over seeds."""
    score = record.metrics["test"]["entity_f1"] - (0.11 if record.cell.seed == 1 else 0.09)
    return record.model_copy(update={"metrics": {"test": {"entity_f1": score}}})


def test_no_interval_below_three_seeds(records, tmp_path):
    """Tables, boards, CSV and the site show two seeds without an interval."""
    two = [stored for stored in records if stored.record.cell.seed < 2]
    (table,) = make_tables(two, REGISTRY.task_versions)
    figures = [figure for row in table.rows for figure in row.figures.values() if figure]
    assert figures and all(figure.low is None is figure.high for figure in figures)
    frame = suite.compare(stored.record for stored in two).to_frame()
    assert frame[["low", "high", "rank", "detectable_difference"]].isna().all(axis=None)
    boards = make_boards(two, REGISTRY.task_versions)
    rows = list(csv.DictReader(io.StringIO(to_csv(boards))))
    assert rows and {(row["low"], row["high"], row["rank"]) for row in rows} == {("", "", "")}
    draw_site(two, REGISTRY, tmp_path)
    text = (tmp_path / "data" / "index.js").read_text()
    columns = json.loads(text[text.index("=") + 1 :].rstrip(";\n"))["points"]
    assert columns["value"] and set(columns["low"]) == set(columns["high"]) == {None}


def test_the_site(records, tmp_path, expected):
    draw_site(records, REGISTRY, tmp_path)
    text = (tmp_path / "data" / "index.js").read_text()
    index = json.loads(text[text.index("=") + 1 :].rstrip(";\n"))
    keys = [measure["key"] for measure in index["measures"]]
    names = [entry["name"] for entry in index["entries"]]
    columns = index["points"]
    found: dict[tuple[str, int], dict[str, float]] = {}
    for entry, length, measure, value in zip(
        columns["entry"],
        columns["length"],
        columns["measure"],
        columns["value"],
        strict=True,
    ):
        name = "quality" if measure < 0 else keys[measure]
        found.setdefault((names[entry], length), {})[name] = value
    close(
        {place: (figures["quality"], figures[SPEED]) for place, figures in found.items()}, expected
    )


def test_mlflow(home, monkeypatch, expected):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    sync(home)
    client = MlflowClient(tracking_uri=home.tracking_uri)
    experiment = client.get_experiment_by_name("ner")
    runs = client.search_runs([experiment.experiment_id], "tags.`lengthwise.kind` = 'lengths'")
    found = {}
    for run in runs:
        scores, speeds = (
            {point.step: point.value for point in client.get_metric_history(run.info.run_id, name)}
            for name in ("test.entity_f1 by sequence length", f"{SPEED} by sequence length")
        )
        entry = run.data.params["architecture"]
        found |= {(entry, length): (scores[length], speeds[length]) for length in scores}
    close(found, expected)


def test_crossover(records, expected):
    found = score_crossover(REQUEST, records)
    assert found.differences.keys() == {128, 256}
    for length, gap in found.differences.items():
        ahead = expected["bert", length][0] - expected["vanilla", length][0]
        assert gap.value == pytest.approx(ahead)


def test_crossover_selects_the_records_that_boards_select():
    """An older run on another machine, or on other data, changes neither."""
    planned = expand(REQUEST, REGISTRY)

    def stored(one, minutes, score, machine="a", **fields):
        record = record_of(one, minutes, score, 1.0).model_copy(update=fields)
        return StoredRecord(record, machine, UNREAD)

    found = [stored(one, 60, score_of(one.cell)) for one in planned]
    found += [stored(one, 0, 0.9, machine="b") for one in planned]
    found += [stored(one, 90, 0.1, data={"fingerprint": "g"}) for one in planned[:1]]
    boards = make_boards(found, REGISTRY.task_versions)
    ranked = {
        (row.entry, board.sequence_length): row.estimate.value
        for board in boards
        for row in board.rows
        if board.key.fingerprint == "f" and not row.superseded_by
    }
    gaps = score_crossover(REQUEST, found).differences
    assert set(gaps) == {128, 256}
    for length, gap in gaps.items():
        assert gap.value == pytest.approx(ranked["bert", length] - ranked["vanilla", length])


def test_noise_marks_costs_and_keeps_scores(records):
    noisy = [stored for stored in records if stored.record.cell.seed == NOISY_SEED]
    (table,) = make_tables(noisy, REGISTRY.task_versions)
    assert all(row.figures[SPEED].is_disturbed for row in table.rows)
    assert all(row.figures["test.entity_f1"].n == 1 for row in table.rows)
