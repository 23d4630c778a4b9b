"""Costs on the leaderboard: their session, their code, and how they vary between sessions."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta

import pytest

from suite.records.published import StoredRecord
from suite.records.schema import Invocation, Measurement
from tests.builders.records import MOMENT, PROBE, make_record
from tests.suite.analysis.diagnostic_records import decodings
from tests.suite.analysis.final_runs import UNREAD, benchmark_folder
from tests.suite.report.pages import archive_of, files_of, page_of, rows_of, runs, section


def probe(entry, seconds, number, *, length=512, noisy=(), session=1, machine="abacus"):
    cell = dataclasses.replace(
        PROBE, architecture=entry, sequence_length=length, batch_size=1, round=number
    )
    measured = {
        "tokens_per_second": Measurement(value=length / seconds, n=3),
        "peak_memory_bytes": Measurement(value=2.0**20, n=3),
    }
    started = MOMENT + timedelta(hours=session)
    record = make_record(
        cell=cell,
        measurements={"training": measured, "inference": measured},
        details={"noisy": noisy},
        environment={"processor": machine, "cost_digest": f"{entry}-0123456789"},
        invocation=Invocation(
            id=f"i{session}", started_at=started, command="bench run", planned_cells=9
        ),
    )
    return StoredRecord(record, machine, UNREAD)


def rounds(seconds, **fields):
    """Return three rounds of probes of each entry, which differ by a thousandth."""
    return [
        probe(entry, value * (1 + number / 1_000), number, **fields)
        for number in range(3)
        for entry, value in seconds.items()
    ]


def test_costs_have_a_page_for_each_machine_and_only_quiet_ones_are_printed(tmp_path):
    folder = benchmark_folder(tmp_path)
    quiet = [probe("vanilla", 0.1, number) for number in range(3)]
    again = [probe("vanilla", 0.11, number, session=0) for number in range(2)]
    slower = [probe("lstm", 0.2 + number / 100, number) for number in range(3)]
    noisy = [probe("bert", 0.1, number, noisy=("training",)) for number in range(3)]
    files = files_of(folder, quiet + again + slower + noisy)
    page = files["leaderboard/costs-abacus.md"]
    assert "Session of 2026-01-02 04:04 on abacus, 2 threads." in page
    training, inference = page.split("### Inference speed, thousand tokens per second")
    # The code and, for two sessions, the standard deviation of their logarithms: ln(1.1) / √2.
    assert "| vanilla | `vanilla-` | 5.12 (1) ±6.7% |" in training
    assert "| bert | `bert-012` | — |" in training
    assert "| bert | `bert-012` | 5.12 (1) |" in inference
    detectable = re.search(r"\| \*detectable ratio\* \|  \| (1\.\d+) \|", training)
    assert 1 < float(detectable[1]) < 2
    assert "[costs on abacus](leaderboard/costs-abacus.md)" in files["LEADERBOARD.md"]
    (row,) = (
        row
        for row in archive_of(files)
        if (row["entry"], row["metric"]) == ("vanilla", "training.tokens_per_second")
        and not row["superseded_by"]
    )
    assert row["session"] == "2026-01-02 04:04 on abacus, 2 threads"
    assert (row["cost_digest"], row["sessions"]) == ("vanilla-0123456789", "2")


def test_no_slower_entry_is_first_where_noise_leaves_a_faster_one_unranked(tmp_path):
    folder = benchmark_folder(tmp_path)
    fast = [probe("lstm", 0.1, number, noisy=("training",) * (number > 1)) for number in range(3)]
    files = files_of(folder, fast + [probe("vanilla", 0.2, number) for number in range(3)])
    training, inference = files["leaderboard/costs-abacus.md"].split("### Inference speed")
    speeds = training.split("### Training speed")[1]
    assert "| lstm | `lstm-012` | 5.12 |" in speeds
    assert "| vanilla | `vanilla-` | 2.56 |" in speeds
    assert "5.12 (1)" in inference and "2.56 (2)" in inference
    notes = {
        row["entry"]: row["note"]
        for row in archive_of(files)
        if row["metric"] == "training.tokens_per_second"
    }
    assert notes["lstm"].startswith("2 rounds: needs at least 3")
    assert notes["vanilla"].startswith("no rank: lstm, which has none, is ahead")


def test_decodings_have_tables_beside_those_of_probes(tmp_path):
    folder = benchmark_folder(tmp_path)
    decoded = [dataclasses.replace(one, machine="abacus") for one in decodings()]
    files = files_of(folder, [*decoded, *rounds({"vanilla": 0.1})])
    page = files["leaderboard/costs-abacus.md"]
    assert "decode · decoder" in page and "### Training memory, MiB" in page
    head, _, *rows = rows_of(section(page, "Time per generated token, ms"))
    assert head == ["entry", "code", "128", "1,024", "8,192"]
    found = {row[0]: row[2:] for row in rows}
    assert found["identity"] == ["0.505 (1)"] * 3 and found["mamba2"] == ["1.01 (2)"] * 3
    assert found["vanilla"] == ["1.01 (2)", "8.08 (3)", "—"]
    assert {row["task"] for row in archive_of(files)} == {"probe", "decode"}


def test_the_costs_are_quiet_and_relative_to_vanilla(tmp_path):
    folder = benchmark_folder(tmp_path)
    costs = [
        probe(entry, seconds * length / 512, number, length=length, session=session, noisy=noisy)
        for entry, seconds, noisy in (
            ("vanilla", 0.1, ()), ("bert", 0.05, ()), ("identity", 0.02, ("training",)),
        )
        for number in range(3)
        for length, session in ((512, 1), (8_192, 2))
    ]  # fmt: skip
    page = page_of(folder, runs(folder) + costs)
    head, _, *rows = rows_of(section(page, "Encoders"))
    found = {row[0]: dict(zip(head, row, strict=True)) for row in rows}
    assert found["bert"]["training speed"] == "2.00 / 2.00"
    assert found["bert"]["inference memory"] == "1.00 / 1.00"
    assert found["*identity*"]["training speed"] == "—"
    assert found["*identity*"]["inference speed"] == "5.00 / 5.00"
    assert found["longformer"]["training speed"] == "—"
    assert "training speed" not in section(page, "Decoders")
    assert (
        "Costs: Sessions: at length 512, 2026-01-02 04:04 on abacus, 2 threads; "
        "at length 8,192, 2026-01-02 05:04 on abacus, 2 threads (1 session)."
    ) in section(page, "Encoders")


def test_the_first_page_names_the_least_cost_at_each_length(tmp_path):
    folder = benchmark_folder(tmp_path)
    costs = [
        *rounds({"vanilla": 0.1, "longformer": 0.3, "identity": 0.01}),  # `identity` is a control
        *rounds({"vanilla": 0.9, "longformer": 0.3, "identity": 0.01}, length=2_048),
        *(probe(entry, cost, 0, length=64) for entry, cost in (("gpt", 0.1), ("bert", 0.2))),
        probe("vanilla", 0.1, 0, length=8_192),  # a single entry
    ]
    page = page_of(folder, [*runs(folder), *costs])
    rows = rows_of(section(page, "Fastest and smallest by length"))[2:]
    machine = "[abacus](leaderboard/costs-abacus.md)"
    assert [cells[1:4:2] for cells in rows] == [
        ["64", "gpt 0.640°"],
        ["512", "vanilla 5.11"],
        ["2,048", "longformer 6.82"],
    ]
    assert rows[1][4] == "longformer 1.00≈", "equal memories do not separate"
    assert all(cells[-2:] == ["1", machine] and cells[6] == "—" for cells in rows)
    beside = [probe(entry, 0.1, number) for number in range(3) for entry in ("bert", "identity")]
    page = page_of(folder, [*runs(folder), *beside, *rounds({"longformer": 0.3})])
    (row,) = rows_of(section(page, "Fastest and smallest by length"))[2:]
    assert row[3] == "bert 5.12≈", "a control shares the rank"


@pytest.mark.parametrize("ranking", ["abacus", "slide-rule"])
def test_of_equally_wide_sessions_the_least_costs_are_of_the_one_that_ranks_most(tmp_path, ranking):
    folder = benchmark_folder(tmp_path)
    costs = [
        one
        for machine in ("abacus", "slide-rule")
        for one in rounds({"vanilla": 0.1, "longformer": 0.3}, machine=machine)
        if machine == ranking or one.record.cell.round == 0
    ]
    page = page_of(folder, [*runs(folder), *costs])
    (row,) = rows_of(section(page, "Fastest and smallest by length"))[2:]
    assert row[3] == "vanilla 5.11"
    assert row[-1] == f"[{ranking}](leaderboard/costs-{ranking}.md)"


def test_each_length_has_the_session_that_measured_most_there(tmp_path):
    """A wide session at 512 does not hide a session of more entries at 2,048."""
    folder = benchmark_folder(tmp_path)
    costs = [
        *rounds({"vanilla": 0.1, "longformer": 0.2, "bert": 0.3, "gpt": 0.4}),
        *rounds({"vanilla": 7.0}, length=2_048),
        *rounds({"vanilla": 1.0, "longformer": 0.5}, length=2_048, session=2),
    ]
    page = files_of(folder, costs)["leaderboard/costs-abacus.md"]
    assert (
        "Sessions: at length 512, 2026-01-02 04:04 on abacus, 2 threads; "
        "at length 2,048, 2026-01-02 05:04 on abacus, 2 threads." in page
    )
    training, _ = page.split("### Inference speed, thousand tokens per second")
    rows = {cells[0]: cells[2:] for cells in rows_of(training)}
    assert rows["longformer"] == ["2.56 (2)", "4.09 (1)"]
    assert rows["vanilla"][1].startswith("2.05 (2)"), "the cost of the second session"
    assert rows["bert"][1] == "—"
