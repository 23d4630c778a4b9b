"""Length cards: what a model costs at each length, measured and predicted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from suite.actions.caller import search_stream
from suite.actions.card_models import DEFAULT_SIZE, FORMS, CardModels, size_name
from suite.actions.checks import make_reports
from suite.actions.request import PathLike, make_request, make_store
from suite.actions.runs import TrackedSession, open_tracked_session
from suite.analysis.comparisons import compare
from suite.analysis.cost_ratios import CostRatio, cost_ratios
from suite.analysis.diagnostics import Diagnostic, find_diagnostics, title_without_lengths
from suite.analysis.length_card import (
    CardLimit,
    Carried,
    EndedLength,
    LengthCard,
    Profile,
    make_profile,
)
from suite.api import BACKENDS, PRECISIONS, Mode, RequestError, Status
from suite.api.conformance import OF_GIVEN_MODELS
from suite.api.errors import check_name
from suite.api.files import atomic_write_bytes
from suite.execution.conformance_checks import RUNS_TO_THE_END, code_of
from suite.execution.given_models import backend_of, describe_apart, kind_of
from suite.execution.preparation import check_backends
from suite.execution.quantities import parse_duration, parse_size
from suite.execution.session import local_executor
from suite.matrix.request import Request, check_request
from suite.records.conformance_reports import ConformanceReport, read_report
from suite.records.environment import machine_name
from suite.records.model_sizes import find_model_size
from suite.records.published import local_record
from suite.records.schema import Record
from suite.records.store import Store
from suite.report.length_card import to_html, to_markdown
from suite.search.frontier import LONGEST
from suite.search.length_card import (
    CardBudget,
    CardMeasuring,
    Subject,
    check_reach,
    measure_reach,
)

DEFAULT_TIME = "10m"
SIZE_OF_QUALITY = "tiny"
"""The size in which a larger architecture is trained for its effective lengths."""
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
    against: str | None = None,
    quality: bool = False,
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

    `against` is another model. The two are measured in interleaved rounds, in place of the
    references, and the card has the ratios of their costs with intervals.

    With `quality`, the model is trained on recall, retrieval and state tracking, by the benchmark
    `reach`, and the card has its effective lengths. A registered architecture larger than `tiny` is
    trained in that size. Training starts from new weights, except those that a given model has.
    `time` limits only the measurement of costs.

    Raises:
        LengthwiseError: a model or a limit is invalid, or the model does not fit.
    """
    budget = CardBudget(parse_duration(time), parse_size(memory) if memory else None, up_to)
    budget.check()
    if form is not None:
        check_name("form", form, FORMS)
    store = make_store(home)
    store.prepare()
    folder = _prepare_folder(store, output)
    kinds = {name: kind_of(name) for name in filter(None, (model, against))}
    for kind in kinds.values():
        backend = backend_of(kind, backend)
    backend = backend or BACKENDS[0]
    check_backends((backend,))
    settings = {
        "mode": "probe",
        "batch_size": batch_size,
        "backend": backend,
        "precision": precision,
        "methods": "none",
        **({} if threads is None else {"threads": threads}),
    }
    asked = make_request(settings)
    check_request(asked)
    size = size_name(model_size, layers, width, heads)
    file = search_stream() if progress else None
    with closing(local_executor()()) as executor:  # a process of its own imports the framework once
        describe = describe_apart(executor, backend, asked.threads)
        models = CardModels(store, settings, form, up_to, describe)
        subject = models.find(model, kinds[model], options or {}, size, trains=quality)
        trained_size = _trained_size(subject, kinds[model])
        if quality:
            check_reach(subject.request, trained_size, store, models.search_path)
        others: Sequence[Subject] = models.references(subject) if references else ()
        if against is not None:
            others = [models.find_other(against, kinds[against], subject)]
        with open_tracked_session(
            store,
            "card",
            {"model": model, "time": time},
            file=file,
            executor=lambda: executor,
            tracking=tracking,
        ) as tracked:
            measuring = CardMeasuring(store, tracked.run, budget, models.search_path)
            if against is None:
                measuring.measure(subject, others)
            else:
                measuring.compare(subject, others[0])
            label = "its own" if kinds[model] else trained_size
            trained = (subject.request, trained_size, label, tracked, store, models)
            carried = _quality(*trained) if quality else ()
    cell = next(iter(subject.records.values())).cell
    code = code_of(cell.architecture, cell.architecture_version, backend, models.search_path)
    report = read_report(store, code)
    if report is None and kinds[model]:
        (report,) = make_reports([code], store, models.search_path, file)
    ratios = cost_ratios(subject.records, others[0].records) if against is not None else ()
    size_of = "model size"
    if kinds[model]:  # it has a size of its own: that of its cells is that of the architectures
        sized = [other.name for other in others if not kinds.get(against or "")]
        size_of = f"size of {', '.join(sized)}" if sized else ""
    made = _make_card(subject, others, report, ratios, size_of)
    lost = _lost_lengths(subject, others[0], made.profile) if against is not None else ()
    facts = {**made.facts, **models.decoding_of(model)}
    return write_card(replace(made, facts=facts, quality=carried, lost=lost), folder)


def _trained_size(subject: Subject, kind: str | None) -> str:
    size = str(subject.request.model_size)
    own, largest = find_model_size(size), find_model_size(SIZE_OF_QUALITY)
    is_larger = own.num_layers * own.width**2 > largest.num_layers * largest.width**2
    return SIZE_OF_QUALITY if kind is None and is_larger else size


def _quality(
    request: Request,
    size: str,
    label: str,
    tracked: TrackedSession,
    store: Store,
    models: CardModels,
) -> list[Carried]:
    """Train a model on the tasks of `reach`, and return its effective lengths, or why it has none.

    `label` is the text that a card has for the size.
    """
    rates, records = measure_reach(
        request,
        size,
        store,
        tracked.run,
        models.search_path,
        folder=store.home / FOLDER / "tuning",
        report=lambda text: print(text, file=tracked.file, flush=True) if tracked.file else None,
    )
    compared = compare([local_record(record, store.path_of(record)) for record in records])
    tasks = models.registry.tasks.plugins
    found = find_diagnostics(compared, tasks)
    scored = {diagnostic.comparison.key.task for diagnostic in found}
    unscored = {each.key.task: each for each in compared if each.key.task not in scored}
    found += [Diagnostic(comparison, tasks[str(name)], "") for name, comparison in unscored.items()]
    carried = [
        Carried(
            diagnostic.title,
            label,
            row.sequence_length,
            row.score.value if row.score else None,
            row.effective_length,
            row.note,
        )
        for diagnostic in found
        for row in diagnostic.rows()
    ]
    return carried + [
        Carried(
            title_without_lengths(tasks[rate.task]),
            label,
            rate.sequence_length,
            None,
            None,
            f"no learning rate chosen: {rate.reason}",
        )
        for rate in rates
        if rate.learning_rate is None
    ]


def _make_card(
    subject: Subject,
    others: Sequence[Subject],
    report: ConformanceReport | None,
    ratios: Sequence[CostRatio],
    size_of: str,
) -> LengthCard:
    """Return the card; `size_of` says whose size that of the cells is, if it is anybody's."""
    profile, *references = map(_profile, (subject, *others))
    facts = _facts(subject, profile.parameters, size_of)
    return LengthCard(profile, references, facts, _checks(report), ratios)


def _checks(report: ConformanceReport | None) -> list[dict[str, Any]]:
    """Return the results that a card shows; of a kit that did not end, what ended it."""
    results = report.results if report else ()
    shown = (*OF_GIVEN_MODELS, RUNS_TO_THE_END)
    return [asdict(result) for result in results if result.check in shown]


def _profile(subject: Subject) -> Profile:
    records = [subject.records[key] for key in sorted(subject.records)]
    profile = make_profile(subject.name, records, subject.longest)
    return replace(profile, ended=[*profile.ended, *_exhausted_budgets(subject)])


def _exhausted_budgets(subject: Subject) -> Iterator[EndedLength]:
    """Yield the length of each mode at which the memory or the time of the card did not suffice."""
    for mode, length in subject.ended.items():
        at = (record for key, record in subject.records.items() if key[:2] == (mode, length))
        if all(record.status is Status.OK for record in at):
            yield EndedLength(mode, length, CardLimit.MEMORY)
    for mode, length in subject.too_late.items():
        yield EndedLength(mode, length, CardLimit.TIME)


def _lost_lengths(subject: Subject, other: Subject, profile: Profile) -> list[str]:
    """Return the lengths that another model was measured at and this one ends at, with the reason.

    An encoder compared with a decoder also lacks the generation of tokens.
    """
    lost: list[EndedLength] = []
    for mode, length in subject.lost_to(other).items():
        known = [end for end in profile.ended if (end.mode, end.length) == (mode, length)]
        lost += known or [EndedLength(mode, length, CardLimit.MEMORY)]
    texts = [str(end) for end in lost]
    if Mode.DECODE in other.modes and Mode.DECODE not in subject.modes:
        texts.append(f"{subject.request.form} generates no tokens")
    return texts


def _facts(subject: Subject, parameters: int | None, size_of: str) -> dict[str, str]:
    record: Record = next(iter(subject.records.values()))
    cell = record.cell
    return {
        "form": str(cell.form),
        **({"parameters": f"{parameters:,}"} if parameters else {}),
        **({size_of: cell.model_size} if size_of else {}),
        "batch size": str(cell.batch_size),
        "backend": f"{cell.backend}, {cell.precision}, {cell.threads} threads",
        **({"positions": f"at most {subject.longest:,}"} if subject.longest else {}),
        "machine": machine_name(record.environment),
        "measured": f"{max(each.ended_at for each in subject.records.values()):%Y-%m-%d}",
    }


def _prepare_folder(store: Store, output: PathLike | None) -> Path:
    """Return the folder of a card, after a check that it can be written to."""
    folder = Path(output).expanduser() if output else store.home / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RequestError(
            "The folder of the card must be writable",
            received=f"{folder} ({error.strerror})",
            remedy="Choose another folder with --output DIR",
        ) from None
    return folder


def write_card(made: LengthCard, folder: Path) -> WrittenCard:
    """Write the files of a card, which replace those of the same model and size."""
    size = made.facts.get("model size", DEFAULT_SIZE)
    title = made.profile.name if size == DEFAULT_SIZE else f"{made.profile.name} {size}"
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in title).strip("-")
    contents = {
        "html": to_html(made),
        "md": to_markdown(made),
        "json": json.dumps(made.to_dict(), indent=1) + "\n",
    }
    paths = {ending: folder / f"{name}.{ending}" for ending in contents}
    for ending, text in contents.items():
        atomic_write_bytes(paths[ending], text.encode())
    return WrittenCard(made, paths["html"], paths["md"], paths["json"])
