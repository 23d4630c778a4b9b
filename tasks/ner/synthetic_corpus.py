"""Generated documents in which some names have a type that only a distant cue determines.

A document has 1,024 words in sentences of 16, regardless of the sequence length. It contains

- *plain* names of one or two words, whose spelling determines their type;
- *cued* names, whose spelling shows only that they are cued. A document has one cue, which
  determines the type of its cued names. The cue is a word repeated up to eight times in a row,
  since an untrained attention hardly notices one word among a thousand. The distance from the
  last repetition to a name is 1 to 960 words. Every octave is drawn equally often, but many near
  positions are already taken.

A model that does not see the cue can find a cued name, but can only guess its type (1 in 4).
Cues and cued names come in two families, which alternate between documents, so that a window over
two documents is unambiguous. In longer windows, the nearest preceding cue of the family applies.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from tasks.ner.tagged_text import Corpus, TaggedText

VERSION = 2
DOCUMENT_LENGTH = 1_024
SENTENCE_LENGTH = 16
MAX_DISTANCE = 960
CUE_WORDS = 8
TYPES = ("LOC", "MISC", "ORG", "PER")
NUM_FAMILIES = 2
"""The number of families; the stem of a cue or a cued name identifies its family."""
FAMILIES_PER_DOCUMENT = 1
NAMES_PER_FAMILY = 32
MENTIONS_PER_FAMILY = 28
PLAIN_NAMES = 160
FILLERS = 1_200
PLAIN_RATE = 0.5
CHANCE_TYPE = 1 / len(TYPES)

SIZES = {"train": 1_024, "validation": 64, "test": 96}
SEEDS = {"train": 11, "validation": 12, "test": 13}
ENDINGS = {"LOC": "burg", "MISC": "ish", "ORG": "corp", "PER": "son"}

TAGS = ("O", *(f"B-{type_}" for type_ in TYPES), *(f"I-{type_}" for type_ in TYPES))


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The words, and the index at which each group of words begins."""

    words: list[str]
    fillers: int
    capitalized: int
    plain: int
    """Plain names: `PLAIN_NAMES` for each type."""
    cued: int
    """Cued names: `NAMES_PER_FAMILY` for each family."""
    cues: int
    """Cue words: one for each family and type; the type varies fastest."""
    full_stop: int


def build_lexicon() -> Lexicon:
    """Generate the words; every call returns the same words."""
    generator = np.random.default_rng(7)
    syllables = ["".join(pair) for pair in itertools.product("bdfgklmnprstvz", "aeiou")]
    used: set[str] = set()

    def invent(count: int, num_syllables: int, ending: str = "") -> list[str]:
        invented: list[str] = []
        while len(invented) < count:
            word = "".join(generator.choice(syllables, num_syllables)) + ending
            if word not in used:
                used.add(word)
                invented.append(word)
        return invented

    fillers = invent(FILLERS, 2)
    plain = [
        name.capitalize() for type_ in TYPES for name in invent(PLAIN_NAMES, 2, ENDINGS[type_])
    ]
    stems = invent(NUM_FAMILIES, 3)
    cued = [
        (stem + syllable).capitalize()
        for stem in stems
        for syllable in syllables[:NAMES_PER_FAMILY]
    ]
    cues = [stem + ENDINGS[type_] for stem in stems for type_ in TYPES]
    groups = [fillers, [word.capitalize() for word in fillers], plain, cued, cues, ["."]]
    begins = np.cumsum([0, *map(len, groups)]).tolist()
    return Lexicon(list(itertools.chain(*groups)), *begins[: len(groups)])


def generate_documents(num_documents: int, seed: int, lexicon: Lexicon | None = None) -> TaggedText:
    """Generate a stream of documents, determined by the seed; time O(words)."""
    lexicon = lexicon or build_lexicon()
    generator = np.random.default_rng(seed)
    words = _draw_fillers(num_documents, generator, lexicon)
    tags = np.zeros_like(words)
    distance = np.zeros_like(words)
    free = np.ones(words.shape, bool)
    free[:, SENTENCE_LENGTH - 1 :: SENTENCE_LENGTH] = False
    _place_cued(words, tags, distance, free, generator, lexicon)
    _place_plain(words, tags, free, generator, lexicon)
    num_sentences = words.size // SENTENCE_LENGTH
    return TaggedText(
        words.reshape(-1),
        tags.reshape(-1),
        np.full(num_sentences, SENTENCE_LENGTH, np.int32),
        distance.reshape(-1),
    )


def build_synthetic_corpus() -> Corpus:
    """Generate the three splits; every call returns the same corpus."""
    lexicon = build_lexicon()
    splits = {name: generate_documents(SIZES[name], SEEDS[name], lexicon) for name in SIZES}
    facts = {
        "generator_version": VERSION,
        "document_words": DOCUMENT_LENGTH,
        "cue_distance_words": [1, MAX_DISTANCE],
        "chance_f1_of_cued_names": CHANCE_TYPE,
    }
    return Corpus(lexicon.words, TAGS, splits, facts)


def _draw_fillers(
    num_documents: int, generator: np.random.Generator, lexicon: Lexicon
) -> np.ndarray:
    """Generate sentences of filler words with Zipf frequencies, and full stops."""
    weights = 1.0 / np.arange(1, FILLERS + 1)
    bounds = np.cumsum(weights / weights.sum())
    drawn = np.searchsorted(bounds, generator.random((num_documents, DOCUMENT_LENGTH)))
    words = np.minimum(drawn, FILLERS - 1).astype(np.int32)
    words[:, ::SENTENCE_LENGTH] += lexicon.capitalized
    words[:, SENTENCE_LENGTH - 1 :: SENTENCE_LENGTH] = lexicon.full_stop
    return words


def _place_cued(
    words: np.ndarray,
    tags: np.ndarray,
    distance: np.ndarray,
    free: np.ndarray,
    generator: np.random.Generator,
    lexicon: Lexicon,
) -> None:
    """Insert the cues, then the names; a cue or name whose position is taken is omitted."""
    documents = np.arange(len(words))
    shape = (len(words), FAMILIES_PER_DOCUMENT)
    types = generator.integers(len(TYPES), size=shape)
    log_distances = generator.random((*shape, MENTIONS_PER_FAMILY)) * np.log(MAX_DISTANCE + 1)
    distances = np.exp(log_distances).astype(np.int64)
    names = generator.integers(NAMES_PER_FAMILY, size=(*shape, MENTIONS_PER_FAMILY))
    latest = DOCUMENT_LENGTH - distances.max(axis=2)
    first = CUE_WORDS - 1
    cue_position = first + (generator.random(shape) * (latest - first)).astype(np.int64)
    families = (
        np.arange(FAMILIES_PER_DOCUMENT)[None, :] + FAMILIES_PER_DOCUMENT * (documents % 2)[:, None]
    )
    cued = np.zeros(shape, bool)
    for index in range(FAMILIES_PER_DOCUMENT):
        cued[:, index] = free[documents, cue_position[:, index]]
        cue_words = lexicon.cues + families[:, index] * len(TYPES) + types[:, index]
        for before in range(CUE_WORDS):
            position = cue_position[:, index] - before
            fits = cued[:, index] & free[documents, position]
            target = documents[fits], position[fits]
            words[target] = cue_words[fits]
            free[target] = False
    for index, mention in itertools.product(
        range(FAMILIES_PER_DOCUMENT), range(MENTIONS_PER_FAMILY)
    ):
        position = cue_position[:, index] + distances[:, index, mention]
        fits = cued[:, index] & free[documents, position]
        target = documents[fits], position[fits]
        name_words = lexicon.cued + families[:, index] * NAMES_PER_FAMILY + names[:, index, mention]
        words[target] = name_words[fits]
        tags[target] = 1 + types[fits, index]
        distance[target] = distances[fits, index, mention]
        free[target] = False


def _place_plain(
    words: np.ndarray,
    tags: np.ndarray,
    free: np.ndarray,
    generator: np.random.Generator,
    lexicon: Lexicon,
) -> None:
    """Insert a plain name of one or two words into about half of the sentences."""
    shape = (len(words), DOCUMENT_LENGTH // SENTENCE_LENGTH)
    offsets = generator.integers(1, SENTENCE_LENGTH - 3, size=shape)
    position = offsets + np.arange(shape[1])[None, :] * SENTENCE_LENGTH
    types = generator.integers(len(TYPES), size=shape)
    two_words = generator.random(shape) < 0.5
    selected = generator.random(shape) < PLAIN_RATE
    names = generator.integers(PLAIN_NAMES, size=(2, *shape))
    rows = np.arange(len(words))[:, None]
    both_free = free[rows, position] & free[rows, position + 1]
    chosen = selected & both_free
    document, sentence = np.nonzero(chosen)
    type_ = types[chosen]
    first = document, position[document, sentence]
    words[first] = lexicon.plain + type_ * PLAIN_NAMES + names[0][chosen]
    tags[first] = 1 + type_
    longer = two_words[chosen]
    second = document[longer], position[document, sentence][longer] + 1
    words[second] = lexicon.plain + type_[longer] * PLAIN_NAMES + names[1][chosen][longer]
    tags[second] = 1 + len(TYPES) + type_[longer]
