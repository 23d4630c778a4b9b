"""Checks by the conformance kit: processes, reports, and what records state."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from suite.actions import checks
from suite.api.code_digest import digest_costs
from suite.api.conformance import KIT_VERSION, CheckResult, Verdict, worst_of_each_check
from suite.execution import conformance_checks as conformance
from suite.execution.conformance_checks import (
    Checked,
    check_ranked,
    find_conformance,
    make_report,
    needs_report,
)
from suite.execution.executors.base import ProcessResult
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.conformance_reports import (
    CheckedCode,
    ConformanceReport,
    read_report,
    write_report,
)
from suite.records.model_sizes import MODEL_SIZES
from suite.records.schema import Conformance, utc_now
from tests.builders.records import FINAL
from tests.conftest import FAKES

CODE = CheckedCode(architecture="longformer", version=1, backend="tensorflow", digest="d" * 64)
LEAK = CheckResult.of_figure("no look ahead", "decoder", 0.5, high=1e-5)
SAME = CheckResult.of_figure("same seed same losses", "encoder", 0.0, high=0.0)


def report_of(code=CODE, *results):
    return ConformanceReport(code=code, checked_at=utc_now(), results=results)


def test_a_report_is_found_by_its_code_alone(store):
    report = report_of(CODE, LEAK, SAME)
    write_report(store, report)
    assert read_report(store, CODE) == report
    for other in ({"digest": "e" * 64}, {"backend": "jax"}, {"version": 2}, {"kit": 99}):
        assert read_report(store, CODE.model_copy(update=other)) is None
    # The name of the file has only a part of the digest.
    assert read_report(store, CODE.model_copy(update={"digest": "d" * 63 + "e"})) is None
    (store.checks / CODE.file_name).write_text("no report")
    assert read_report(store, CODE) is None


def test_a_record_states_the_kit_and_the_failed_checks(store):
    cell = dataclasses.replace(FINAL, architecture_version=1)
    write_report(store, report_of(CODE, LEAK, SAME))
    expected = Conformance(kit=KIT_VERSION, failed=("no look ahead",))
    assert find_conformance(store, cell, CODE.digest) == expected
    assert find_conformance(store, cell, "e" * 64) is None
    assert find_conformance(store, cell, None) is None


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (ProcessResult(None, -11, None, ""), "killed by signal 11"),
        (ProcessResult(None, -9, "time", ""), "exceeded the time limit of 1800 s"),
        (
            ProcessResult({"status": "failed", "reason": "ImportError: no torch"}, 0, None, ""),
            "ImportError: no torch",
        ),
    ],
)
def test_a_process_that_ends_before_the_kit_fails_one_check(result, reason):
    report = make_report(CODE, result)
    assert report.failed == ("the kit runs to its end",)
    assert report.results[0].reason == reason and report.code == CODE


def test_a_report_is_for_the_code_that_the_process_read():
    outcome = {"status": "ok", "checks": [dataclasses.asdict(SAME)]}
    result = ProcessResult(outcome, 0, None, "", environment={"cost_digest": "e" * 64})
    report = make_report(CODE, result)
    assert report.code.digest == "e" * 64 and report.results == (SAME,) and not report.failed


def planned(benchmark="miniature", **fields):
    request = Request(benchmark=benchmark, tasks=("ner",), lengths=(128,), **fields)
    return expand(request, load_registry((str(FAKES),)))


def test_only_ranked_runs_of_the_standard_track_need_a_report():
    assert all(map(needs_report, planned(architectures=("vanilla",), seeds=(0,))))
    for fields in (
        {"benchmark": "quick"},
        {"benchmark": "smoke"},
        {"steps": 3},
        {"options": {"tag_chain": "true"}},
    ):
        assert not any(map(needs_report, planned(architectures=("vanilla",), **fields))), fields


def test_each_architecture_is_checked_once_for_its_code(store, monkeypatch):
    checked = []

    def check(codes, home, search_path):
        for code in codes:
            checked.append(code)
            write_report(home, report_of(code, SAME))
            yield code

    monkeypatch.setattr(conformance, "check", check)
    cells = planned(architectures=("vanilla", "longformer"), seeds=(0, 1))
    for _ in range(2):
        list(check_ranked(cells, store, (str(FAKES),)))
    assert [code.architecture for code in checked] == ["vanilla", "longformer"]
    assert checked[0].digest == digest_costs("vanilla", (), "tensorflow")


def test_the_worst_result_of_each_check_is_shown():
    def passed(figure):
        return CheckResult.of_figure("no look ahead", "decoder", figure, high=1e-5)

    na = CheckResult("no look ahead", "encoder", Verdict.NOT_APPLICABLE, reason="no decoder")
    near, far = passed(9e-6), passed(1e-9)
    assert worst_of_each_check([na, far, near, SAME]) == [near, SAME]
    assert worst_of_each_check([near, LEAK]) == [LEAK]
    nan = CheckResult.of_figure("no look ahead", "decoder", float("nan"), high=1e-5)
    assert nan.verdict is Verdict.FAILED and worst_of_each_check([LEAK, nan]) == [nan]


RUN = ("run", "--benchmark", "miniature", "--task", "ner", "--lengths", "128", "--seeds", "0")
QUIET = ("--architectures", "hasty", "--no-tracking", "--no-dashboard")


def test_a_ranked_run_is_checked_first_and_its_record_says_so(bench, tmp_path, monkeypatch):
    def check(codes, home, search_path):
        for code in codes:
            report = report_of(code, LEAK, SAME)
            write_report(home, report)
            yield Checked(report)

    monkeypatch.setattr(conformance, "check", check)
    result = bench(*RUN, *QUIET)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(f"conformance kit {KIT_VERSION} on hasty (tensorflow): failed") == 1
    (path,) = (tmp_path / "home" / "records").iterdir()
    stated = json.loads(path.read_text())["conformance"]
    assert stated == {"kit": KIT_VERSION, "failed": ["no look ahead"]}


def test_bench_check_prints_a_line_for_each_check(bench, tmp_path):
    result = bench("check", "looks_ahead", BENCH_PATH=str(FAKES / "broken"))
    assert result.returncode == 1, result.stderr
    assert f"looks_ahead 1 on tensorflow, conformance kit {KIT_VERSION}: failed" in result.stdout
    lines = {line.split("  ")[0]: line for line in result.stdout.splitlines()}
    assert "failed" in lines["no look ahead"] and "at most 1e-05" in lines["no look ahead"]
    assert "passed" in lines["batch members do not mix"]
    assert "not applicable" in lines["adding padding changes nothing"]
    said = r"not at most 1e-05: position \d+ changes earlier positions"
    assert re.search(said, result.stdout)
    assert "checking looks_ahead (tensorflow): starting" in result.stderr
    (path,) = (tmp_path / "home" / "checks").iterdir()
    report = json.loads(path.read_text())
    assert report["code"]["architecture"] == "looks_ahead"
    parity = [item for item in report["results"] if item["check"] == "parity with vanilla"]
    assert [item["case"] for item in parity] == [f"decoder, {size}" for size in MODEL_SIZES]


def test_bench_check_prints_json(bench, monkeypatch):
    def check(codes, *_):
        yield from (Checked(report_of(code, SAME, *results[code.architecture])) for code in codes)

    results = {"vanilla": (), "gpt": (LEAK,)}
    monkeypatch.setattr(checks, "run_kit", check)
    result = bench("check", "vanilla", "gpt", "--json")
    assert result.returncode == 1, result.stderr
    found = json.loads(result.stdout)
    assert {name: one["passed"] for name, one in found.items()} == {"vanilla": True, "gpt": False}
    assert found["vanilla"]["code"]["digest"] == digest_costs("vanilla", (), "tensorflow")
    leak = {"check": "no look ahead", "case": "decoder", "verdict": "failed", "figure": 0.5}
    assert found["gpt"]["results"][1] == {**leak, "low": None, "high": 1e-5, "reason": ""}
    assert bench("check", "vanilla").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "names of architectures, or --all"),
        (("vanilla", "--all"), "names of architectures, or --all"),
        (("vanila",), "Did you mean 'vanilla'?"),
        (("vanilla", "--backend", "tensorflo"), "tensorflow"),
    ],
)
def test_a_wrong_command_is_refused(bench, tmp_path, arguments, said):
    result = bench("check", *arguments)
    assert result.returncode == 2 and said in result.stderr
    assert not (tmp_path / "home").exists()
