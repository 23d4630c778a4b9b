"""Request × registry → cells."""

from __future__ import annotations

import dataclasses

import pytest

from suite.analysis.comparison_key import key_of
from suite.api import Cell, Form, Mode
from suite.api.errors import RequestError
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.options import as_text, parse_option
from tests.builders.records import CELL, make_record, stored
from tests.conftest import FAKES

REGISTRY = load_registry((str(FAKES),))
NER = Request(tasks=("ner",), threads=2)


def cells_of(request: Request) -> list[Cell]:
    return [planned.cell for planned in expand(request, REGISTRY)]


def test_the_default_matrix_is_every_architecture_at_the_benchmark_s_lengths():
    cells = cells_of(NER)
    names = {cell.architecture for cell in cells}
    assert {"vanilla", "longformer"} <= names
    assert not any(REGISTRY.architectures.get(name).probe_only for name in names)
    assert {cell.sequence_length for cell in cells} == {128, 512}
    assert {cell.batch_size * cell.sequence_length for cell in cells} == {1_024}


def test_architectures_alternate_and_seeds_come_last():
    request = dataclasses.replace(
        NER, seeds=(0, 1), lengths=(128, 256), architectures=("vanilla", "longformer")
    )
    order = [(cell.seed, cell.sequence_length, cell.architecture) for cell in cells_of(request)]
    assert order == [
        (seed, length, name)
        for seed in (0, 1)
        for length in (128, 256)
        for name in ("vanilla", "longformer")
    ]


def test_backends_and_precisions_are_compared_side_by_side():
    request = Request(
        mode=Mode.PROBE, rounds=2, lengths=(64, 128), architectures=("vanilla", "longformer"),
        backends=("tensorflow", "jax"), precisions=("float32", "mixed_bfloat16"),
    )  # fmt: skip
    cells = cells_of(request)
    assert [
        (cell.round, cell.sequence_length, cell.backend, cell.precision, cell.architecture)
        for cell in cells
    ] == [
        (number, length, backend, precision, name)
        for number in (0, 1)
        for length in (64, 128)
        for backend in ("tensorflow", "jax")
        for precision in ("float32", "mixed_bfloat16")
        for name in ("vanilla", "longformer")
    ]
    labels = {cell.label_of(cell.architecture) for cell in cells}
    assert len(labels) == len({cell.id for cell in cells}) == len(cells)


def test_ids_are_stable():
    """A frozen id: it changes only when a field of the cell or the protocol does."""
    cell = dataclasses.replace(CELL, steps=262_144, task_version=1, architecture_version=1)
    assert cell.id == "c4876b3e747355ba"
    assert Cell.from_dict(dataclasses.asdict(cell)).id == cell.id
    others = [
        dataclasses.replace(cell, seed=1),
        dataclasses.replace(cell, options={}),
        dataclasses.replace(cell, architecture_version=2),
    ]
    assert len({cell.id, *(other.id for other in others)}) == 4


def test_a_path_is_no_part_of_a_cell():
    here = dataclasses.replace(NER, source="files:/here")
    there = dataclasses.replace(NER, source="files:/there")
    assert [cell.id for cell in cells_of(here)] == [cell.id for cell in cells_of(there)]
    assert expand(here, REGISTRY)[0].source.argument == "/here"


def test_options_reach_only_who_has_them_and_defaults_leave_no_trace():
    request = dataclasses.replace(NER, options={"window": "64", "dropout": "0.2"})
    options = {cell.architecture: cell.options for cell in cells_of(request)}
    assert options["longformer"] == {"dropout": 0.2, "window": [64]}
    assert options["vanilla"] == {"dropout": 0.2, "window": 64}
    default = dataclasses.replace(NER, options={"dilation": "1"})
    assert [cell.id for cell in cells_of(default)] == [cell.id for cell in cells_of(NER)]


def test_what_cannot_be_stays_with_its_reason():
    request = dataclasses.replace(NER, architectures=("images_only", "vanilla"), lengths=(128,))
    first, second = expand(request, REGISTRY)
    assert first.unsupported == "does not take embeddings; it takes: patches"
    assert second.unsupported is None
    each = dataclasses.replace(NER, options={"window": "64,128"})
    assert {cell.architecture: cell for cell in cells_of(each)}["longformer"].options == {
        "window": [64, 128]
    }
    odd = dataclasses.replace(NER, architectures=("longformer",), options={"window": "7"})
    assert "even" in expand(odd, REGISTRY)[0].unsupported


def test_options_decide_whether_a_length_fits_the_task():
    request = Request(
        tasks=("key_value_retrieval",), architectures=("vanilla",), lengths=(128, 256), seeds=(0,)
    )
    assert [one.unsupported for one in expand(request, REGISTRY)] == [None, None]
    more = dataclasses.replace(request, options={"pairs": "12"})
    short, long = expand(more, REGISTRY)
    assert short.unsupported == (
        "the task needs lengths of at least 182 for 12 statements with 4 questions each; lower "
        "`pairs` or `questions`, or choose another length; received: length 128, pairs=12"
    )
    assert long.unsupported is None


def test_a_probe_repeats_by_round_and_has_the_controls():
    cells = cells_of(Request(mode=Mode.PROBE, lengths=(64,)))
    assert {cell.round for cell in cells} == {0, 1, 2}
    assert "full_attention" in {cell.architecture for cell in cells}
    assert all(cell.task is None and cell.steps == 0 for cell in cells)


def test_a_probe_is_told_its_form():
    request = Request(mode=Mode.PROBE, benchmark="smoke", lengths=(64,), form="decoder")
    planned = {each.cell.architecture: each for each in expand(request, REGISTRY)}
    assert planned["gpt"].unsupported is None
    assert planned["gpt"].cell.form == "decoder"
    assert "has no decoder form" in planned["bert"].unsupported
    with pytest.raises(RequestError, match="no form of that name"):
        expand(dataclasses.replace(request, form="decodr"), REGISTRY)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_size": "smal"}, "Did you mean 'small'?"),
        ({"backends": ("jax", "tensorflo")}, "Did you mean 'tensorflow'?"),
        ({"precisions": ("float33",)}, "Did you mean 'float32'?"),
        ({"backends": ("jax", "jax")}, "Each backend may be named once. Received: jax,jax"),
        ({"source": "tdfs"}, "Did you mean 'tfds'?"),
        ({"source": "files"}, "needs its DIR after a colon"),
        ({"source": str(FAKES)}, f"Write files:{FAKES}"),
        ({"source": "synthetic:x"}, "takes nothing after a colon"),
        ({"lengths": (-5,)}, "at least 1. Received: -5"),
        ({"lengths": (128, 128)}, "may be named once"),
        ({"seeds": (-1,)}, "A seed is a whole number from 0"),
        (
            {"mode": Mode.PROBE, "tasks": None, "seeds": (0,)},
            "Seeds repeat a training; rounds repeat a probe",
        ),
        ({"batch_size": 0}, "A batch size"),
        ({"threads": 0}, "The number of threads"),
        ({"threads": 100_000}, "at most 1,024 threads. Received: 100,000"),
        ({"options": {"warmup_share": "5"}}, "from 0 to 1. Received: 5.0"),
        ({"options": {"learning_rate": "-1"}}, "above 0. Received: -1.0"),
        ({"options": {"learning_rate": "1e400"}}, "above 0. Received: inf"),
        ({"options": {"dropout": "1"}}, "from 0 to below 1. Received: 1.0"),
        ({"options": {"validations": "0"}}, "at least 1. Received: 0"),
        ({"form": "a\nb"}, "Received: form a b"),
        ({"options": {"windw": "3"}}, "Did you mean 'window'?"),
        (
            {"options": {"window": "wide"}},
            "The option 'window' is a list of int. Received: 'wide'.",
        ),
        ({"options": {"window": "8,x"}}, "Write it as window=128"),
        ({"options": {"dropout": "wet"}}, "The option 'dropout' is a number"),
        ({"form": "decoder"}, "Only a probe or a decoding takes a form"),
        ({"rounds": 2}, "Rounds repeat a probe or a decoding; seeds repeat a training"),
        ({"mode": Mode.PROBE}, "takes no task, no source and no steps"),
    ],
)
def test_bad_requests_say_what_is_wrong(changes, message):
    with pytest.raises(RequestError, match=None) as caught:
        expand(dataclasses.replace(NER, **changes), REGISTRY)
    assert message in str(caught.value)


@pytest.mark.parametrize("task", sorted(load_registry(()).tasks.plugins))
def test_every_length_has_the_same_number_of_updates_of_the_same_size(task):
    cells = cells_of(Request(tasks=(task,)))
    assert len({cell.sequence_length for cell in cells}) > 1
    assert len({cell.steps for cell in cells}) == 1
    positions = REGISTRY.tasks.get(task).scored_unit == "positions"
    sizes = {cell.batch_size * (cell.sequence_length if positions else 1) for cell in cells}
    assert len(sizes) == 1


def test_lengths_of_a_task_that_scores_examples_are_one_comparison():
    cells = cells_of(Request(tasks=("image_classification",), architectures=("vit",)))
    assert {cell.sequence_length for cell in cells} == {16, 64}
    keys = {key_of(stored(make_record(cell=cell))) for cell in cells}
    assert len(keys) == 1, "one comparison"


DECODING = Request(mode=Mode.DECODE, benchmark="cost", architectures=("gpt",))


def test_a_benchmark_expands_its_decodings_by_form_context_batch_and_round():
    cells = [planned.cell for planned in expand(DECODING, REGISTRY)]
    assert {cell.mode for cell in cells} == {Mode.DECODE}
    assert {(cell.form, cell.task, cell.steps, cell.seed) for cell in cells} == {
        (Form.DECODER, None, 0, 0)
    }
    longest = {
        size: max(c.sequence_length for c in cells if c.batch_size == size) for size in (1, 8)
    }
    assert longest == {1: 65_536, 8: 16_384}
    assert {cell.round for cell in cells} == {0, 1, 2}
    assert cells[0].label_of("gpt") == "decode · gpt · 128 · round 0"


def test_a_decoding_and_a_probe_of_the_same_size_are_two_cells():
    changes = {"lengths": (128,), "rounds": 1, "batch_size": 1, "form": "decoder"}
    (decoding,), (probe,) = (
        expand(dataclasses.replace(DECODING, mode=mode, **changes), REGISTRY)
        for mode in (Mode.DECODE, Mode.PROBE)
    )
    assert dataclasses.replace(decoding.cell, mode=Mode.PROBE) == probe.cell
    assert decoding.cell.id != probe.cell.id


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": (0, 1)}, "Seeds repeat a training; rounds repeat a probe or a decoding"),
        ({"tasks": ("ner",)}, "A decoding measures on random tokens and takes no task"),
        ({"benchmark": "quick"}, "The benchmark 'quick' has no decodings"),
        ({"rounds": 0}, "The number of rounds is a whole number of at least 1"),
    ],
)
def test_bad_requests_for_decodings_say_what_is_wrong(changes, message):
    with pytest.raises(RequestError) as caught:
        expand(dataclasses.replace(DECODING, **changes), REGISTRY)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "default", "value"),
    [
        ("a,b", ["x"], ["a", "b"]),
        ('["a", "b"]', ["x"], ["a", "b"]),
        ("a", [], ["a"]),
        ("1,2", [0.5], [1.0, 2.0]),
        ("True", False, True),
        ("true", False, True),
    ],
)
def test_an_option_is_written_as_on_the_command_line_or_as_json(text, default, value):
    assert parse_option("kinds", text, default) == value
    assert parse_option("kinds", as_text({"kinds": value})["kinds"], default) == value
