"""Methods that are refused when a run is planned, with a reason."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from suite.api import RequestError, Track
from suite.matrix.method_sets import parse_methods
from suite.matrix.registry import load_registry
from suite.methods.int8 import METHOD as INT8
from suite.methods.optimizer import PAPERS, SCHEDULES
from tests.builders.trainings import plan

METHODS = load_registry(()).methods
LONG = {"lengths": (64,)}


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("adapter:size=0", "'size' of adapter is at least 1"),
        ("adversarial:strengths=-0.1", "from 0 to 10"),
        ("adversarial_training:epsilon=-1.0", "at least 0"),
        ("adversarial_training:share=2.0", "from 0 to 1"),
        ("augmentation:shift=-1", "'shift' of augmentation is at least 0"),
        ("curriculum:share=1.5", "from 0 to 1"),
        ("distillation:weight=1.5", "from 0 to 1"),
        ("distillation:temperature=0.0", "above 0"),
        ("distillation:hidden_weight=-1.0", "at least 0"),
        ("int4:block_size=-1", "at least 0"),
        ("label_smoothing:share=1", "from 0 to below 1"),
        ("length_warmup:length=0", "at least 1"),
        ("lora:alpha=0", "above 0"),
        ("lora:rank=0", "at least 1"),
        ("optimizer:name=sgdm", f"'name' of optimizer is one of {', '.join(PAPERS)}"),
        ("optimizer:schedule=step", f"'schedule' of optimizer is one of {', '.join(SCHEDULES)}"),
        ("optimizer:name=schedule_free", "constant with name=schedule_free"),
        ("optimizer:name=lion,momentum=0.5", "for name=sgd alone"),
        ("optimizer:name=sgd,momentum=1.0", "from 0 to below 1"),
        ("pretrain:steps=0", "'steps' of pretrain is at least 1"),
        ("pretrain:share=1.0", "below 1"),
        ("pretrain:span=0.5", "at least 1"),
        ("pretrain:corruption=x", "spans or infilling"),
        ("prompt:length=0", "at least 1"),
        ("pruning:sparsity=1.0", "from 0 to below 1"),
        ("pruning:scope=model", "layer or global"),
        ("pruning:begin=0.8,end=0.2", "which is 0.2. Received: 0.8"),
        ("pruning:every=0", "at least 1"),
        ("structured_pruning:heads=1.0", "from 0 to below 1"),
        ("structured_pruning:feedforward=1.0", "from 0 to below 1"),
        ("typos:strengths=1.5", "numbers from 0 to 1"),
        ("weight_averaging:share=2", "from 0 to 1"),
        ("word_dropout:share=1.5", "'share' of word_dropout is from 0 to 1. Received: 1.5"),
        ("word_dropout:spelling_share=-0.5", "from 0 to 1"),
        ("word_dropout:span=0", "at least 1"),
        ("word_swap:strengths=0.1,0.1", "names each number once"),
    ],
)
def test_an_invalid_option_is_refused_in_one_line(method, said):
    with pytest.raises(RequestError, match=said):
        parse_methods([method], METHODS)


@pytest.mark.parametrize(
    ("task", "architecture", "methods", "settings", "reason"),
    [
        ("curve_tracing", "vanilla", "augmentation", LONG, "the task has none"),
        ("sentiment", "vanilla", "augmentation", {}, "the task has none"),
        ("language_modeling", "vanilla", "curriculum", {}, "the task reads one stream"),
        ("listops", "vanilla", "typos", LONG, "does not restore words from its encoded examples"),
        ("listops", "vanilla", "word_swap", LONG, "does not restore words"),
        ("translation", "vanilla", "adversarial", {}, "token by token"),
        (
            *("ner", "vanilla", "distillation", {"options": {"tag_chain": "true"}}),
            "a chain of tags scores whole sequences",
        ),
        (
            *("ner", "vanilla", "label_smoothing", {"options": {"tag_chain": "true"}}),
            "omit tag_chain",
        ),
        ("question_answering", "vanilla", "label_smoothing", LONG, "offers some of them alone"),
        ("sentiment", "vanilla", "length_warmup", {}, "scores whole examples"),
        (
            *("language_modeling", "vanilla", "length_warmup:length=100000", {}),
            "into shorter windows of length=100000",
        ),
        ("language_modeling", "vanilla", "lora:rank=1000", {}, "rank of at most the width"),
        ("language_modeling", "vanilla", "adapter:size=1000", {}, "size of at most the width"),
        (
            *("language_modeling", "vanilla", "prompt", {"options": {"carry_state": "true"}}),
            "carry_state",
        ),
        (
            *("language_modeling", "vanilla", "pruning weight_averaging", {}),
            "does not combine with weight_averaging",
        ),
        ("image_classification", "bert", "pretrain", {"lengths": (16,)}, "received: patches"),
        ("sentiment", "bert", "pretrain", {"options": {"pairs": "9"}}, "received: embeddings"),
        ("ner", "bert", "pretrain:next_sentence=true", {}, "Leave out next_sentence=true"),
        (
            *("language_modeling", "vanilla", "pretrain:next_sentence=true", {}),
            "encoders of token ids alone; received: decoder",
        ),
        (
            *("sentiment", "bert", "pretrain:next_sentence=true", {"batch_size": 1}),
            "batch_size is 1",
        ),
        ("sentiment", "bert", "pretrain:only=true", {"score_test": True}, "Leave out --test"),
        (
            *("image_classification", "vit", "word_dropout", LONG),
            "hides the identity of tokens",
        ),
        (
            *("sentiment", "vanilla", "word_dropout:spelling_share=0.1", {}),
            "hides the spelling of tokens",
        ),
        # The parts that an architecture lacks.
        ("sentiment", "hub", "structured_pruning", {}, "feed-forward units that can be removed"),
        ("sentiment", "hub", "adapter", {}, "sub-layers that take adapters, which KerasHub"),
        ("sentiment", "hub", "prompt", {}, "vectors before the embedded input"),
        ("sentiment", "hub", "pretrain", {}, "a table of tokens"),
        ("sentiment", "hub", "adversarial", {}, "embedded tokens"),
        ("sentiment", "t5", "structured_pruning:heads=0.5", {}, "attention heads"),
        ("sentiment", "mamba2", "structured_pruning:heads=0.5,feedforward=0.0", {}, "heads"),
        # Methods that do not combine.
        ("sentiment", "vanilla", "int8 int4", {}, "'int4' quantizes weights once"),
        ("sentiment", "vanilla", "lora structured_pruning", {}, "leave lora out"),
        ("sentiment", "vanilla", "int8 structured_pruning", {}, "name it first"),
    ],
)
def test_a_cell_that_cannot_use_a_method_has_a_reason(
    task, architecture, methods, settings, reason
):
    assert reason in plan(task, architecture, *methods.split(), **settings)[-1].unsupported


@pytest.mark.parametrize(
    ("task", "architecture", "methods", "settings"),
    [
        ("image_classification", "vit", "augmentation:mirror=true", LONG),
        ("language_modeling", "vanilla", "curriculum:share=0", {}),
        ("sentiment", "vanilla", "curriculum", {}),
        (
            *("ner", "vanilla", "distillation:weight=0,hidden_weight=1"),
            {"options": {"tag_chain": "true"}},
        ),
        ("ner", "vanilla", "label_smoothing:share=0", {"options": {"tag_chain": "true"}}),
        ("ner", "vanilla", "label_smoothing", {}),
        ("language_modeling", "vanilla", "length_warmup:length=16", {}),
        ("ner", "vanilla", "optimizer:name=schedule_free,schedule=constant", {}),
        ("language_modeling", "vanilla", "pruning", {}),
        ("sentiment", "vanilla", "structured_pruning int8", {}),
        ("ner", "vanilla", "weight_averaging", {}),
        ("image_classification", "vit", "word_dropout:share=0", LONG),
        ("ner", "vanilla", "word_dropout:spelling_share=0.1", {}),
        ("language_modeling", "vanilla", "word_dropout:span=8", {}),
    ],
)
def test_a_cell_that_can_use_a_method_is_of_the_open_track(task, architecture, methods, settings):
    planned = plan(task, architecture, *methods.split(), **settings)[-1]
    assert planned.unsupported is None
    assert planned.ranking.track == Track.OPEN


def test_overflowing_precisions_are_refused():
    """`mixed_float16` needs an accelerator too, so that a plan is made without a run."""
    planned = plan("language_modeling", "vanilla", "int8")[-1]
    cell = replace(planned.cell, precision="mixed_float16")
    assert "mixed_float16" in INT8.unsupported_reason(SimpleNamespace(cell=cell))
