"""Short names of comparisons: unique within a task, and no longer than that needs."""

from __future__ import annotations

from dataclasses import replace

from suite.analysis.comparison_key import ComparisonKey, short_titles, titles
from suite.api import Mode

TRIAL = ComparisonKey(
    Mode.TRAIN, "ner", "synthetic", "", "encoder", "tiny", 300, "float32", "tensorflow",
    positions_per_batch=2_048, sequences_per_batch=0, threads=0, split="validation",
)  # fmt: skip
FINAL = replace(TRIAL, benchmark="core-1", split="test")
PROBE = replace(TRIAL, mode=Mode.PROBE, task="", source="", threads=2, machine="abacus", split="")


def test_a_name_has_only_the_parts_that_differ():
    longer, bfloat = replace(TRIAL, steps=3_000), replace(TRIAL, precision="mixed_bfloat16")
    tested = replace(TRIAL, split="test")
    names = short_titles([FINAL, TRIAL, longer, bfloat, tested])
    assert names == {
        FINAL: "core-1",
        TRIAL: "trials scored on validation, 300 steps, float32",
        longer: "trials scored on validation, 3,000 steps",
        bfloat: "trials scored on validation, 300 steps, mixed_bfloat16",
        tested: "trials with --test",
    }


def test_other_tasks_do_not_lengthen_a_name():
    other = replace(FINAL, task="sentiment", steps=700)
    assert short_titles([FINAL, other]) == {FINAL: "core-1", other: "core-1"}


def test_probes_are_named_by_their_batches():
    one = replace(PROBE, positions_per_batch=0, sequences_per_batch=1)
    elsewhere = replace(one, machine="slide rule")
    assert short_titles([PROBE, one, elsewhere]) == {
        PROBE: "probes, 2,048 tokens a batch",
        one: "probes, batch 1, abacus",
        elsewhere: "probes, batch 1, slide rule",
    }


def test_names_are_unique_within_a_task():
    """Each field of a comparison changes its name."""
    changes = {
        "source": "tfds", "task_options": "units=bytes", "model_size": "base", "steps": 7,
        "precision": "mixed_bfloat16", "backend": "jax", "positions_per_batch": 512,
        "fingerprint": "0123456789abcdef", "benchmark": "core-2", "track": "open",
        "split": "test", "threads": 4, "machine": "abacus",
    }  # fmt: skip
    keys = [TRIAL, *(replace(TRIAL, **{name: value}) for name, value in changes.items())]
    names = short_titles(keys)
    assert len(set(names.values())) == len(keys)


def test_the_full_title_of_a_probe_names_its_benchmark_and_the_open_track():
    keys = [PROBE, replace(PROBE, benchmark="cost-1"), replace(PROBE, track="open")]
    found = titles(keys)
    assert len(set(found.values())) == len(keys)
    assert " · cost-1 · " in found[keys[1]] and " · open track · " in found[keys[2]]
    assert not any("data" in title for title in found.values())
