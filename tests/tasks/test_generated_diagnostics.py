"""Tests of the generated diagnostics: each answer is found again from the symbols alone."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from suite.api import SourceRequest
from suite.matrix.registry import load_registry
from tasks.common.generated import GeneratedSequences, shorten_runs

TASKS = load_registry(()).tasks.plugins
SOURCE = SourceRequest("synthetic")
FEW = {"train_examples": 200}
CASES = [
    ("associative_recall", 64, {}),
    ("associative_recall", 128, {"pairs": 32, "fillers": "random", "mixed_sizes": False}),
    ("associative_recall", 128, {"vocabulary": 40}),
    ("duplication", 64, {}),
    *(("induction_heads", 64, options) for options in ({}, {"occurrences": 1})),
    ("induction_heads", 5, {"occurrences": 9}),
    ("selective_copying", 64, {"memorized": 5}),
    ("selective_copying", 64, {"memorized": 5, "mixed_sizes": False}),
    *(("state_tracking", 40, {"problem": name}) for name in ("parity", "s3", "s5")),
    *(("state_tracking", length, {"problem": "modular_arithmetic"}) for length in (3, 40)),
    ("state_tracking", 40, {"problem": "s3", "asked": "last"}),
    *(("key_value_retrieval", 128, {"pairs": pairs}) for pairs in (1, 7)),
    ("key_value_retrieval", 128, {"pairs": 16, "questions": 1}),
]
IDS = ["-".join([name, str(n), *map(str, options.values())]) for name, n, options in CASES]


@pytest.fixture(scope="module", params=CASES, ids=IDS)
def case(request):
    name, length, options = request.param
    task, options = TASKS[name], {**FEW, **options}
    return task, length, options, task.load(SOURCE, length, options)


def rows_of(examples):
    """Yield the real symbols of each example, and its answers by position."""
    features, targets = examples.features, examples.targets
    for row in range(examples.num_examples):
        real = features["padding_mask"][row]
        positions = np.flatnonzero(targets["scored"][row])
        assert real[positions].all(), "a padded position asks nothing"
        assert (features["token_ids"][row][~real] == 0).all()
        answers = targets["answers"][row][positions]
        yield (
            features["token_ids"][row][real].tolist(),
            dict(zip(positions.tolist(), answers.tolist(), strict=True)),
        )


def recalled(symbols, names, asked):
    """Read the pairs in front; the queries are the places that are asked."""
    pairs = {}
    while len(pairs) < len(asked):
        key, value = symbols[2 * len(pairs) : 2 * len(pairs) + 2]
        assert names[key][0] == "k" and names[value][0] == "v" and key not in pairs
        pairs[key] = value
    assert sorted(symbols[place] for place in asked) == sorted(pairs), "each key once"
    return {place: pairs[symbols[place]] for place in asked}


def duplicated(symbols, names, asked):
    half = len(symbols) // 2
    assert symbols[:half] == symbols[half:] and names[symbols[0]] == "0"
    assert sorted(asked) == list(range(half, len(symbols) - 1))
    return {place: symbols[place - half + 1] for place in asked}


def induced(symbols, names, asked):
    special = [place for place, symbol in enumerate(symbols) if names[symbol] == "*"]
    assert special[-1] == len(symbols) - 1 and special[1:] == sorted(asked)
    (successor,) = {symbols[place + 1] for place in special[:-1]}
    return dict.fromkeys(special[1:], successor)


def copied(symbols, names, asked):
    data = [symbol for symbol in symbols if names[symbol] not in "_?"]
    markers = [place for place, symbol in enumerate(symbols) if names[symbol] == "?"]
    assert markers == list(range(len(symbols) - len(data), len(symbols)))
    return dict(zip(markers, data, strict=True))


def tracked(symbols, names, asked):
    """Find the states by counting, by Python's arithmetic, or by exchanging objects."""
    words = [names[symbol] for symbol in symbols]
    if set(words) <= {"0", "1"}:
        return {place: words[: place + 1].count("1") % 2 for place in asked}
    if "=" in words:
        assert words.index("=") == len(words) - 1 == max(asked)
        text = "".join({"−": "-", "×": "*"}.get(word, word) for word in words)
        return {place: eval(text[:place]) % 5 for place in asked}
    found, objects = {}, list(range(len(words[0])))
    for place, word in enumerate(words):
        objects = [int(word[position]) for position in objects]
        found[place] = names.index("".join(map(str, objects))) - 1
    return {place: found[place] for place in asked}


def retrieved(symbols, names, asked):
    words = [names[symbol] for symbol in symbols]
    said, found = {}, {}
    for place, word in enumerate(words):
        if word == "remember":
            key, value = words[place + 1 : place + 3]
            assert key not in said
            said[key] = int(value.removeprefix("value"))
        elif word == "what-is":
            found[place + 1] = said[words[place + 1]]
    assert words[-2] == "what-is"
    return found


SOLVERS = {
    "associative_recall": recalled,
    "duplication": duplicated,
    "induction_heads": induced,
    "selective_copying": copied,
    "state_tracking": tracked,
    "key_value_retrieval": retrieved,
}


def key_of(task):
    return next(key for key, other in TASKS.items() if other is task)


def test_every_generated_task_is_tested():
    generated = {key for key, task in TASKS.items() if isinstance(task, GeneratedSequences)}
    assert generated == SOLVERS.keys() == {name for name, *_ in CASES}


def test_answers_follow_from_the_symbols(case):
    task, length, options, data = case
    evaluation = task.load_evaluation(SOURCE, 2 * length, options, data.spec)
    solve = SOLVERS[key_of(task)]
    for examples in (data.train, data.validation, evaluation["test"]):
        for symbols, answers in list(rows_of(examples))[:200]:
            assert answers
            assert solve(symbols, data.spec["symbols"], answers.keys()) == answers
        assert examples.features["token_ids"].max() < data.spec["vocabulary_size"]
        assert examples.targets["answers"].max() < len(data.spec["classes"])


def test_evaluation_asks_for_the_full_length(case):
    task, length, options, data = case
    assert task.evaluation_lengths_supported
    for longer in (length, 2 * length):
        evaluation = task.load_evaluation(SOURCE, longer, options, data.spec)
        assert set(evaluation) == {"validation", "test"}
        for examples in evaluation.values():
            real = examples.features["padding_mask"].sum(axis=1)
            odd = options.get("problem") == "modular_arithmetic" and longer % 2
            assert (real == longer - odd).all()
    for split, examples in task.load_evaluation(SOURCE, length, options, data.spec).items():
        trained = getattr(data, split)
        if key_of(task) == "duplication":  # its words at an evaluation length are always new
            assert (
                (examples.features["token_ids"] != trained.features["token_ids"]).any(axis=1).all()
            )
            continue
        for part in ("features", "targets"):
            for name, values in getattr(trained, part).items():
                assert (getattr(examples, part)[name] == values).all()


def test_draws_are_fixed_and_splits_differ(case):
    task, length, options, data = case
    assert task.load(SOURCE, length, options).facts == data.facts
    if length > 5:  # there are 5 arithmetic expressions of length 3
        assert data.facts["shared_with_train"] == {"validation": 0, "test": 0}
        rows = {row.tobytes() for row in data.validation.features["token_ids"]}
        assert not rows & {row.tobytes() for row in data.test.features["token_ids"]}


def test_exact_answers_score_1_and_the_trivial_predictor_scores_chance(case):
    task, _, _, data = case
    examples = data.test
    exact = task.score(examples, np.asarray(examples.targets["answers"]), data.spec)
    assert set(exact.metrics.values()) == {1.0}
    for name, report in exact.reports.items():
        assert name.startswith("by_") and report and set(report.values()) == {1.0}
    trivial = task.predict_trivial(data.train, examples, data.spec)
    score = task.score(examples, trivial, data.spec)
    chance = 1 / len(set(examples.targets["answers"][examples.targets["scored"]].tolist()))
    assert 0 <= score.metrics["accuracy"] < chance + 0.08
    others = {metric.name: metric for metric in (task.primary_metric, *task.other_metrics)}
    assert others.keys() == exact.metrics.keys()
    shown = task.show(examples, trivial, data.spec)[:20]
    assert all(item.right == (item.answer == item.expected) for item in shown)


def test_answers_cannot_be_read_without_the_context():
    """The question alone says nothing: over examples, each answer is about as frequent."""
    for name, length in (("induction_heads", 64), ("key_value_retrieval", 128)):
        task = TASKS[name]
        data = task.load(SOURCE, length, {"train_examples": 4_000})
        by_question = {}
        for symbols, answers in rows_of(data.train):
            answer = answers[len(symbols) - 1]
            by_question.setdefault(symbols[-1], Counter())[answer] += 1
        for counts in by_question.values():
            assert max(counts.values()) < sum(counts.values()) / len(data.spec["classes"]) + 4 * (
                sum(counts.values()) ** 0.5
            )
    data = TASKS["associative_recall"].load(SOURCE, 64, {"train_examples": 4_000})
    values = Counter()
    for symbols, answers in rows_of(data.train):
        values.update(answer for place, answer in answers.items() if symbols[place] == 1)
    assert len(values) > 80 and max(values.values()) < 10


def test_evaluation_of_induction_heads_has_one_occurrence_at_any_place():
    task = TASKS["induction_heads"]
    data = task.load(SOURCE, 64, {"train_examples": 4_000})
    occurrences = {"train": Counter(), "test": Counter()}
    places = Counter()
    for split, counts in occurrences.items():
        for symbols, answers in rows_of(getattr(data, split)):
            counts[len(answers)] += 1
            if split == "test":
                places[symbols.index(15)] += 1
    assert set(occurrences["train"]) == set(range(1, 17)) and occurrences["test"] == {1: 1_000}
    assert set(places) == set(range(62)) and max(places.values()) < 40


def test_the_needle_is_in_each_tenth_of_the_text_alike():
    task = TASKS["key_value_retrieval"]
    data = task.load(SOURCE, 512, FEW)
    long = task.load_evaluation(SOURCE, 32_768, {}, data.spec)["test"]
    assert long.num_examples == 32
    for examples, length in ((data.test, 512), (long, 32_768)):
        tenths = Counter()
        for row, (symbols, _) in enumerate(rows_of(examples)):
            (place,) = (
                place
                for place, pair in enumerate(pairwise(symbols))
                if pair == (64, symbols[-1])  # "remember" and the key that is asked for
            )
            depth = place / (length - 2)
            tenth = examples.targets["depth"][row]
            assert 0.1 * tenth - 3 / length <= depth < 0.1 * (tenth + 1)
            tenths[tenth] += 1
        assert len(tenths) == 10 and max(tenths.values()) - min(tenths.values()) <= 1
    report = task.score(long, long.targets["answers"], data.spec).reports["by_depth"]
    assert next(iter(report)) == "0-10%" and len(report) == 10


@pytest.mark.parametrize("problem", ["parity", "modular_arithmetic", "s3"])
def test_training_asks_for_every_state_or_the_last_of_sequences_of_all_lengths(problem):
    task = TASKS["state_tracking"]
    for asked in ("every", "last"):
        options = {"train_examples": 2_000, "problem": problem, "asked": asked}
        lengths = set()
        for symbols, answers in rows_of(task.load(SOURCE, 40, options).train):
            last, step = len(symbols) - 1, 2 if problem == "modular_arithmetic" else 1
            every = set(range(step - 1, len(symbols), step))
            assert answers.keys() == (every if asked == "every" else {last})
            lengths.add(len(symbols))
        assert lengths == set(range(2 if step == 2 else 3, 41, step))


def test_scaled_accuracy_is_0_for_a_guess():
    task = TASKS["state_tracking"]
    data = task.load(SOURCE, 40, {**FEW, "problem": "s3"})
    targets = data.test.targets
    wrong = (targets["answers"] + 1) % 6
    half = np.where(np.arange(len(wrong))[:, None] % 6 == 0, targets["answers"], wrong)[:996]
    first = type(data.test)(
        *(
            {name: values[:996] for name, values in part.items()}
            for part in (data.test.features, targets)
        )
    )
    metrics = task.score(first, half, data.spec).metrics
    assert metrics["accuracy"] == pytest.approx(1 / 6)
    assert metrics["scaled_accuracy"] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "length", "fitting", "options", "rule"),
    [
        ("associative_recall", 64, 68, {"pairs": 17}, "cannot fit 17 pairs into 64 symbols"),
        ("associative_recall", 400, 384, {"vocabulary": 50}, "one of the 24 keys"),
        ("associative_recall", 65, 66, {}, "even lengths"),
        ("induction_heads", 3, 4, {}, "at least 4"),
        ("key_value_retrieval", 121, 122, {"pairs": 8}, "at least 122 for 8 statements with 4"),
        ("key_value_retrieval", 61, 62, {}, "at least 62"),
        ("selective_copying", 99, 100, {"memorized": 50}, "at least 100 for 50 data symbols"),
        ("state_tracking", 2, 3, {}, "at least 3"),
    ],
)
def test_what_does_not_fit_is_refused_and_what_just_fits_can_be_drawn(
    name, length, fitting, options, rule
):
    task = TASKS[name]
    options = {**task.options, **FEW, **options}
    assert rule in str(task.unsupported_reason(length, options))
    assert task.unsupported_reason(fitting, options) is None
    data = task.load(SOURCE, fitting, options)
    assert data.train.num_examples == 200 and data.train.targets["scored"].any(axis=1).all()


def test_long_examples_are_shown_around_the_evidence():
    assert shorten_runs([0, 0, 0, 1, 1, 2], "abc") == "a ×3 b b c"
    task = TASKS["key_value_retrieval"]
    data = task.load(SOURCE, 512, FEW)
    for shown in task.show(data.test, data.test.targets["answers"], data.spec):
        key = shown.input.split()[-1]
        assert f"remember {key} {shown.expected} " in f"{shown.input} " and len(shown.input) <= 400
