"""One sentence on each chart of diagnostics, made from the figures of the chart by rule.

A sentence states means over seeds as the page prints them, and the number of seeds. It is empty
where the figures allow none. A seed solves a task by its primary metric at the training length.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from suite.analysis.diagnostics import Solved
from suite.analysis.estimates import Estimate, count_text

Figures = Mapping[str, Estimate]
CLOSE = 0.05
"""The largest distance from the best score of which a sentence compares the entries."""
STAYS = 0.01
"""The largest change of a share of which a sentence says that the share stays."""
Named = Sequence[tuple[str, Figures]]
"""The figures of each entry by place, the first place being that of the training."""


def read_states(sizes: Sequence[tuple[str, int, Estimate, Solved]], metric: str) -> str:
    """Return which entry solves the task with the smallest state, or which comes closest."""
    seeds = count_text(one.n for _, _, one, _ in sizes)
    reached = [each for each in sizes if _all_solve(each[3])]
    if reached:
        size = min(of_entry for _, of_entry, _, _ in reached)
        smallest = [(name, one) for name, of_entry, one, _ in reached if of_entry == size]
        names = _listed([name for name, _ in smallest], "and")
        values = span_text([one.value for _, one in smallest])
        start = f"The smallest state with which all seeds solve the task is that of {names}"
        return f"{start}: {_kibibytes(size)}, {metric} {values} ({seeds})."
    name, size, one, _ = max(sizes, key=lambda each: each[2].value)
    best = f"the best is {name} with {_text(one)} and {_kibibytes(size)} of state"
    return f"{_unsolved({name: solved for name, _, _, solved in sizes})}; {best} ({seeds})."


def read_changes(
    lines: Named,
    solved: Mapping[str, Solved],
    place_text: Callable[[str], str],
    *,
    higher_is_better: bool = True,
) -> str:
    """Return how the entries that are `CLOSE` to the best at the first place do at another one.

    The other place is the one where these entries differ most, and of equals the last one. The
    scores at their last place follow if it is another one. The sentence states the best score alone
    if no seed solves the task, because changes of chance mean nothing. `solved` has the seeds of
    each entry that solve the task; it is empty for a task that is never solved.
    """
    known = {name: figures for name, figures in lines if figures}
    start = next((place for figures in known.values() for place in figures), "")
    known = {name: figures for name, figures in known.items() if start in figures}
    if not known:
        return ""
    seeds = count_text(one.n for figures in known.values() for one in figures.values())
    sign = 1 if higher_is_better else -1
    best = max(known, key=lambda name: sign * known[name][start].value)
    least = round(sign * known[best][start].value - CLOSE, 3)
    by_place: dict[str, list[str]] = {}
    for name, figures in known.items():
        if round(sign * figures[start].value, 3) >= least:
            for place in figures:
                by_place.setdefault(place, []).append(name)
    del by_place[start]

    def values(place: str) -> list[float]:
        return [known[name][place].value for name in by_place[place]]

    of_known = {name: solved[name] for name in known if name in solved}
    missed = _unsolved(of_known) if of_known else ""
    by_chance = bool(of_known) and not any(one.num_solved for one in of_known.values())
    if not by_place or by_chance:
        closest = f"the best is {best} with {_text(known[best][start])} at {place_text(start)}"
        return (
            f"{missed}; {closest} ({seeds})." if missed else f"{_capitalized(closest)} ({seeds})."
        )
    place = max(reversed(by_place), key=lambda at: round(max(values(at)) - min(values(at)), 3))
    worst_first = sorted(by_place[place], key=lambda name: sign * known[name][place].value)
    named = list(dict.fromkeys((worst_first[0], worst_first[-1])))
    parts = [_change(name, known[name][start], known[name][place]) for name in named]
    span = f"{missed}; from" if missed else "From"
    change = f"{span} {place_text(start)} to {place_text(place)}, {'; '.join(parts)}"
    last = next(at for at in reversed(by_place) if set(named) & set(by_place[at]))
    if last == place:
        return f"{change} ({seeds})."
    ends = [f"{name} {_text(known[name][last])}" for name in named if last in known[name]]
    return f"{change}. At {place_text(last)}, the scores are {' and '.join(ends)} ({seeds})."


def read_problems(
    figures: Mapping[str, Figures], solved: Mapping[str, Mapping[str, Solved]]
) -> str:
    """Return which entry solves the most problems, and which problems no entry solves.

    `solved` has the seeds that solve each problem by entry and problem.
    """
    problems = list(dict.fromkeys(problem for of in figures.values() for problem in of))
    seeds = count_text(one.n for of in figures.values() for one in of.values())
    whole = {
        entry: [name for name in problems if name in of and _all_solve(of[name])]
        for entry, of in solved.items()
    }
    best = max(
        figures,
        key=lambda entry: (len(whole[entry]), max(one.value for one in figures[entry].values())),
    )
    if not whole[best]:
        problem, one = max(figures[best].items(), key=lambda item: item[1].value)
        count, num_seeds = solved[best][problem]
        return (
            f"No entry solves {_listed(problems, 'or')} with all its seeds; the closest is {best} "
            f"with {_text(one)} in {problem}, which {count} of {num_seeds} seeds solve."
        )
    rest = [name for name in problems if not any(name in of for of in whole.values())]
    none = f", and none solves {_listed(rest, 'or')}" if rest else ""
    most = f"{best} solves {_listed(whole[best], 'and')} with all its seeds"
    return f"{most}, no entry solves more problems{none} ({seeds})."


def read_depths(
    entry: str, at_lengths: Mapping[int, Figures], num_examples: Mapping[int, int]
) -> str:
    """Return the lowest accuracy over depths at the first length and at the last one.

    `num_examples` has the number of test sequences by length. A length with few sequences has a
    handful at each depth, so no threshold is named.
    """
    by_length = {length: groups for length, groups in sorted(at_lengths.items()) if groups}
    if not by_length:
        return ""
    parts = []
    for length in dict.fromkeys((min(by_length), max(by_length))):
        groups = by_length[length]
        worst = min(groups, key=lambda depth: groups[depth].value)
        same = len({_text(one) for one in groups.values()}) == 1
        facts = [] if same else [f"depth {worst}"]
        if length in num_examples:
            facts.append(f"{num_examples[length]:,} sequences over {len(groups)} depths")
        about = f" ({', '.join(facts)})" if facts else ""
        parts.append(f"{_text(groups[worst])} at length {length:,}{about}")
    seeds = count_text(one.n for groups in by_length.values() for one in groups.values())
    return f"The lowest accuracy of {entry} at any depth is {' and '.join(parts)}; {seeds}."


def read_costs(lines: Named, what: str) -> str:
    """Return by which factor a cost changes from the shortest context to a longer one.

    The entries with the largest and the smallest factor are named. The longer context is the one
    where these factors differ most, and of equals the last one. A size of 0 has no factor.
    """
    contexts = sorted({int(context) for _, figures in lines for context in figures})
    first = str(contexts[0]) if contexts else ""
    factors = {
        context: {
            name: figures[str(context)].value / figures[first].value
            for name, figures in lines
            if str(context) in figures and first in figures and figures[first].value
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


def span_text(values: Collection[float]) -> str:
    """Return the least and the largest of some scores, as "0.990 to 1.000" or "0.990"."""
    return " to ".join(dict.fromkeys(f"{value:.3f}" for value in (min(values), max(values))))


def _change(name: str, before: Estimate, after: Estimate) -> str:
    if round(abs(after.value - before.value), 3) <= STAYS:
        return f"{name} stays at {_text(after)}"
    verb = "falls" if after.value < before.value else "rises"
    return f"{name} {verb} from {_text(before)} to {_text(after)}"


def _all_solve(solved: Solved) -> bool:
    return 0 < solved.num_seeds == solved.num_solved


def _unsolved(solved: Mapping[str, Solved]) -> str:
    """Return how many seeds solve the task at most; "" if all seeds of an entry do."""
    if any(_all_solve(one) for one in solved.values()):
        return ""
    name, most = max(
        solved.items(), key=lambda item: item[1].num_solved / max(1, item[1].num_seeds)
    )
    if not most.num_solved:
        return "No seed solves the task"
    count = f"{most.num_solved} of {most.num_seeds} seeds"
    return f"{name} solves the task with {count}, no entry with more"


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _text(one: Estimate) -> str:
    return f"{one.value:.3f}"


def _kibibytes(size: int) -> str:
    return f"{size / 2**10:,.4g} KiB"


def _listed(names: Sequence[str], last: str) -> str:
    return f" {last} ".join(filter(None, (", ".join(names[:-1]), names[-1])))
