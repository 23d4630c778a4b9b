"""Generated reviews: what is said of one thing counts, what is said of others does not.

A review begins by naming its subject. After it come remarks, each of one thing and one judgement,
among words that mean nothing; half of the remarks are of other things. The label is what most
remarks on the subject say, which only who keeps the subject in mind can tell; a bag of words knows
less.
"""

from __future__ import annotations

import numpy as np

NUM_FILLERS, NUM_THINGS, NUM_JUDGEMENTS = 400, 12, 30
EXAMPLES = {"train": 8_000, "validation": 500, "test": 1_000}
SHORTEST, LONGEST = 60, 500
REMARK_EVERY = 12
OWN_SHARE = 0.5
AGREEMENT = 0.9
LABELS = ("neg", "pos")


def draw_reviews() -> dict[str, list[tuple[str, str]]]:
    """Draw the splits, always the same."""
    generator = np.random.default_rng(20_261_120)
    return {
        split: [_draw_review(generator) for _ in range(count)] for split, count in EXAMPLES.items()
    }


def _draw_review(generator: np.random.Generator) -> tuple[str, str]:
    length = int(np.exp(generator.uniform(np.log(SHORTEST), np.log(LONGEST))))
    label = int(generator.integers(2))
    subject = int(generator.integers(NUM_THINGS))
    words = [f"word{number}" for number in generator.integers(NUM_FILLERS, size=length)]
    words[0] = f"thing{subject}"
    for place in range(2, length - 1, REMARK_EVERY):
        own = place == 2 or generator.random() < OWN_SHARE
        thing = subject if own else int(generator.integers(NUM_THINGS))
        agrees = generator.random() < (AGREEMENT if thing == subject else 0.5)
        kind = LABELS[label if agrees else 1 - label]
        words[place] = f"thing{thing}"
        words[place + 1] = f"{kind}{generator.integers(NUM_JUDGEMENTS)}"
    return " ".join(words), LABELS[label]
