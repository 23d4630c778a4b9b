"""Length cards: what a model costs at each length, measured and predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from suite.actions.caller import read_registry, search_stream
from suite.actions.request import PathLike, make_request, make_store
from suite.actions.runs import open_tracked_session
from suite.analysis.length_card import LengthCard, make_profile
from suite.api import BACKENDS, PRECISIONS, Architecture, Form, Mode, RequestError
from suite.api.files import atomic_write_bytes
from suite.api.plugins import search_path_from_environment
from suite.execution.conformance_checks import Checked, code_of
from suite.execution.conformance_checks import check as run_kit
from suite.execution.given_models import backend_of, kind_of, make_plugin
from suite.execution.preparation import check_backends
from suite.execution.quantities import parse_duration, parse_size
from suite.matrix.model_sizes import find_model_size, size_of_parameters
from suite.matrix.request import Request
from suite.progress import Display
from suite.records.conformance_reports import CheckedCode, ConformanceReport, read_report
from suite.records.environment import machine_name
from suite.records.naming import entry_name
from suite.records.schema import Record
from suite.records.store import Store
from suite.report.length_card import to_html, to_markdown
from suite.search.frontier import LONGEST
from suite.search.length_card import CardBudget, CardMeasuring, Subject

DEFAULT_TIME = "10m"
DEFAULT_SIZE = "small"
REFERENCES: Sequence[tuple[str, Mapping[str, str]]] = (
    ("vanilla", {"positions": "rotary"}),
    ("gated_deltanet", {}),
)
"""The architectures that a model is compared with, and their options."""
FORMS = (Form.DECODER, Form.ENCODER, Form.ENCODER_DECODER)
"""The forms in the order in which one is chosen."""
FOLDER = "cards"
CHECKS = (
    "no look ahead",
    "padding does not leak",
    "adding padding changes nothing",
    "batch members do not mix",
    "decoding in steps equals the full pass",
)
"""The checks of the conformance kit that a card shows, if the kit has checked the model."""


@dataclass(frozen=True)
class WrittenCard:
    """A card and the files that it was written to."""

    card: LengthCard
    html: Path
    markdown: Path
    json: Path

    def __repr__(self) -> str:
        return f"{self.card.sentence}\n{self.html}"


def card(
    model: str,
    *,
    options: Mapping[str, Any] | None = None,
    model_size: str | None = None,
    layers: int | None = None,
    width: int | None = None,
    heads: int | None = None,
    form: str | None = None,
    batch_size: int = 1,
    up_to: int = LONGEST,
    memory: str | None = None,
    time: str = DEFAULT_TIME,
    references: bool = True,
    backend: str | None = None,
    precision: str = PRECISIONS[0],
    threads: int | None = None,
    output: PathLike | None = None,
    home: PathLike | None = None,
    progress: bool = True,
    tracking: bool = True,
) -> WrittenCard:
    """Measure a model against the length of its input, and write its length card.

    `model` is a registered architecture, whose size is `model_size`, or `layers`, `width` and
    `heads`; or a model of its own size: a `.keras` file, "FILE.py:function" whose function returns
    a Keras model or layer, a preset folder of keras-hub, or a folder or config.json of Hugging Face
    (backend torch). Without a `form`, a model whose positions ignore later ones is a decoder.
    The lengths begin at 128, and end at `up_to`, or where `memory` or `time` does not
    suffice. Records are kept in the home: the same call continues after an interruption. The card
    is written to `output`, by default the folder `cards` of the home.

    ```python
    card = suite.card("vanilla", model_size="tiny", up_to=256, time="1s", references=False)
    print(card.html.name)
    ```

    Raises:
        LengthwiseError: the model or a limit is invalid, or the model does not fit.
    """
    budget = CardBudget(parse_duration(time), parse_size(memory) if memory else None, up_to)
    budget.check()
    store = make_store(home)
    kind = kind_of(model)
    backend = backend_of(kind, backend) or BACKENDS[0]
    check_backends((backend,))
    known = read_registry().architectures
    search_path = search_path_from_environment()
    longest = None
    if kind:
        if model_size or layers or width or heads:
            raise RequestError("A model of a file or folder has a size of its own", received=model)
        if options:
            raise RequestError("A model of a file or folder has no options", received=model)
        store.prepare()
        plugin = make_plugin(model, kind, backend, form, store, known.plugins)
        model, form, longest = plugin.name, plugin.facts["form"], plugin.facts["longest"]
        search_path = (*search_path, str(plugin.folder))
        size_name = size_of_parameters(plugin.facts["mixing"])
        if longest is not None and up_to != LONGEST and up_to > longest:
            raise RequestError(
                f"The model has {longest} positions",
                received=f"--up-to {up_to}",
                remedy=f"Give --up-to {longest} or less",
            )
    else:
        form = form or _form_of(known.get(model))
        size_name = _size_name(model_size, layers, width, heads)
    settings = {
        "mode": "probe",
        "model_size": size_name,
        "batch_size": batch_size,
        "backend": backend,
        "precision": precision,
        "threads": threads,
        "methods": "none",
    }
    given = {key: value for key, value in settings.items() if value is not None}
    request = make_request({**given, "options": dict(options or {})})
    subject = _subject(model, request, form, longest)
    others = [_subject(name, replace(request, options=own), form) for name, own in REFERENCES]
    others = [other for other in others if references and other.name != subject.name]
    store.prepare()
    file = search_stream() if progress else None
    keywords = {"model": model, "time": time}
    with open_tracked_session(store, "card", keywords, file=file, tracking=tracking) as tracked:
        CardMeasuring(store, tracked.run, budget, search_path).measure(subject, others)
    version = 1 if kind else known.get(model).version
    code = code_of(model, version, backend, search_path)
    report = read_report(store, code)
    if report is None and kind:
        report = _check(code, store, search_path, file)
    return write_card(_make_card(subject, others, report), store, output)


def _check(
    code: CheckedCode, store: Store, search_path: Sequence[str], file: TextIO | None
) -> ConformanceReport | None:
    """Check a given model by the conformance kit."""
    report = None
    with Display(0, file) if file else nullcontext() as display:
        for event in run_kit([code], store, search_path):
            if display:
                display(event)
            if isinstance(event, Checked):
                report = event.report
    return report


def _form_of(architecture: Architecture) -> str:
    return next(str(form) for form in FORMS if form in architecture.forms)


def _subject(name: str, request: Request, form: str, longest: int | None = None) -> Subject:
    """Return what is measured of an architecture in a form."""
    modes = (Mode.PROBE,) if form == Form.ENCODER else (Mode.PROBE, Mode.DECODE)
    request = replace(request, architectures=(name,), form=form)
    return Subject(entry_name(name, request.options), request, modes, longest)


def _size_name(
    model_size: str | None, layers: int | None, width: int | None, heads: int | None
) -> str:
    parts = {"layers": layers, "width": width, "heads": heads}
    given = [name for name, value in parts.items() if value is not None]
    if not given:
        return find_model_size(model_size or DEFAULT_SIZE).name
    if len(given) < len(parts) or model_size:
        raise RequestError(
            "A size is a model size, or layers, width and heads together",
            received=", ".join([*(["a model size"] if model_size else []), *given]),
        )
    return find_model_size("x".join(map(str, parts.values()))).name


def _make_card(
    subject: Subject, others: Sequence[Subject], report: ConformanceReport | None
) -> LengthCard:
    profiles = [
        make_profile(each.name, [each.records[key] for key in sorted(each.records)])
        for each in (subject, *others)
        if each.records
    ]
    checks = [
        asdict(result) for result in (report.results if report else ()) if result.check in CHECKS
    ]
    return LengthCard(profiles[0], profiles[1:], _facts(subject), checks)


def _facts(subject: Subject) -> dict[str, str]:
    record: Record = next(iter(subject.records.values()))
    cell = record.cell
    return {
        "form": str(cell.form),
        "model size": cell.model_size,
        "batch size": str(cell.batch_size),
        "backend": f"{cell.backend}, {cell.precision}, {cell.threads} threads",
        "machine": machine_name(record.environment),
        "measured": f"{max(each.ended_at for each in subject.records.values()):%Y-%m-%d}",
    }


def write_card(made: LengthCard, store: Store, output: PathLike | None) -> WrittenCard:
    """Write the files of a card, which replace those of the same name."""
    import json

    folder = Path(output).expanduser() if output else store.home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in made.profile.name).strip("-")
    contents = {
        "html": to_html(made),
        "md": to_markdown(made),
        "json": json.dumps(made.to_dict(), indent=1) + "\n",
    }
    paths = {ending: folder / f"{name}.{ending}" for ending in contents}
    for ending, text in contents.items():
        atomic_write_bytes(paths[ending], text.encode())
    return WrittenCard(made, paths["html"], paths["md"], paths["json"])
