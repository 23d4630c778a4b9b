"""Generated sentences whose relation and whose direction depend on the order of words.

A sentence has one or two clauses among filler words. A clause has two nouns; between them are
"from" and "to" around two different cue words, with fillers in between. In one clause the nouns are
marked as entities. The first cue word of this clause names the relation, and the direction is
(e1,e2) if "from" comes first. Each clause has "from" and "to", and the second cue word is drawn as
often as the first, so that a bag of words tells nothing about the direction and leaves at least two
relations.
"""

from __future__ import annotations

import numpy as np

NUM_FILLERS, NUM_NOUNS = 200, 40
EXAMPLES = {"train": 8_000, "validation": 800, "test": 1_000}
MAX_CLAUSES = 2
MAX_GAP = 1
"""The most fillers between two words of a clause."""
MAX_FILLERS = 5
"""The most fillers before a clause and after the last."""
RELATIONS = ("Other", "First", "Second", "Third", "Fourth")
"""The relation that each cue word names."""


def draw_sentences() -> dict[str, list[tuple[str, str]]]:
    """Generate the sentences and labels of each split; every call returns the same ones."""
    generator = np.random.default_rng(20_261_126)
    return {
        split: [_draw_sentence(generator) for _ in range(count)]
        for split, count in EXAMPLES.items()
    }


def label_of(first_cue: int, from_first: bool) -> str:
    """Return the label of a clause with this first cue word."""
    relation = RELATIONS[first_cue]
    return relation if relation == "Other" else relation + ("(e1,e2)" if from_first else "(e2,e1)")


def _draw_sentence(generator: np.random.Generator) -> tuple[str, str]:
    count = int(generator.integers(1, MAX_CLAUSES + 1))
    marked = int(generator.integers(count))
    words: list[str] = []
    label = ""
    for number in range(count):
        words += _fillers(generator, MAX_FILLERS)
        cues = generator.permutation(len(RELATIONS))[:2].tolist()
        from_first = bool(generator.integers(2))
        first, second = (f"noun{noun}" for noun in generator.integers(NUM_NOUNS, size=2))
        if number == marked:
            label = label_of(cues[0], from_first)
            first, second = f"<e1>{first}</e1>", f"<e2>{second}</e2>"
        ends = ("from", "to") if from_first else ("to", "from")
        for word in (first, ends[0], f"cue{cues[0]}", f"cue{cues[1]}", ends[1]):
            words += [word, *_fillers(generator, MAX_GAP)]
        words.append(second)
    words += _fillers(generator, MAX_FILLERS)
    return " ".join(words), label


def _fillers(generator: np.random.Generator, most: int) -> list[str]:
    count = int(generator.integers(most + 1))
    return [f"word{number}" for number in generator.integers(NUM_FILLERS, size=count)]
