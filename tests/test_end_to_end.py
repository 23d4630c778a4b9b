"""Whole runs through the public path: records, resumption and repeatability."""

from __future__ import annotations

import json

import pytest

from tests.conftest import read_records

SMOKE = ("run", "--task", "ner", "--benchmark", "smoke", "--architectures")
QUIET = ("--no-tracking", "--no-dashboard")


def test_a_run_writes_complete_records(bench, tmp_path):
    result = bench(*SMOKE, "brisk,nothing")
    assert result.returncode == 0, result.stderr
    home = tmp_path / "home"
    records = read_records(home)
    assert {record["cell"]["architecture"] for record in records} == {"brisk", "nothing"}
    for record in records:
        assert record["status"] == "ok" and record["reason"] is None
        for name in ("entity_f1", "entity_precision", "entity_recall"):
            assert 0 <= record["metrics"]["test"][name] <= 1
            assert 0 <= record["metrics"]["validation"][name] <= 1
        for phase in ("training", "inference"):
            for name in ("tokens_per_second", "step_seconds", "peak_memory_bytes"):
                measurement = record["measurements"][phase][name]
                assert measurement["value"] > 0 and measurement["n"] == len(measurement["samples"])
                assert measurement["method"]
        assert record["measurements"]["training"]["tokens_per_second"]["n"] >= 5
        assert record["parameter_count"] == record["parameter_counts"]["total"] > 0
        assert record["environment"]["packages"]["tensorflow"]
        assert record["environment"]["commit"]
        assert len(record["data"]["fingerprint"]) == 64
        assert record["details"]["training_steps"] == record["cell"]["steps"]
        assert record["reports"]["test"]["by_type"]["PER"]["support"] > 0
        assert "by_cue_distance" in record["reports"]["test"]
    assert records[0]["data"]["fingerprint"] == records[1]["data"]["fingerprint"]
    assert records[0]["details"]["training_tokens"] == records[1]["details"]["training_tokens"]
    assert not list((home / "scratch").iterdir())
    for told in ("test entity_f1", "training memory", "training tokens/s", "index.html", "make ui"):
        assert told in result.stdout
    report = json.loads(bench("report", "--json").stdout)
    assert len(report[0]["rows"]) == 2


def test_only_changed_data_runs_again(bench, tmp_path):
    folder = tmp_path / "columns"
    folder.mkdir()
    text = "Anna B-PER\nsaw O\nRome B-LOC\n. O\n\n" * 60
    for split in ("train", "dev", "test"):
        (folder / f"{split}.conll").write_text(text)
    arguments = (*SMOKE, "nothing", "--data", f"files:{folder}")
    assert bench(*arguments, *QUIET).returncode == 0
    assert "0 to run" in bench("plan", *arguments[1:]).stdout
    (folder / "test.conll").write_text(text.replace("Rome", "Oslo"))
    assert "1 to run" in bench("plan", *arguments[1:]).stdout
    (record,) = read_records(tmp_path / "home")
    assert str(folder) not in json.dumps(record)


@pytest.mark.slow
def test_memory_grows_as_claimed_and_the_control_as_n_squared(bench):
    result = bench(
        *("run", "--mode", "probe", "--lengths", "1024,2048,4096,8192", "--rounds", "1"),
        *("--batch-size", "1", "--architectures", "longformer,full_attention", "--no-tracking"),
        timeout=900,
    )
    assert result.returncode == 0, result.stderr
    (table,) = json.loads(bench("report", "--json").stdout)
    exponents = {
        item["entry"]: item["exponent"]
        for item in table["exponents"]
        if item["measure"] == "training.peak_memory_bytes"
    }
    assert exponents["longformer"] <= 1.15
    assert exponents["full_attention"] > 1.7


@pytest.mark.slow
def test_conll_is_learned_within_three_minutes(bench, tmp_path, conll_columns):
    result = bench(
        *("run", "--task", "ner", "--data", f"files:{conll_columns}", "--benchmark", "quick"),
        *("--lengths", "128", "--architectures", "vanilla", "--steps", "750", "--test", *QUIET),
        timeout=900,
    )
    assert result.returncode == 0, result.stderr
    (record,) = read_records(tmp_path / "home")
    assert record["metrics"]["test"]["entity_f1"] >= 0.65


@pytest.mark.slow
def test_a_probe_of_another_form_on_another_backend(bench, tmp_path):
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    result = bench(
        *("run", "--mode", "probe", "--backend", "jax", "--form", "encoder_decoder"),
        *("--architectures", "vanilla,gpt", "--lengths", "16", "--benchmark", "smoke"),
        *("--model-size", "tiny", "--no-tracking"),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    by_name = {record["cell"]["architecture"]: record for record in read_records(tmp_path / "home")}
    assert by_name["gpt"]["status"] == "unsupported"
    record = by_name["vanilla"]
    assert record["status"] == "ok"
    assert record["cell"]["backend"] == "jax"
    assert record["cell"]["form"] == "encoder_decoder"
    assert record["environment"]["packages"]["jax"]
    for mode in ("inference", "training"):
        assert record["measurements"][mode]["tokens_per_second"]["value"] > 0
