"""Generated reports whose key sentences are scattered, and summaries of their facts.

A report consists of words with the frequencies of Zipf's law. Among them are key sentences of the
form "today the weather is mild rain.", each about another topic. For each of these topics there is
also a sentence about the past: "once the weather was dry wind." The summary lists the facts of the
key sentences in a fixed order of the topics: "weather mild rain. harvest ripe wheat." A model that
finds the words of a topic but not their sentences chooses between two facts of each topic.
"""

from __future__ import annotations

import itertools

import numpy as np

from tasks.common.generated import evaluation_examples
from tasks.common.scattered_sentences import (
    FULL_STOP,
    draw_fillers,
    invent_words,
    join_words,
    scatter_sentences,
)
from tasks.common.text_to_text import SPLITS, Pairs

SEED = 20_261_127
TOPICS = {
    "weather": (
        ("mild", "dry", "wild", "damp"),
        ("rain", "wind", "snow", "fog", "frost", "sun", "hail", "thunder"),
    ),
    "harvest": (
        ("ripe", "late", "small", "rich"),
        ("wheat", "barley", "oats", "apples", "plums", "grapes", "hops", "pears"),
    ),
    "trade": (
        ("cheap", "costly", "rare", "scarce"),
        ("cloth", "silk", "salt", "iron", "copper", "timber", "wool", "glass"),
    ),
    "school": (
        ("easy", "hard", "long", "short"),
        ("reading", "writing", "music", "history", "drawing", "algebra", "latin", "physics"),
    ),
    "road": (
        ("broken", "narrow", "busy", "closed"),
        ("bridge", "tunnel", "ferry", "crossing", "gate", "lane", "ford", "track"),
    ),
    "feast": (
        ("merry", "quiet", "noisy", "grand"),
        ("dance", "parade", "concert", "banquet", "race", "play", "circus", "market"),
    ),
}
"""The adjectives and nouns of each topic. No two topics share a word."""
NUM_FILLERS = 200
MAX_EVALUATED = 256
"""The most examples of validation and of test, whose summaries are generated word by word."""


def draw_reports(sequence_length: int, train_examples: int, key_sentences: int) -> Pairs:
    """Generate the reports and summaries of each split; equal arguments give equal pairs.

    A report fills the sequence length, less one end token. A sentence that does not fit is left
    out, first those about the past.
    """
    fillers = invent_words(NUM_FILLERS, SEED)
    splits = {}
    for index, split in enumerate(SPLITS):
        generator = np.random.default_rng([SEED, index, sequence_length])
        count = train_examples
        if split != "train":
            count = min(MAX_EVALUATED, evaluation_examples(split, sequence_length))
        splits[split] = [
            _draw_report(
                generator, draw_fillers(generator, fillers, sequence_length - 1), key_sentences
            )
            for _ in range(count)
        ]
    return splits


def _draw_report(
    generator: np.random.Generator, words: list[str], key_sentences: int
) -> tuple[str, str]:
    chosen = np.sort(generator.permutation(len(TOPICS))[:key_sentences])
    topics = [list(TOPICS)[topic] for topic in chosen.tolist()]
    now, past = ([_draw_fact(generator, topic) for topic in topics] for _ in range(2))
    sentences = [["today", "the", topic, "is", *fact, FULL_STOP] for topic, *fact in now]
    sentences += [["once", "the", topic, "was", *fact, FULL_STOP] for topic, *fact in past]
    num_placed = len(scatter_sentences(generator, words, sentences))
    summary = [[*fact, FULL_STOP] for fact in now[:num_placed]]
    return join_words(words), join_words(list(itertools.chain(*summary)))


def _draw_fact(generator: np.random.Generator, topic: str) -> tuple[str, str, str]:
    adjectives, nouns = TOPICS[topic]
    return (
        topic,
        adjectives[generator.integers(len(adjectives))],
        nouns[generator.integers(len(nouns))],
    )
