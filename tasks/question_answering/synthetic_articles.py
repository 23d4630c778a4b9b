"""Generated articles with statements about people, and a question about one of the statements.

A context consists of words with the frequencies of Zipf's law. Among them are statements of the
form "the colour of Bado is dark red.": one for each property of each of a few people. The question
asks for one of them. Statements of all kinds are anywhere, so a place tells nothing about the
answer. A model that does not read the question can only guess one of all statements. The property
in the question leaves one statement for each person, and the name leaves the answer.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from tasks.common.generated import SPLITS, evaluation_examples
from tasks.common.scattered_sentences import (
    FULL_STOP,
    draw_fillers,
    invent_words,
    join_words,
    scatter_sentences,
)
from tasks.question_answering.squad import Question, Questions

SEED = 20_261_126


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a person, and the question for it.

    No two properties share a word, so each question shows its property several times. An answer
    is one of `nouns`, half of the time after one of `adjectives`.
    """

    name: str
    question: str
    adjectives: tuple[str, ...]
    nouns: tuple[str, ...]


PROPERTIES = (
    Property(
        "colour",
        "which fine hue or tint suits {} most?",
        ("dark", "pale", "bright", "deep"),
        ("red", "blue", "green", "yellow", "brown", "purple", "orange", "black"),
    ),
    Property(
        "food",
        "what warm dish will hungry {} eat tonight?",
        ("fresh", "hot", "sweet", "salted"),
        ("bread", "soup", "rice", "cheese", "fish", "fruit", "cake", "beans"),
    ),
    Property(
        "home",
        "where can guests find and visit {} now?",
        ("upper", "lower", "old", "new"),
        ("lakeside", "hilltop", "harbour", "market", "meadow", "forest", "castle", "valley"),
    ),
    Property(
        "trade",
        "how does {} earn his wage every day?",
        ("young", "master", "retired", "travelling"),
        ("baker", "smith", "tailor", "miller", "painter", "sailor", "weaver", "doctor"),
    ),
)
NUM_PEOPLE, NUM_FILLERS = 32, 200
STATEMENT_WORDS = 8
ANSWER_PLACE = 5
"""The number of words in a statement, full stop included, and of those before its answer."""
LEAD = "after reading all this text,"
LONG_QUESTION_SHARE = 0.25
LONGEST_QUESTION = 15
"""The number of tokens in a question that begins with the lead."""


def context_words(sequence_length: int) -> int:
    """Return the number of words, full stops included, that fill a sequence."""
    return sequence_length - LONGEST_QUESTION - 2


def draw_questions(
    sequence_length: int, train_examples: int, people: int, distance: int
) -> Questions:
    """Generate the questions of each split; equal arguments give equal questions.

    `people` is the number of people in a context. With a `distance`, all statements of a context
    have answers that begin at least `distance` and less than twice as many words after the
    question. A statement that does not fit is left out.
    """
    words = invent_words(NUM_FILLERS + NUM_PEOPLE, SEED)
    fillers, names = words[:NUM_FILLERS], [word.capitalize() for word in words[NUM_FILLERS:]]
    num_words = context_words(sequence_length)
    splits = {}
    for index, split in enumerate(SPLITS):
        generator = np.random.default_rng([SEED, index, sequence_length])
        count = train_examples if index == 0 else evaluation_examples(split, sequence_length)
        splits[split] = [
            _draw_question(
                generator,
                draw_fillers(generator, fillers, num_words),
                [names[person] for person in generator.permutation(NUM_PEOPLE)[:people]],
                distance,
            )
            for _ in range(count)
        ]
    return splits


def _draw_question(
    generator: np.random.Generator, words: list[str], people: list[str], distance: int
) -> Question:
    subjects = list(itertools.product(people, PROPERTIES))
    facts = [
        (*subjects[index], _draw_answer(generator, subjects[index][1]))
        for index in generator.permutation(len(subjects)).tolist()
    ]
    low, high = 0, len(words)
    if distance:  # the first word of the context is 1 word after the question
        low = distance - 1 - ANSWER_PLACE
        high = min(low + distance + STATEMENT_WORDS - 1, high)
    places = scatter_sentences(
        generator,
        words,
        [["the", kind.name, "of", name, "is", *text, FULL_STOP] for name, kind, text in facts],
        low,
        high,
    )
    name, kind, answer = facts[0]
    start = len(join_words(words[: places[0] + ANSWER_PLACE])) + 1
    asked = kind.question.format(name)
    if generator.random() < LONG_QUESTION_SHARE:
        asked = f"{LEAD} {asked}"
    return Question(asked, join_words(words), ((" ".join(answer), start),))


def _draw_answer(generator: np.random.Generator, kind: Property) -> list[str]:
    noun = kind.nouns[generator.integers(len(kind.nouns))]
    if generator.random() < 0.5:
        return [noun]
    return [kind.adjectives[generator.integers(len(kind.adjectives))], noun]
