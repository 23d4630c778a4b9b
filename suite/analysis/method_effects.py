"""The gain and the price of methods: an entry with methods against the same entry without.

A method is measured against the entry without the last method ("gpt + pretrain + lora" against
"gpt + pretrain"), or else against the architecture without any. A method that only disturbs the
test examples has scores by strength, and neither gain nor price.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from suite.analysis.comparison_key import ComparisonKey
from suite.analysis.comparisons import Comparison
from suite.analysis.entry_at_length import EntryAtLength
from suite.analysis.estimates import Estimate, mean_interval, ratio_interval
from suite.analysis.ranking import difference
from suite.analysis.sessions import counts
from suite.api import DATA_OPTIONS, AppliedMethod, Stage, methods_text
from suite.records.measures import PRICES, phase_of
from suite.records.naming import OBJECTIVE

CONDITION = re.compile(r"(?P<disturbance>.*)=(?P<strength>\d+(?:\.\d+)?(?:e-?\d+)?)")
"""A disturbance and its strength, as "typos=0.05"."""


@dataclass(frozen=True, slots=True)
class MethodEffect:
    """The gain and the price of the methods of an entry at one length, against a reference.

    `gain` is the difference of the scores, paired by seed and by part of the test split; it is
    positive if the method is better. Its interval holds for this effect alone.
    `prices` are multiples of the costs of the reference, paired by seed. Without a reference, only
    a compressed model has prices: those against itself before compression.
    """

    entry: str
    reference: str | None
    sequence_length: int
    score: Estimate | None
    gain: Estimate | None
    prices: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class ConditionScores:
    """The scores of an entry at one length under a disturbance, by its strength.

    Each is the mean over seeds, with an interval over seeds alone. Strength "0" is the score
    without disturbance.
    """

    entry: str
    disturbance: str
    sequence_length: int
    by_strength: Mapping[str, Estimate]


def method_effects(comparison: Comparison) -> list[MethodEffect]:
    """Return the effect of each entry with methods at each length, by length and entry.

    An entry without a reference is left out if it never ran, or if it has another objective than
    its task: it is a pretraining, the parent of other entries.
    """
    effects = []
    pretrains = any(OBJECTIVE in record.ranking.task_options for record in comparison.records)
    for entries in comparison.by_place().values():
        by_name = {entry.name: entry for entry in entries}
        for entry in entries:
            methods = entry.cell.methods
            if not methods or methods[-1].stage is Stage.EVALUATE:
                continue
            reference = _reference(entry, by_name)
            if reference or (entry.good and not pretrains):
                effects.append(
                    MethodEffect(
                        entry=entry.name,
                        reference=reference.name if reference else None,
                        sequence_length=entry.sequence_length,
                        score=entry.score,
                        gain=_gain(entry, reference) if reference else None,
                        prices=dict(_prices(entry, reference)),
                    )
                )
    return sorted(effects, key=lambda effect: (effect.sequence_length, effect.entry))


def _reference(entry: EntryAtLength, by_name: Mapping[str, EntryAtLength]) -> EntryAtLength | None:
    """Return the entry that an entry with methods is measured against; None if it is missing.

    An untuned entry is measured against an untuned one, whose name has the same end.
    """

    def added(methods: tuple[AppliedMethod, ...]) -> str:
        return "".join(f" + {method}" for method in methods_text(methods).split())

    methods = entry.cell.methods
    named = entry.records[0].ranking.entry
    plain, end = named.removesuffix(added(methods)), entry.name.removeprefix(named)
    names = (plain + added(kept) + end for kept in (methods[:-1], ()))
    return next((by_name[name] for name in names if name in by_name), None)


def _gain(entry: EntryAtLength, reference: EntryAtLength) -> Estimate | None:
    """Return by how much an entry is better; None without a seed that both have."""
    of_both = entry.scores(), reference.scores()
    better, worse = of_both if entry.metric and entry.metric.higher_is_better else of_both[::-1]
    if not better.by_seed.keys() & worse.by_seed.keys():
        return None
    return difference(better, worse)


def _prices(
    entry: EntryAtLength, reference: EntryAtLength | None
) -> Iterator[tuple[str, Estimate]]:
    """Yield each cost as a multiple of that without the method, paired by seed.

    A cell that compresses a model measures it before and after in one process: its own figures
    before the compression are the reference.
    """
    for measure in PRICES:
        phase, _, name = measure.partition(".")
        before = {
            repeat: figure.value
            for repeat, run in entry.session_runs.items()
            if counts(run.record, phase_of(measure))
            for variant in run.record.variants.values()
            if (figure := variant.measurements.get(phase, {}).get(name)) and figure.value
        }
        others = before or (reference.cost_values.get(measure, {}) if reference else {})
        own = entry.cost_values.get(measure, {})
        if repeats := sorted(own.keys() & others.keys()):
            yield measure, ratio_interval([own[number] / others[number] for number in repeats])


def condition_scores(comparison: Comparison) -> list[ConditionScores]:
    """Return the scores under each disturbance, by entry and length."""
    scores = []
    for entry in comparison.entries:
        name = entry.metric.name if entry.metric else ""
        disturbances: dict[str, dict[str, list[float]]] = {}
        for record in entry.good:
            for condition, by_split in record.conditions.items():
                found = CONDITION.fullmatch(condition)
                score = by_split.get(entry.split, {}).get(name)
                if found and score is not None:
                    by_strength = disturbances.setdefault(found["disturbance"], {})
                    by_strength.setdefault(found["strength"], []).append(score)
        clean = list(entry.scores().by_seed.values())
        for disturbance, by_strength in disturbances.items():
            strengths = sorted(by_strength.items(), key=lambda item: float(item[0]))
            means = {at: mean_interval(of) for at, of in [("0", clean), *strengths] if of}
            scores.append(ConditionScores(entry.name, disturbance, entry.sequence_length, means))
    return scores


OPTION = "train_share"
MIN_SHARES = 3
"""The least number of shares of an entry that make a line."""


@dataclass(frozen=True, slots=True)
class DataSizeScores:
    """The scores of an entry at one length by the share of the training examples.

    `comparison` is that of the largest share, and each score the mean over seeds.
    """

    comparison: Comparison
    entry: str
    sequence_length: int
    by_share: Mapping[float, Estimate]


def data_size_scores(comparisons: Sequence[Comparison]) -> list[DataSizeScores]:
    """Return the scores of each entry at each length for which enough shares are known."""
    known: dict[tuple[ComparisonKey, str, int], dict[float, tuple[Comparison, Estimate]]] = {}
    for comparison in sorted(comparisons, key=lambda one: _split(one.key)[0]):
        share, key = _split(comparison.key)
        for entry in comparison.entries:
            if score := entry.score:
                place = key, entry.name, entry.sequence_length
                known.setdefault(place, {})[share] = comparison, score
    return [
        DataSizeScores(
            comparison=[*by_share.values()][-1][0],
            entry=name,
            sequence_length=length,
            by_share={share: score for share, (_, score) in by_share.items()},
        )
        for (_, name, length), by_share in known.items()
        if len(by_share) >= MIN_SHARES
    ]


def _split(key: ComparisonKey) -> tuple[float, ComparisonKey]:
    """Return the share of a comparison, and its key without the share."""
    options = key.task_options.split()
    shares = [text.partition("=")[2] for text in options if text.startswith(f"{OPTION}=")]
    others = " ".join(text for text in options if not text.startswith(f"{OPTION}="))
    share = float(shares[0]) if shares else float(DATA_OPTIONS[OPTION])
    return share, replace(key, task_options=others)
