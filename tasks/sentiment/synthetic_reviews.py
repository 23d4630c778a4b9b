"""Generated reviews whose label depends on remarks about the review's subject only.

The first word of a review names its subject. Remarks follow among neutral words; a remark is a
thing and a judgement. About half of the remarks are about other things. Most remarks about the
subject agree with the label, so a model has to remember the subject. A bag of words scores lower.
"""

from __future__ import annotations

import numpy as np

NUM_FILLERS, NUM_THINGS, NUM_JUDGEMENTS = 400, 12, 30
EXAMPLES = {"train": 8_000, "validation": 500, "test": 1_000}
SHORTEST, LONGEST = 60, 500
REMARK_INTERVAL = 12
SUBJECT_SHARE = 0.5
AGREEMENT = 0.9
"""The probability that a remark about the subject agrees with the label."""
LABELS = ("neg", "pos")


def draw_reviews() -> dict[str, list[tuple[str, str]]]:
    """Generate the reviews of each split; every call returns the same reviews."""
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
    for position in range(2, length - 1, REMARK_INTERVAL):
        on_subject = position == 2 or generator.random() < SUBJECT_SHARE
        thing = subject if on_subject else int(generator.integers(NUM_THINGS))
        agrees = generator.random() < (AGREEMENT if thing == subject else 0.5)
        judgement = LABELS[label if agrees else 1 - label]
        words[position] = f"thing{thing}"
        words[position + 1] = f"{judgement}{generator.integers(NUM_JUDGEMENTS)}"
    return " ".join(words), LABELS[label]
