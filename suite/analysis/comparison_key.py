"""Comparison keys: what records must share to be compared, their groups, and their titles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from suite.api import BACKENDS, PRECISIONS, Cell, Mode, Track
from suite.records.naming import options_text
from suite.records.published import StoredRecord

Item = TypeVar("Item")
Key = TypeVar("Key")
Groups = dict["ComparisonKey", list[StoredRecord]]

OWN_DATA = "files"
"""The source of a user's files; cells do not name their path."""
FILLED = 0.9
"""A probe whose batch fills less of its power of two of positions has a comparison of its own."""


class ComparisonKind(StrEnum):
    """Trainings of a frozen benchmark, measurements of costs, and other trainings."""

    FINAL = "final"
    COSTS = "costs"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True, order=True)
class ComparisonKey:
    """The fields that the records of one comparison share, except the length.

    `task_options` are the options of the task ("units=bytes"), `DATA_OPTIONS` ("train_share=0.1"),
    `VALIDATION_OPTIONS`, and those that the benchmark sets for the task; all others belong to the
    entry. A batch is cut
    from `positions_per_batch`, a power of two, or has `sequences_per_batch`; the other is 0.
    `fingerprint` identifies the data; it is empty where the data of several lengths, each drawn for
    its length, are joined. `threads` and `machine` are set for probes alone: trainings of several
    machines share their scores. `benchmark` is the label of a frozen benchmark, or ""; `ranked` is
    true if it ranks its trainings. `split` is that of the scores, "test" or "validation".
    """

    mode: Mode
    task: str
    source: str
    task_options: str
    form: str
    model_size: str
    steps: int
    precision: str
    backend: str
    positions_per_batch: int
    sequences_per_batch: int
    threads: int
    fingerprint: str = ""
    drawn_for_length: bool = False
    machine: str = ""
    benchmark: str = ""
    track: str = "standard"
    split: str = ""
    ranked: bool = False

    @property
    def batch(self) -> str:
        """The size of the batches: in positions, or in sequences where those were fixed."""
        if self.sequences_per_batch:
            return f"batch {self.sequences_per_batch}"
        positions = "tokens" if self.mode is not Mode.TRAIN else "positions"
        return f"{self.positions_per_batch:,} {positions} a batch"

    @property
    def kind(self) -> ComparisonKind:
        """The kind of the comparison: final runs, measurements of costs, or trials."""
        if self.mode is not Mode.TRAIN:
            return ComparisonKind.COSTS
        return ComparisonKind.FINAL if self.benchmark else ComparisonKind.TRIAL

    @property
    def is_own_data(self) -> bool:
        """Whether the data are files of the user."""
        return self.source == OWN_DATA

    @property
    def unranked_reason(self) -> str | None:
        """Why no entry of the comparison has a rank; None if entries may have one."""
        if self.mode is not Mode.TRAIN or (self.ranked and self.benchmark and self.split == "test"):
            return None
        if self.split == "validation":
            return "validation scores are not ranked"
        if self.benchmark:
            return f"the benchmark {self.benchmark} is not ranked"
        return "only final runs of a ranked benchmark are ranked"

    @property
    def form_text(self) -> str:
        """The form, such as "encoder-decoder"."""
        return self.form.replace("_", "-")

    @property
    def engine(self) -> str:
        """The backend and the precision."""
        return f"{self.backend}, {self.precision}"

    @property
    def thread_text(self) -> str:
        """The number of threads; empty for trainings."""
        return f"{self.threads} thread{'s' if self.threads > 1 else ''}" if self.threads else ""

    @property
    def track_text(self) -> str:
        """The track, if it is the open one."""
        return "open track" if self.track == Track.OPEN else ""

    @property
    def title(self) -> str:
        """A title for people, without the fingerprint of the data."""
        if self.mode is not Mode.TRAIN:
            what = [str(self.mode), self.form_text, self.benchmark, self.track_text]
            last = [self.batch]
        else:
            validation = "validation" if self.split == "validation" else ""
            what = [self.task, self.source, self.task_options, self.benchmark, validation]
            last = [f"{self.steps:,} steps", self.batch]
            what.append(self.track_text)
        how = [f"model size {self.model_size}", self.backend, self.precision, self.thread_text]
        return " · ".join(filter(None, [*what, *how, *last, self.machine]))


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Return items by a key, in the order of the first item of each key."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def key_of(stored: StoredRecord) -> ComparisonKey:
    """Return the comparison that a record belongs to."""
    record, probe = stored.record, stored.record.cell.mode is not Mode.TRAIN
    cell, facts = record.cell, record.ranking
    counts_examples = facts.scored_unit == "examples"
    return ComparisonKey(
        mode=cell.mode,
        task=cell.task or "",
        source=cell.source or "",
        task_options=options_text(facts.task_options),
        form=str(cell.form),
        model_size=cell.model_size,
        steps=cell.steps,
        precision=cell.precision,
        backend=cell.backend,
        positions_per_batch=0 if counts_examples else _positions_per_batch(cell),
        sequences_per_batch=cell.batch_size if counts_examples else 0,
        threads=cell.threads if probe else 0,
        fingerprint=record.fingerprint,
        drawn_for_length=facts.drawn_for_length,
        machine=stored.machine if probe else "",
        benchmark=cell.benchmark or "",
        track=facts.track,
        split="" if probe else "test" if cell.scores_test else "validation",
        ranked=facts.ranked,
    )


def group(records: Iterable[StoredRecord]) -> Groups:
    """Group records by comparison, trainings first, in the order of the keys.

    Records of cells that did not read their data have no fingerprint: they join the comparison that
    is alike in all else. A comparison of methods also has the entries of the standard track, which
    each method is measured against.
    """
    groups = _with_lengths_joined(grouped(records, key_of))
    known = {replace(key, fingerprint=""): key for key in groups if key.fingerprint}
    for key in [key for key in groups if key in known]:
        if not any(stored.record.fingerprint for stored in groups[key]):
            groups[known[key]] += groups.pop(key)
    groups = _with_fixed_batches(groups)
    for key in [key for key in groups if key.track == Track.OPEN]:
        if any(stored.record.cell.methods for stored in groups[key]):
            plain = _of_same_data(groups, replace(key, track=str(Track.STANDARD)))
            groups[key] = [*groups[key], *plain]
    return dict(sorted(groups.items(), key=lambda item: (item[0].mode is not Mode.TRAIN, item[0])))


def baseline_keys(keys: Collection[ComparisonKey]) -> dict[ComparisonKey, ComparisonKey]:
    """Return by key the comparison that it is measured against, possibly itself.

    The baseline is alike in all but backend and precision, of which the default comes first.
    """

    def preference(key: ComparisonKey) -> tuple[bool, bool, ComparisonKey]:
        return key.backend != BACKENDS[0], key.precision != PRECISIONS[0], key

    def without_engine(key: ComparisonKey) -> ComparisonKey:
        return replace(key, backend="", precision="")

    alike = grouped(keys, without_engine)
    return {key: min(alike[without_engine(key)], key=preference) for key in keys}


def titles(keys: Iterable[ComparisonKey]) -> dict[ComparisonKey, str]:
    """Return each key's title, with the data's fingerprint where titles would be equal."""
    keys = list(keys)
    counts = Counter(key.title for key in set(keys))
    return {
        key: f"{key.title} · data {key.fingerprint[:8]}" if counts[key.title] > 1 else key.title
        for key in keys
    }


def _with_lengths_joined(groups: Groups) -> Groups:
    """Join groups that differ in the fingerprint alone, where data is drawn for a length.

    Two fingerprints of one length are different data: their groups stay apart, and so do those of
    an older version of the task.
    """
    drawn = [key for key in groups if key.drawn_for_length]
    joined = dict(groups)
    for key, every in grouped(drawn, lambda key: replace(key, fingerprint="")).items():
        versions = {
            part: max(stored.record.cell.task_version or 0 for stored in groups[part])
            for part in every
        }
        parts = [part for part in every if versions[part] == max(versions.values())]
        lengths = Counter(
            length for part in parts if part.fingerprint for length in _lengths(groups[part])
        )
        if len(lengths) > 1 and set(lengths.values()) == {1}:
            joined[key] = [stored for part in parts for stored in joined.pop(part)]
    return joined


def _of_same_data(groups: Groups, key: ComparisonKey) -> list[StoredRecord]:
    """Return the records of a key; those on its data, where their lengths are joined."""
    joined = replace(key, fingerprint="")
    if key in groups or not key.drawn_for_length:
        return groups.get(key, [])
    records = groups.get(joined, [])
    return [stored for stored in records if stored.record.fingerprint == key.fingerprint]


def _with_fixed_batches(groups: Groups) -> Groups:
    """Replace groups of equal positions by groups of equal batch size that have more lengths.

    A sweep over the lengths is therefore found whichever was held constant. No record is lost.
    """
    fixed: Groups = {}
    alternatives: dict[ComparisonKey, set[ComparisonKey]] = {}
    for key, records in groups.items():
        if key.mode is not Mode.TRAIN:
            by_size = grouped(records, lambda stored: stored.record.cell.batch_size)
            for size, of_size in by_size.items():
                other = replace(key, positions_per_batch=0, sequences_per_batch=size)
                fixed.setdefault(other, []).extend(of_size)
                alternatives.setdefault(key, set()).add(other)
    chosen = dict(groups)
    for key, others in alternatives.items():
        num_lengths = len(_lengths(groups[key]))
        longer = {other for other in others if len(_lengths(fixed[other])) > num_lengths}
        chosen |= {other: fixed[other] for other in longer}
        if longer == others:
            del chosen[key]
    return chosen


def _lengths(records: Iterable[StoredRecord]) -> set[int]:
    return {stored.record.cell.sequence_length for stored in records}


def _positions_per_batch(cell: Cell) -> int:
    positions = cell.batch_size * cell.sequence_length
    whole = 1 << (positions - 1).bit_length()  # whole sequences were cut from this power of two
    if cell.mode is not Mode.TRAIN and positions < FILLED * whole:
        return positions  # a batch that is much smaller costs less
    return whole


DISTINGUISHING: tuple[Callable[[ComparisonKey], str], ...] = (
    lambda key: key.track_text,
    lambda key: key.task_options,
    lambda key: key.source,
    lambda key: f"size {key.model_size}",
    lambda key: f"{key.steps:,} steps",
    lambda key: key.batch,
    lambda key: key.backend,
    lambda key: key.precision,
    lambda key: key.thread_text,
    lambda key: key.machine,
    lambda key: f"data {key.fingerprint[:8]}" if key.fingerprint else "joined data",
)
"""The parts of a name, the most telling first."""


def short_titles(keys: Iterable[ComparisonKey]) -> dict[ComparisonKey, str]:
    """Return a short name of each key, such as "core-1" or "trials, 300 steps".

    A name has only the parts in which the key differs from others of its task, or of its form for
    probes.
    """

    def subject(key: ComparisonKey) -> tuple[Mode, str, str]:
        return key.mode, key.task, "" if key.mode is Mode.TRAIN else key.form

    all_names: dict[ComparisonKey, str] = {}
    for of_subject in grouped(keys, subject).values():
        names = {key: _start(key) for key in of_subject}
        for part in DISTINGUISHING:
            names = _extended(names, part)
        all_names |= names
    return all_names


def _start(key: ComparisonKey) -> str:
    if key.mode is not Mode.TRAIN:
        return f"{key.benchmark or f'{key.mode}s'}, {key.batch}"
    if key.benchmark:
        return key.benchmark
    return "trials scored on validation" if key.split == "validation" else "trials with --test"


def _extended(
    names: dict[ComparisonKey, str], part: Callable[[ComparisonKey], str]
) -> dict[ComparisonKey, str]:
    """Add a part to the names that several keys have, where the part differs between them."""
    parts = {
        name: {part(key) for key in keys}
        for name, keys in grouped(names, names.__getitem__).items()
    }
    return {
        key: f"{name}, {part(key)}" if len(parts[name]) > 1 and part(key) else name
        for key, name in names.items()
    }
