"""End-to-end tests of tasks with the benchmark `smoke`."""

from __future__ import annotations

import json

import pytest

from tests.conftest import read_records
from tests.tasks.question_answering.test_squad import write_squad

QUIET = ("--no-tracking", "--no-dashboard")


def test_the_other_tasks_run(bench, tmp_path):
    """Run the tasks that no other end-to-end test runs.

    One validation pass instead of five halves the time, and makes the cells trials: `--test`.
    Generating and encoding data would take longer than training, so there is little data.
    """
    run = ("run", "--benchmark", "smoke", "--architectures", "brisk", "--parallel", "2", *QUIET)
    briefly = ("--option", "validations=1", "--test", "--time-limit", "600")
    for split, count in (("train", 64), ("validation", 16), ("test", 16)):
        rows = "a fine film\tgood\na dull film\tbad\n" * count
        (tmp_path / f"{split}.tsv").write_text(f"text\tlabel\n{rows}")
    write_squad(tmp_path)
    texts = tmp_path / "texts"
    texts.mkdir()
    for split, count in (("train", 64), ("valid", 8), ("test", 8)):
        pairs = [{"text": f"report {n} is about a road", "summary": f"{n}"} for n in range(count)]
        (texts / f"{split}.jsonl").write_text("\n".join(map(json.dumps, pairs)))
        for language, text in (("en", "the road is long"), ("de", "die Straße ist lang")):
            (texts / f"{split}.{language}").write_text(f"{text}\n" * count, encoding="utf-8")
    languages = ("--option", "source_language=en", "--option", "target_language=de")
    for tasks, little_data in {
        "listops,curve_tracing,image_classification": ("--option", "train_examples=600"),
        "sentiment,question_answering": ("--data", f"files:{tmp_path}"),
        "translation,summarization": ("--data", f"files:{texts}", "--lengths", "32", *languages),
    }.items():
        result = bench(*run, *briefly, "--task", tasks, *little_data)
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    records = {record["cell"]["task"]: record for record in read_records(tmp_path / "home")}
    assert len(records) == 7
    for record in records.values():
        assert record["status"] == "ok"
        assert record["data"]["examples"]["test"] > 0
        assert set(record["data"]["shared_with_train"]) == {"validation", "test"}
        assert record["details"]["waiting_for_data_share"] < 0.05
        assert 0 < record["details"]["real_token_share"]["train"] <= 1
    # A tenth of the images is guessed. One layer on plain patches, 32 steps: 0.44 at seed 0.
    assert records["image_classification"]["metrics"]["test"]["accuracy"] > 0.3
    assert records["translation"]["reports"]["test"]["bleu_signature"]
    for task in ("translation", "summarization"):
        assert {"test", "test_greedy"} <= set(records[task]["metrics"])


@pytest.mark.slow
def test_tuning_keeps_the_best_rate(bench, tmp_path):
    run = ("tune", "--task", "duplication", "--benchmark", "smoke", "--architectures", "longformer")
    result = bench(*run, "--keep-in", str(tmp_path / "tuning"))
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    (path,) = (tmp_path / "tuning" / "duplication" / "longformer").glob("*.json")
    chosen = json.loads(path.read_text())
    longest = max(trial["steps"] for trial in chosen["trials"])
    trials = {
        trial["learning_rate"]: trial["validation"]
        for trial in chosen["trials"]
        if trial["steps"] == longest
    }
    assert trials[chosen["learning_rate"]] == max(trials.values())
    assert min(trials) < chosen["learning_rate"] < max(trials)


@pytest.mark.slow
def test_transformer_xl_carries_its_state_on_the_open_track_and_data_is_read_once(bench, tmp_path):
    run = (
        "run",
        "--option",
        "carry_state=true",
        "--task",
        "language_modeling",
        "--benchmark",
        "smoke",
        "--seeds",
        "0,1",
        "--test",
    )
    assert bench(*run, "--architectures", "transformer_xl", *QUIET).returncode == 0
    first, second = read_records(tmp_path / "home")
    assert second["details"]["data_seconds"] < first["details"]["data_seconds"]
    assert first["data"] == second["data"]
    for record in (first, second):
        assert record["metrics"]["test"]["bits_per_character"] < 4.5
        without = record["metrics"]["test_without_carried_state"]["bits_per_character"]
        assert without != record["metrics"]["test"]["bits_per_character"]
