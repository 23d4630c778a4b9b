"""The key-value retrieval task: find a needle at a controlled depth in generated text.

A task of ours, after the tests of long contexts that hide a fact in text (Kamradt 2023, "Needle in
a Haystack"; Hsieh et al. 2024, "RULER", section 3). The text has words with the frequencies of
Zipf's law. Some statements among them say "remember KEY VALUE". The last symbols ask for one of the
keys, and the model answers at the last position with its value. The depth of its statement is
controlled: validation and test have as many examples in each tenth of the text. The other
statements are anywhere. A position is a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.api import Options, Recipe, RequestError, Source
from tasks.common.generated import UNSCORED, Drawn, GeneratedSequences

if TYPE_CHECKING:
    import numpy as np

NUM_BINS = 10
NUM_WORDS = 64
NUM_KEYS = NUM_VALUES = 64
REMEMBER, ASK = NUM_WORDS, NUM_WORDS + 1
FIRST_KEY = ASK + 1
FIRST_VALUE = FIRST_KEY + NUM_KEYS
STATEMENT, QUESTION = 3, 2
"""The numbers of symbols in a statement and in the question."""
SHORTEST, MAX_PAIRS = 128, 24
ASKED = ("every", "last")
CONSONANTS, VOWELS = "bdfgklmn", "aeiou"


class KeyValueRetrieval(GeneratedSequences):
    """Answer at the end with the value that the text gives to a key."""

    version = 1
    title = "Key-value retrieval"
    summary = "finds a statement at any depth of a text"
    position = "a word"
    default_lengths = (128, 256, 512)
    sources = {
        "synthetic": Source(
            summary="generated: words by Zipf's law, with statements among them",
            licence="Apache-2.0",
            citation="Lengthwise, after Kamradt 2023, Needle in a Haystack",
            redistributable=True,
            drawn_for_length=True,
        )
    }
    options = {"pairs": 24, "asked": "every", "train_examples": 32_768}
    """`pairs`: the number of statements in a text. `asked`: the statements that training asks for,
    "every" or "last"."""
    recipe = Recipe(learning_rate=2e-3, dropout=0.0, weight_decay=0.0, validations=8)
    scored_unit = "examples"
    data_seed = 20_261_130

    def unsupported_reason(self, sequence_length: int) -> str | None:
        """Reject lengths in which the statements and their questions do not fit."""
        return None if sequence_length >= SHORTEST else f"needs lengths of at least {SHORTEST}"

    def check_options(self, options: Options) -> None:
        """Check that statements and questions fit into every supported length."""
        from tasks.common.options import check_range

        check_range(options, "pairs", 1, MAX_PAIRS)
        if options["asked"] not in ASKED:
            raise RequestError(
                f"The option 'asked' must be one of {', '.join(ASKED)}", received=options["asked"]
            )

    def describe(self, options: Options) -> dict[str, Any]:
        """Return the vocabulary: words, two signs, keys and values."""
        syllables = [consonant + vowel for consonant in CONSONANTS for vowel in VOWELS]
        words = [first + second for second in syllables[:2] for first in syllables][:NUM_WORDS]
        values = [f"value{value}" for value in range(NUM_VALUES)]
        keys = [f"key{key}" for key in range(NUM_KEYS)]
        tenths = [f"{10 * tenth}-{10 * tenth + 10}%" for tenth in range(NUM_BINS)]
        return {
            "vocabulary_size": FIRST_VALUE + NUM_VALUES,
            "symbols": [*words, "remember", "what-is", *keys, *values],
            "classes": values,
            "groups": {"depth": tenths},
        }

    def draw(
        self,
        generator: np.random.Generator,
        count: int,
        sequence_length: int,
        options: Options,
        *,
        training: bool,
    ) -> Drawn:
        """Draw words, keys and values, and the slots of the statements."""
        import numpy as np

        from tasks.common.draws import draw_distinct

        pairs = options["pairs"]
        questions = pairs if training and options["asked"] == "every" else 1
        slots = (sequence_length - QUESTION * questions) // STATEMENT
        frequencies = 1 / np.arange(1, NUM_WORDS + 1)
        words = np.searchsorted(
            frequencies.cumsum() / frequencies.sum(),
            generator.random((count, sequence_length)),
            side="right",
        )
        keys = FIRST_KEY + draw_distinct(generator, count, pairs, NUM_KEYS)
        values = FIRST_VALUE + draw_distinct(generator, count, pairs, NUM_VALUES)
        tenths = (
            generator.integers(NUM_BINS, size=count) if training else np.arange(count) % NUM_BINS
        )
        first, stop = tenths * slots // NUM_BINS, (tenths + 1) * slots // NUM_BINS
        asked = first + (generator.random(count) * (stop - first)).astype(int)
        others = draw_distinct(generator, count, pairs - 1, slots - 1)
        others += others >= asked[:, None]
        places = STATEMENT * np.concatenate([asked[:, None], others], axis=1)
        for offset, symbols in enumerate((np.full_like(keys, REMEMBER), keys, values)):
            np.put_along_axis(words, places + offset, symbols, axis=1)
        answers = np.full(words.shape, UNSCORED)
        for question in range(questions):
            place = sequence_length - 1 - QUESTION * question
            words[:, place - 1], words[:, place] = ASK, keys[:, question]
            answers[:, place] = values[:, question] - FIRST_VALUE
        return Drawn(words, answers, groups={"depth": tenths}, evidence=places[:, 0])


TASK = KeyValueRetrieval()
