"""The request for a matrix, and the checks that need no registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from suite.api import BACKENDS, PRECISIONS, Form, Mode, SourceRequest
from suite.api.errors import RequestError, unknown_name
from suite.records.benchmarks import DEFAULT_BENCHMARK

MAX_THREADS = 1_024
"""A larger number is a typing mistake, and a framework would start that many threads."""
MAX_SEED = 2**32 - 1
NO_METHOD = "none"
"""The text of the empty set of methods."""


@dataclass(frozen=True, slots=True)
class Request:
    """The matrix a user asks for. None selects the settings of the benchmark.

    Without a mode, tasks select trainings; without tasks too, the request is the whole benchmark.
    `score_test` lets a run score the test split whose settings are not those of its benchmark.
    `methods` are sets of methods, each written as on the command line: (("lora:rank=8", "int8"),).
    """

    mode: Mode | None = Mode.TRAIN
    benchmark: str = DEFAULT_BENCHMARK
    tasks: tuple[str, ...] | None = None
    architectures: tuple[str, ...] | None = None
    lengths: tuple[int, ...] | None = None
    evaluation_lengths: tuple[int, ...] | None = None
    seeds: tuple[int, ...] | None = None
    rounds: int | None = None
    model_size: str | None = None
    batch_size: int | None = None
    steps: int | None = None
    source: str | None = None
    data_dir: str | None = None
    download: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    form: str | None = None
    backends: tuple[str, ...] | None = None
    precisions: tuple[str, ...] | None = None
    threads: int = 1
    score_test: bool = False
    methods: tuple[tuple[str, ...], ...] | None = None


def parse_source(text: str) -> SourceRequest:
    """Split `kind:argument`."""
    kind, _, argument = text.partition(":")
    return SourceRequest(kind=kind, argument=argument)


def check_request(request: Request) -> None:
    """Check all fields that depend on neither tasks nor architectures.

    Raises:
        RequestError: a value is unknown, out of range, repeated or out of order.
    """
    _check_names(request)
    _check_numbers(request)
    if request.mode is Mode.TRAIN and request.rounds is not None:
        raise RequestError(
            "Rounds repeat a probe or a decoding; seeds repeat a training",
            received=f"rounds {request.rounds}",
            remedy="Give --seeds, or use --mode probe or decode",
        )
    if request.mode in (Mode.PROBE, Mode.DECODE) and request.seeds is not None:
        raise RequestError(
            "Seeds repeat a training; rounds repeat a probe or a decoding",
            received=f"seeds {', '.join(map(str, request.seeds))}",
            remedy="Give --rounds, or a --task to train on",
        )
    if request.mode is Mode.DECODE and any(request.methods or ()):
        raise RequestError(
            "A decoding has no methods",
            received="; ".join(" ".join(methods) or NO_METHOD for methods in request.methods or ()),
            remedy="Give a --task to train on, use --mode probe, or omit the methods",
        )


def split_methods(text: str) -> tuple[str, ...]:
    """Return the methods of a text such as "lora:rank=8 int8"; "none" has none.

    Raises:
        RequestError: the text is empty, or combines "none" with a method.
    """
    parts = tuple(text.split())
    if not parts or (NO_METHOD in parts and len(parts) > 1):
        raise RequestError(
            f"Methods are separated by spaces, and '{NO_METHOD}' stands alone",
            received=repr(text),
            remedy='Write --methods "none;lora:rank=8 int8"',
        )
    return () if parts == (NO_METHOD,) else parts


def check_unique(what: str, values: Sequence[Any] | None) -> None:
    """Check that no value is repeated.

    Raises:
        RequestError: a value is repeated.
    """
    if values is not None and len(set(values)) < len(values):
        raise RequestError(f"Each {what} may be named once", received=",".join(map(str, values)))


def _check_names(request: Request) -> None:
    for axis, names, known in (
        ("backend", request.backends, BACKENDS),
        ("precision", request.precisions, PRECISIONS),
    ):
        check_unique(axis, names)
        for name in names or ():
            if name not in known:
                raise unknown_name(axis, name, known)
    if request.form is None:
        return
    if request.mode is Mode.TRAIN:
        raise RequestError(
            "Only a probe or a decoding takes a form; in mode train the task determines the form",
            received=f"form {request.form}",
            remedy="Omit --form, or use --mode probe",
        )
    if request.form not in list(Form):
        raise unknown_name("form", request.form, list(Form))
    if request.mode is Mode.DECODE and request.form == Form.ENCODER:
        raise RequestError(
            "Mode decode generates tokens, which an encoder does not",
            received=f"form {request.form}",
            remedy="Use --form decoder or --form encoder_decoder",
        )


def _check_numbers(request: Request) -> None:
    check_unique("length", request.lengths)
    check_unique("seed", request.seeds)
    if request.lengths and list(request.lengths) != sorted(request.lengths):
        raise RequestError(
            "Lengths must be in increasing order", received=",".join(map(str, request.lengths))
        )
    for length in request.lengths or ():
        _check_at_least_one("A sequence length", length)
    lengths = list(request.evaluation_lengths or ())
    if lengths != sorted(set(lengths)):
        raise RequestError(
            "Evaluation lengths must be in increasing order, each once",
            received=",".join(map(str, lengths)),
        )
    if lengths and request.mode in (Mode.PROBE, Mode.DECODE):
        raise RequestError(
            "A probe or a decoding trains no model that could be scored at evaluation lengths",
            received=f"evaluation lengths {','.join(map(str, lengths))}",
            remedy="Give --lengths, or a --task to train on",
        )
    for seed in request.seeds or ():
        if not 0 <= seed <= MAX_SEED:
            raise RequestError(f"A seed is a whole number from 0 to {MAX_SEED}", received=seed)
    for what, number in (
        ("A batch size", request.batch_size),
        ("The number of steps", request.steps),
        ("The number of rounds", request.rounds),
        ("The number of threads", request.threads),
    ):
        if number is not None:
            _check_at_least_one(what, number)
    if request.threads > MAX_THREADS:
        raise RequestError(
            f"A cell has at most {MAX_THREADS:,} threads", received=f"{request.threads:,}"
        )


def _check_at_least_one(what: str, number: int) -> None:
    if number < 1:
        raise RequestError(f"{what} is a whole number of at least 1", received=number)
