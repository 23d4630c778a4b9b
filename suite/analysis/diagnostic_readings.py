"""One sentence on each chart of diagnostics, made from the figures of the chart by rule.

A sentence states means over seeds as the page prints them, and the number of seeds. It is empty
where the figures allow none. "Reaches" compares the printed figure with the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from suite.analysis.statistics import Estimate

Figures = Mapping[str, Estimate]
CLOSE = 0.05
"""The largest distance from the best score of which a sentence compares the entries."""
STAYS = 0.01
"""The largest change of a share of which a sentence says that the share stays."""
Named = Sequence[tuple[str, Figures]]
"""The figures of each entry by place, the first place being that of the training."""


def read_states(sizes: Sequence[tuple[str, int, Estimate]], solved_at: float, metric: str) -> str:
    """Return which entry solves the task with the smallest state, or which comes closest."""
    seeds = count_text(one.n for _, _, one in sizes)
    reached = [each for each in sizes if _reaches(each[2], solved_at)]
    if reached:
        name, size, one = min(reached, key=lambda each: (each[1], -each[2].value))
        start = f"The smallest state that reaches {solved_at:g} is that of {name}"
        return f"{start}: {_kibibytes(size)}, {metric} {_text(one)} ({seeds})."
    name, size, one = max(sizes, key=lambda each: each[2].value)
    best = f"the best is {name} with {_text(one)} and {_kibibytes(size)} of state"
    return f"No entry reaches {solved_at:g}; {best} ({seeds})."


def read_changes(lines: Named, solved_at: float, place_text: Callable[[str], str]) -> str:
    """Return how the entries that are `CLOSE` to the best at the first place do at another one.

    The other place is the one where these entries differ most, and of equals the last one.
    """
    known = {name: figures for name, figures in lines if figures}
    start = next((place for figures in known.values() for place in figures), "")
    known = {name: figures for name, figures in known.items() if start in figures}
    if not known:
        return ""
    seeds = count_text(one.n for figures in known.values() for one in figures.values())
    best = max(known, key=lambda name: known[name][start].value)
    least = round(known[best][start].value - CLOSE, 3)
    by_place: dict[str, list[str]] = {}
    for name, figures in known.items():
        if round(figures[start].value, 3) >= least:
            for place in figures:
                by_place.setdefault(place, []).append(name)
    del by_place[start]

    def values(place: str) -> list[float]:
        return [known[name][place].value for name in by_place[place]]

    solved = _reaches(known[best][start], solved_at)
    missed = f"No entry reaches {solved_at:g} at {place_text(start)}"
    if not by_place:
        closest = f"the best is {best} with {_text(known[best][start])}"
        return "" if solved else f"{missed}; {closest} ({seeds})."
    place = max(reversed(by_place), key=lambda at: round(max(values(at)) - min(values(at)), 3))
    worst_first = sorted(by_place[place], key=lambda name: known[name][place].value)
    parts = [
        _change(name, known[name][start], known[name][place])
        for name in dict.fromkeys((worst_first[0], worst_first[-1]))
    ]
    span = f"From {place_text(start)}" if solved else f"{missed}; from there"
    return f"{span} to {place_text(place)}, {'; '.join(parts)} ({seeds})."


def read_problems(figures: Mapping[str, Figures], solved_at: float) -> str:
    """Return which entry solves the most problems, and which problems no entry solves."""
    problems = list(dict.fromkeys(problem for of in figures.values() for problem in of))
    seeds = count_text(one.n for of in figures.values() for one in of.values())
    solved = {
        entry: [name for name in problems if name in of and _reaches(of[name], solved_at)]
        for entry, of in figures.items()
    }
    best = max(
        figures,
        key=lambda entry: (len(solved[entry]), max(one.value for one in figures[entry].values())),
    )
    if not solved[best]:
        problem, one = max(figures[best].items(), key=lambda item: item[1].value)
        closest = f"the closest is {best} with {_text(one)} in {problem}"
        return f"No entry reaches {solved_at:g} in {_listed(problems, 'or')}; {closest} ({seeds})."
    unsolved = [name for name in problems if not any(name in of for of in solved.values())]
    rest = f", and none in {_listed(unsolved, 'or')}" if unsolved else ""
    most = f"{best} reaches {solved_at:g} in {_listed(solved[best], 'and')}"
    return f"{most}, no entry in more problems{rest} ({seeds})."


def read_depths(entry: str, at_lengths: Mapping[int, Figures], solved_at: float) -> str:
    """Return up to which length an entry finds the needle at every depth."""
    by_length = {length: dict(groups) for length, groups in sorted(at_lengths.items()) if groups}
    if not by_length:
        return ""
    seeds = count_text(one.n for groups in by_length.values() for one in groups.values())
    whole = 0
    for length, groups in by_length.items():
        worst = min(groups, key=lambda depth: groups[depth].value)
        if _reaches(groups[worst], solved_at):
            whole = length
            continue
        if not whole:
            best = max(groups, key=lambda depth: groups[depth].value)
            return (
                f"At length {length:,}, the accuracy of {entry} lies between "
                f"{_text(groups[worst])} (depth {worst}) and {_text(groups[best])} "
                f"(depth {best}; {seeds})."
            )
        return (
            f"{entry} reaches {solved_at:g} at every depth up to length {whole:,}; at {length:,} "
            f"its lowest accuracy is {_text(groups[worst])} (depth {worst}; {seeds})."
        )
    return f"{entry} reaches {solved_at:g} at every depth up to length {whole:,} ({seeds})."


def read_costs(lines: Named, what: str) -> str:
    """Return by which factor a cost changes from the shortest context to a longer one.

    The entries with the largest and the smallest factor are named. The longer context is the one
    where these factors differ most, and of equals the last one.
    """
    contexts = sorted({int(context) for _, figures in lines for context in figures})
    first = str(contexts[0]) if contexts else ""
    factors = {
        context: {
            name: figures[str(context)].value / figures[first].value
            for name, figures in lines
            if first in figures and str(context) in figures
        }
        for context in reversed(contexts[1:])
    }
    factors = {context: of for context, of in factors.items() if of}
    if not factors:
        return ""
    last = max(
        factors, key=lambda at: round(max(factors[at].values()) / min(factors[at].values()), 2)
    )
    found = factors[last]
    most, least = max(found, key=found.__getitem__), min(found, key=found.__getitem__)
    texts = {f"{found[name]:,.3g}": name for name in (most, least)}
    if len(found) > 1 and len(texts) == 1:
        texts = dict.fromkeys(texts, "every entry")
    rounds = count_text((one.n for _, of in lines for one in of.values()), "round")
    listed = " and of ".join(f"{factor} for {name}" for factor, name in texts.items())
    span = f"From a context of {int(first):,} to one of {last:,}"
    return f"{span}, {what} changes by a factor of {listed} ({rounds})."


def count_text(counts: Iterable[int], name: str = "seed") -> str:
    """Return the numbers of repeats as "1 seed", "3 seeds" or "1 to 3 seeds"."""
    known = sorted(set(counts))
    if known == [1]:
        return f"1 {name}"
    return f"{' to '.join(map(str, dict.fromkeys((known[0], known[-1]))))} {name}s"


def _change(name: str, before: Estimate, after: Estimate) -> str:
    if round(abs(after.value - before.value), 3) <= STAYS:
        return f"{name} stays at {_text(after)}"
    verb = "falls" if after.value < before.value else "rises"
    return f"{name} {verb} from {_text(before)} to {_text(after)}"


def _reaches(one: Estimate, solved_at: float) -> bool:
    return round(one.value, 3) >= solved_at


def _text(one: Estimate) -> str:
    return f"{one.value:.3f}"


def _kibibytes(size: int) -> str:
    return f"{size / 2**10:,.4g} KiB"


def _listed(names: Sequence[str], last: str) -> str:
    return f" {last} ".join(filter(None, (", ".join(names[:-1]), names[-1])))
