"""Generated documents in which the type of some names is told only by a distant cue.

A document has 1,024 words in sentences of 16, whatever the sequence length. It holds

- *plain* names of one or two words, whose spelling tells their type;
- *cued* names, whose spelling tells only that they are cued. What type the cued names of a document
  have is told once, by a cue: a word said up to eight times in a row, since attention that has
  learned nothing yet hardly sees one word among a thousand. From the last of them to a name it is
  1 to 960 words, every octave drawn as often; of near places many are taken.

So a model that does not see the cue can find a cued name, but only guess its type: one in four.
Cues and cued names come in two families, which documents use by turns, so that a window across two
documents holds no contradiction; over more documents, the nearest cue before the name is the one.
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
NUM_KEYS = 2
"""The families: a cue's and a cued name's stem tell theirs."""
KEYS_A_DOCUMENT = 1
NAMES_A_KEY = 32
MENTIONS_A_KEY = 28
PLAIN_NAMES = 160
FILLERS = 1_200
PLAIN_RATE = 0.5
CHANCE_TYPE = 1 / len(TYPES)

SIZES = {"train": 1_024, "validation": 64, "test": 96}
SEEDS = {"train": 11, "validation": 12, "test": 13}
ENDINGS = {"LOC": "burg", "MISC": "ish", "ORG": "corp", "PER": "son"}

TAGS = ("O", *(f"B-{kind}" for kind in TYPES), *(f"I-{kind}" for kind in TYPES))


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The words, and where each group of them begins in the list."""

    words: list[str]
    fillers: int
    capitalized: int
    plain: int
    """Plain names: `PLAIN_NAMES` for each type in turn."""
    cued: int
    """Cued names: `NAMES_A_KEY` for each key in turn."""
    cues: int
    """Cue words: one for each key and type, types innermost."""
    stop: int


def build_lexicon() -> Lexicon:
    """Make up the words; always the same ones."""
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
    plain = [name.capitalize() for kind in TYPES for name in invent(PLAIN_NAMES, 2, ENDINGS[kind])]
    stems = invent(NUM_KEYS, 3)
    cued = [
        (stem + syllable).capitalize() for stem in stems for syllable in syllables[:NAMES_A_KEY]
    ]
    cues = [stem + ENDINGS[kind] for stem in stems for kind in TYPES]
    groups = [fillers, [word.capitalize() for word in fillers], plain, cued, cues, ["."]]
    begins = np.cumsum([0, *map(len, groups)]).tolist()
    return Lexicon(list(itertools.chain(*groups)), *begins[: len(groups)])


def generate(num_documents: int, seed: int, lexicon: Lexicon | None = None) -> TaggedText:
    """Generate a stream of documents, the same for the same seed. Time O(words)."""
    lexicon = lexicon or build_lexicon()
    generator = np.random.default_rng(seed)
    words = _fill(num_documents, generator, lexicon)
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
    """Generate the three splits."""
    lexicon = build_lexicon()
    splits = {name: generate(SIZES[name], SEEDS[name], lexicon) for name in SIZES}
    facts = {
        "generator_version": VERSION,
        "document_words": DOCUMENT_LENGTH,
        "cue_distance_words": [1, MAX_DISTANCE],
        "chance_f1_of_cued_names": CHANCE_TYPE,
    }
    return Corpus(lexicon.words, TAGS, splits, facts)


def _fill(num_documents: int, generator: np.random.Generator, lexicon: Lexicon) -> np.ndarray:
    """Lay out sentences of filler words (frequent ones first, as Zipf has it) and full stops."""
    weights = 1.0 / np.arange(1, FILLERS + 1)
    bounds = np.cumsum(weights / weights.sum())
    drawn = np.searchsorted(bounds, generator.random((num_documents, DOCUMENT_LENGTH)))
    words = np.minimum(drawn, FILLERS - 1).astype(np.int32)
    words[:, ::SENTENCE_LENGTH] += lexicon.capitalized
    words[:, SENTENCE_LENGTH - 1 :: SENTENCE_LENGTH] = lexicon.stop
    return words


def _place_cued(
    words: np.ndarray,
    tags: np.ndarray,
    distance: np.ndarray,
    free: np.ndarray,
    generator: np.random.Generator,
    lexicon: Lexicon,
) -> None:
    """Put the cues in, then the names; a name or a cue whose place is taken is left out."""
    documents = np.arange(len(words))
    shape = (len(words), KEYS_A_DOCUMENT)
    kinds = generator.integers(len(TYPES), size=shape)
    logarithms = generator.random((*shape, MENTIONS_A_KEY)) * np.log(MAX_DISTANCE + 1)
    distances = np.exp(logarithms).astype(np.int64)
    names = generator.integers(NAMES_A_KEY, size=(*shape, MENTIONS_A_KEY))
    latest = DOCUMENT_LENGTH - distances.max(axis=2)
    first = CUE_WORDS - 1
    cue_at = first + (generator.random(shape) * (latest - first)).astype(np.int64)
    keys = np.arange(KEYS_A_DOCUMENT)[None, :] + KEYS_A_DOCUMENT * (documents % 2)[:, None]
    cued = np.zeros(shape, bool)
    for index in range(KEYS_A_DOCUMENT):
        cued[:, index] = free[documents, cue_at[:, index]]
        cue_words = lexicon.cues + keys[:, index] * len(TYPES) + kinds[:, index]
        for before in range(CUE_WORDS):
            place = cue_at[:, index] - before
            there = cued[:, index] & free[documents, place]
            at = documents[there], place[there]
            words[at] = cue_words[there]
            free[at] = False
    for index, mention in itertools.product(range(KEYS_A_DOCUMENT), range(MENTIONS_A_KEY)):
        place = cue_at[:, index] + distances[:, index, mention]
        there = cued[:, index] & free[documents, place]
        at = documents[there], place[there]
        name_words = lexicon.cued + keys[:, index] * NAMES_A_KEY + names[:, index, mention]
        words[at] = name_words[there]
        tags[at] = 1 + kinds[there, index]
        distance[at] = distances[there, index, mention]
        free[at] = False


def _place_plain(
    words: np.ndarray,
    tags: np.ndarray,
    free: np.ndarray,
    generator: np.random.Generator,
    lexicon: Lexicon,
) -> None:
    """Put a plain name of one or two words into about half of the sentences."""
    shape = (len(words), DOCUMENT_LENGTH // SENTENCE_LENGTH)
    offset = generator.integers(1, SENTENCE_LENGTH - 3, size=shape)
    place = offset + np.arange(shape[1])[None, :] * SENTENCE_LENGTH
    kinds = generator.integers(len(TYPES), size=shape)
    two_words = generator.random(shape) < 0.5
    wanted = generator.random(shape) < PLAIN_RATE
    names = generator.integers(PLAIN_NAMES, size=(2, *shape))
    rows = np.arange(len(words))[:, None]
    both_free = free[rows, place] & free[rows, place + 1]
    chosen = wanted & both_free
    document, sentence = np.nonzero(chosen)
    kind = kinds[chosen]
    first = document, place[document, sentence]
    words[first] = lexicon.plain + kind * PLAIN_NAMES + names[0][chosen]
    tags[first] = 1 + kind
    longer = two_words[chosen]
    second = document[longer], place[document, sentence][longer] + 1
    words[second] = lexicon.plain + kind[longer] * PLAIN_NAMES + names[1][chosen][longer]
    tags[second] = 1 + len(TYPES) + kind[longer]
