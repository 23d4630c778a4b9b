"""Length cards: what a model costs at each length, measured and predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from suite.actions.caller import read_registry, search_stream
from suite.actions.request import PathLike, make_request, make_store
from suite.actions.runs import open_tracked_session
from suite.analysis.length_card import LengthCard, make_profile
from suite.api import BACKENDS, PRECISIONS, Architecture, Form, Mode, RequestError
from suite.api.files import atomic_write_bytes
from suite.execution.quantities import parse_duration, parse_size
from suite.matrix.request import Request
from suite.records.environment import machine_name
from suite.records.model_sizes import find_model_size
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
    backend: str = BACKENDS[0],
    precision: str = PRECISIONS[0],
    threads: int | None = None,
    output: PathLike | None = None,
    home: PathLike | None = None,
    progress: bool = True,
    tracking: bool = True,
) -> WrittenCard:
    """Measure a model against the length of its input, and write its length card.

    `model` is a registered architecture. Its size is `model_size`, or `layers`, `width` and
    `heads`. The lengths begin at 128, and end at `up_to`, or where `memory` or `time` does not
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
    architecture = read_registry().architectures.get(model)
    size = _size_name(model_size, layers, width, heads)
    settings = {
        "mode": "probe",
        "model_size": size,
        "batch_size": batch_size,
        "backend": backend,
        "precision": precision,
        "threads": threads,
        "methods": "none",
    }
    given = {key: value for key, value in settings.items() if value is not None}
    request = make_request({**given, "options": dict(options or {})})
    subject = _subject(model, architecture, request, form)
    others = [
        _subject(name, None, replace(request, options=own), subject.request.form)
        for name, own in REFERENCES
    ]
    others = [other for other in others if references and other.name != subject.name]
    store.prepare()
    file = search_stream() if progress else None
    keywords = {"model": model, "time": time}
    with open_tracked_session(store, "card", keywords, file=file, tracking=tracking) as tracked:
        CardMeasuring(store, tracked.run, budget).measure(subject, others)
    return write_card(_make_card(subject, others), store, output)


def _subject(
    name: str, architecture: Architecture | None, request: Request, form: str | None
) -> Subject:
    """Return what is measured of an architecture, in a form that it has."""
    if form is None and architecture:
        form = next(str(each) for each in FORMS if each in architecture.forms)
    modes = (Mode.PROBE,) if form == Form.ENCODER else (Mode.PROBE, Mode.DECODE)
    request = replace(request, architectures=(name,), form=form)
    return Subject(entry_name(name, request.options), request, modes)


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


def _make_card(subject: Subject, others: Sequence[Subject]) -> LengthCard:
    profiles = [
        make_profile(each.name, [each.records[key] for key in sorted(each.records)])
        for each in (subject, *others)
        if each.records
    ]
    return LengthCard(profiles[0], profiles[1:], _facts(subject))


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
