"""The request for a matrix, and the checks that need no registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from suite.api import BACKENDS, PRECISIONS, Form, Mode
from suite.api.errors import RequestError, check_name
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
    `score_test` lets a run of other settings score the test split. `methods` are sets of methods,
    each written as on the command line: (("lora:rank=8", "int8"),).
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


def check_request(request: Request) -> None:
    """Raise a RequestError for an invalid field that depends on no task and no architecture."""
    for axis, names, known in (
        ("backend", request.backends, BACKENDS),
        ("precision", request.precisions, PRECISIONS),
    ):
        check_unique(axis, names)
        for name in names or ():
            check_name(axis, name, known)
    _check_numbers(request)
    _check_mode(request)
    if request.form is not None:
        check_name("form", request.form, list(Form))


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
    """Raise a RequestError if a value is repeated."""
    if values is not None and len(set(values)) < len(values):
        raise RequestError(f"Each {what} may be named once", received=",".join(map(str, values)))


def _check_mode(request: Request) -> None:
    trains = request.mode is Mode.TRAIN
    measures = request.mode in (Mode.PROBE, Mode.DECODE)
    decodes = request.mode is Mode.DECODE
    lengths = ",".join(map(str, request.evaluation_lengths or ()))
    methods = request.methods or ()
    for is_refused, problem, received, remedy in (
        (
            trains and request.form is not None,
            "Only a probe or a decoding takes a form; in mode train the task determines the form",
            f"form {request.form}",
            "Omit --form, or use --mode probe",
        ),
        (
            decodes and request.form == Form.ENCODER,
            "Mode decode generates tokens, which an encoder does not",
            f"form {request.form}",
            "Use --form decoder or --form encoder_decoder",
        ),
        (
            measures and lengths,
            "A probe or a decoding trains no model that could be scored at evaluation lengths",
            f"evaluation lengths {lengths}",
            "Give --lengths, or a --task to train on",
        ),
        (
            trains and request.rounds is not None,
            "Rounds repeat a probe or a decoding; seeds repeat a training",
            f"rounds {request.rounds}",
            "Give --seeds, or use --mode probe or decode",
        ),
        (
            measures and request.seeds is not None,
            "Seeds repeat a training; rounds repeat a probe or a decoding",
            f"seeds {', '.join(map(str, request.seeds or ()))}",
            "Give --rounds, or a --task to train on",
        ),
        (
            decodes and any(methods),
            "A decoding has no methods",
            "; ".join(" ".join(texts) or NO_METHOD for texts in methods),
            "Give a --task to train on, use --mode probe, or omit the methods",
        ),
    ):
        if is_refused:
            raise RequestError(problem, received=received, remedy=remedy)


def _check_numbers(request: Request) -> None:
    check_unique("length", request.lengths)
    check_unique("seed", request.seeds)
    for what, lengths in (
        ("Lengths must be in increasing order", request.lengths),
        ("Evaluation lengths must be in increasing order, each once", request.evaluation_lengths),
    ):
        if list(lengths or ()) != sorted(set(lengths or ())):
            raise RequestError(what, received=",".join(map(str, lengths or ())))
    for seed in request.seeds or ():
        if not 0 <= seed <= MAX_SEED:
            raise RequestError(f"A seed is a whole number from 0 to {MAX_SEED}", received=seed)
    for what, number in (
        *(("A sequence length", length) for length in request.lengths or ()),
        ("A batch size", request.batch_size),
        ("The number of steps", request.steps),
        ("The number of rounds", request.rounds),
        ("The number of threads", request.threads),
    ):
        if number is not None and number < 1:
            raise RequestError(f"{what} is a whole number of at least 1", received=number)
    if request.threads > MAX_THREADS:
        raise RequestError(
            f"A cell has at most {MAX_THREADS:,} threads", received=f"{request.threads:,}"
        )
