"""Length limits: budgets, and architectures that fail or are not supported."""

from __future__ import annotations

import dataclasses

import pytest

from suite.api import Mode, RequestError, Status
from suite.execution.preparation import make_limits
from suite.matrix.request import Request
from suite.search import frontier
from suite.search.frontier import FRAMEWORK_BYTES, Budget, find_length_limits
from tests.builders.records import PROBE, make_record, measured


def run(prepared):
    """End each probe at once: a step takes 1 s at 300 tokens, and vanilla fails."""
    (cell,) = (planned.cell for planned in prepared.plan.cells)
    if cell.architecture == "vanilla":
        return [make_record(cell=cell, status=Status.FAILED, reason="no such operation")]
    taken = {"step_seconds": cell.sequence_length / 300, "peak_memory_bytes": 300.0 * 2**20}
    return [
        make_record(
            cell=cell,
            measurements={"training": {name: measured(value) for name, value in taken.items()}},
        )
    ]


def limits_of(store, budget, *architectures):
    request = Request(benchmark="smoke", architectures=architectures or None)
    found = find_length_limits(request, store, run, budget)
    return {limit.entry: limit for limit in found}


def test_a_search_over_all_architectures_names_the_unsupported_and_the_failed(store):
    found = limits_of(store, Budget(step_seconds=1.0))
    assert "has no encoder form" in found["gpt"].unsupported
    assert "failed: no such operation" in found["vanilla"].failed
    assert found["bert"].longest <= 300 < found["bert"].beyond
    assert {"longformer", "reformer", "vit"} <= set(found)
    assert str(found["bert"]).endswith("does not fit)")


def test_the_probes_and_their_time_are_stated_before_the_first_probe(store, monkeypatch):
    monkeypatch.setattr(frontier, "disturbing_cores", lambda threads: 1.5)
    request = Request(benchmark="smoke", architectures=("bert", "gpt"))
    told = []

    def state(budget, up_to):
        told.clear()
        find_length_limits(request, store, None, budget, up_to, told.append)
        return "\n".join(told)

    seconds = make_limits("smoke").seconds
    text = state(Budget(step_seconds=1.0), 1_024)
    assert text.startswith("1 entry. Lengths double from 128 until one does not fit or 1,024 is")
    assert f"At most 9 probes an entry, of at most {seconds:,.0f} s each" in text
    assert "an unknown time" in text and "other programs use 1.5 cores" in text
    assert "other programs" not in state(Budget(memory_bytes=2**30), 128)  # no load changes it
    assert "At most 1 probe an entry" in told[0]


def test_a_limit_below_the_first_length_says_what_that_takes(store):
    found = limits_of(store, Budget(step_seconds=0.1), "bert")["bert"]
    assert str(found) == "not even 128, which takes 300 MiB, 0.427 s a step"
    assert found.to_dict()["taken"]["peak_memory_bytes"] == 300 * 2**20


def test_an_accelerator_s_memory_bounds_no_process_of_the_host(monkeypatch):
    budget = Budget(memory_bytes=2**30)
    monkeypatch.setattr(frontier, "has_accelerator", lambda: False)
    assert budget.limits("smoke").memory_bytes <= 2**30 + FRAMEWORK_BYTES
    monkeypatch.setattr(frontier, "has_accelerator", lambda: True)
    assert budget.limits("smoke").memory_bytes == make_limits("smoke").memory_bytes


def decode(prepared):
    """End each decoding at once: vanilla's state takes 256 KiB a token, Mamba-2's 1 MiB in all.

    Vanilla runs out of memory from 16,384 tokens on. A context takes far more memory to read than
    to generate from.
    """
    (cell,) = (planned.cell for planned in prepared.plan.cells)
    assert cell.mode is Mode.DECODE and cell.batch_size == 1
    length = cell.sequence_length
    if cell.architecture == "vanilla" and length >= 16_384:
        return [make_record(cell=cell, status=Status.OUT_OF_MEMORY, reason="too much memory")]
    state = 2**18 * length if cell.architecture == "vanilla" else 2**20
    phases = {
        "prefill": {"peak_memory_bytes": 2.0**40, "step_seconds": length * 1e-5},
        "generation": {"peak_memory_bytes": float(state), "step_seconds": 1e-3 + length * 1e-7},
    }
    measurements = {
        phase: {name: measured(value) for name, value in values.items()}
        for phase, values in phases.items()
    }
    return [make_record(cell=cell, measurements=measurements)]


def decoding_limits(store, budget, **changes):
    request = Request(architectures=("vanilla", "mamba2", "bert"), **changes)
    found = find_length_limits(request, store, decode, budget, up_to=32_768)
    return {limit.entry: limit for limit in found}


def test_a_peak_that_an_earlier_phase_hides_is_bounded_by_it():
    """JAX cannot reset the peak of a device: the record has no figure for the generation."""
    phases = {"prefill": {"peak_memory_bytes": measured(2.0**20)}, "generation": {}}
    record = make_record(cell=PROBE, measurements=phases)
    assert Budget(memory_bytes=2**21, phase="generation").affords(record)
    with pytest.raises(frontier.ProbeFailed, match="hidden by a higher one"):
        Budget(memory_bytes=2**19, phase="generation").affords(record)
    without = record.model_copy(update={"measurements": {"prefill": {}, "generation": {}}})
    with pytest.raises(RequestError, match=r"does not measure generation\.peak_memory_bytes"):
        Budget(memory_bytes=2**19, phase="generation").affords(without)


def test_a_decoding_out_of_memory_ends_the_search_for_a_time_of_a_token(store):
    found = decoding_limits(store, Budget(step_seconds=0.003, phase="generation"))
    assert found["vanilla"].longest < 16_384 <= found["vanilla"].beyond <= 1.05 * 16_384
    assert found["mamba2"].longest <= 20_000 < found["mamba2"].beyond


def test_a_context_is_read_within_a_time(store):
    found = decoding_limits(store, Budget(step_seconds=0.05, phase="prefill"))
    assert found["mamba2"].longest <= 5_000 < found["mamba2"].beyond <= 1.05 * 5_000


@pytest.mark.parametrize(
    ("phase", "changes", "said"),
    [
        ("generation", {"form": "encoder"}, "an encoder does not"),
        ("decoding", {}, "'decoding'"),
    ],
)
def test_a_decoding_that_cannot_be_searched_is_refused(store, phase, changes, said):
    with pytest.raises(RequestError, match=said):
        decoding_limits(store, Budget(step_seconds=1.0, phase=phase), **changes)


def test_a_benchmark_with_probes_of_several_forms_asks_for_one(store):
    """`cost` probes encoders and decoders: a length could fit one and not the other."""
    asked = Request(benchmark="cost", architectures=("longformer",))
    with pytest.raises(RequestError, match=r"at length 128: decoder.*, encoder.*Give --form"):
        list(find_length_limits(asked, store, run, Budget(step_seconds=1.0)))
    decoders = dataclasses.replace(asked, form="decoder")
    limits = list(find_length_limits(decoders, store, run, Budget(step_seconds=1.0)))
    assert limits
    assert all(limit.longest <= 300 < limit.beyond for limit in limits)
