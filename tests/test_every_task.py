"""End-to-end tests of tasks with the benchmark `smoke`."""

from __future__ import annotations

import json

import pytest

from tests.builders.squad import write_squad
from tests.conftest import read_records

QUIET = ("--no-tracking", "--no-dashboard")
LANGUAGES = ("--option", "source_language=en", "--option", "target_language=de")


@pytest.mark.parametrize(
    ("tasks", "little_data"),
    [
        # Files of the user, and answers that are generated.
        ("sentiment,question_answering", ("--data", "files:{folder}")),
        (
            "translation,summarization",
            ("--data", "files:{folder}/texts", "--lengths", "32", *LANGUAGES),
        ),
        # Tests of tasks load these, and golden values train them.
        pytest.param(
            "listops,curve_tracing,image_classification",
            ("--option", "train_examples=600"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_other_tasks_run(bench, tmp_path, tasks, little_data):
    """Run the tasks that no other end-to-end test runs.

    One validation pass instead of five halves the time, and makes the cells trials: `--test`.
    Generating and encoding data, or XLA, would take longer than training.
    """
    run = ("run", "--benchmark", "smoke", "--architectures", "brisk", "--parallel", "2", *QUIET)
    briefly = ("--option", "validations=1", "--option", "compile=graph", "--test")
    write_data(tmp_path)
    little_data = [word.format(folder=tmp_path) for word in little_data]
    limit = ("--time-limit", "600")
    result = bench(*run, *briefly, *limit, "--task", tasks, *little_data)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    records = {record["cell"]["task"]: record for record in read_records(tmp_path / "home")}
    assert sorted(records) == sorted(tasks.split(","))
    for task, record in records.items():
        assert record["status"] == "ok"
        assert record["data"]["examples"]["test"] > 0
        assert set(record["data"]["shared_with_train"]) == {"validation", "test"}
        assert record["details"]["waiting_for_data_share"] < 0.05
        assert 0 < record["details"]["real_token_share"]["train"] <= 1
        if task == "image_classification":
            # A tenth is guessed. One layer on plain patches, 32 steps: 0.44 at seed 0.
            assert record["metrics"]["test"]["accuracy"] > 0.3
        if task == "translation":
            assert record["reports"]["test"]["bleu_signature"]
        if task in ("translation", "summarization"):
            assert {"test", "test_greedy"} <= set(record["metrics"])


def write_data(folder):
    """Write little data for the tasks: reviews, questions, and texts with another text each."""
    for split, count in (("train", 64), ("validation", 16), ("test", 16)):
        rows = "a fine film\tgood\na dull film\tbad\n" * count
        (folder / f"{split}.tsv").write_text(f"text\tlabel\n{rows}")
    write_squad(folder)
    texts = folder / "texts"
    texts.mkdir()
    for split, count in (("train", 64), ("valid", 8), ("test", 8)):
        pairs = [{"text": f"report {n} is about a road", "summary": f"{n}"} for n in range(count)]
        (texts / f"{split}.jsonl").write_text("\n".join(map(json.dumps, pairs)))
        for language, text in (("en", "the road is long"), ("de", "die Straße ist lang")):
            (texts / f"{split}.{language}").write_text(f"{text}\n" * count, encoding="utf-8")


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
