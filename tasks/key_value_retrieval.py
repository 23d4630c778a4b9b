"""The key-value retrieval task: find a needle at a controlled depth in generated text.

A task of ours, after the tests of long contexts that hide a fact in text (Kamradt 2023, "Needle in
a Haystack"; Hsieh et al. 2024, "RULER", section 3). The text has words with the frequencies of
Zipf's law. Some statements among them say "remember KEY VALUE". The last symbols ask for one of the
keys, and the model answers at the last position with its value. The depth of its statement is
controlled: validation and test have as many examples in each tenth of the text. The other
statements are anywhere. Training asks several questions one after another. The last is the one of
controlled depth, and the others ask for any statement. A position is a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.api import Options, Recipe, Source
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
CONSONANTS, VOWELS = "bdfgklmn", "aeiou"


class KeyValueRetrieval(GeneratedSequences):
    """Answer at the end with the value that the text gives to a key."""

    version = 1
    title = "Key-value retrieval, up to 512 symbols"
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
    options = {"pairs": 4, "questions": 24, "train_examples": 32_768}
    """`pairs`: the number of statements in a text. `questions`: the number of questions at the end
    of a training text; evaluation has one."""
    recipe = Recipe(learning_rate=2e-3, dropout=0.0, weight_decay=0.0, validations=8)
    """Trials on validation, seed 0, `vanilla` (`tiny`, rotary positions, 2e-3) at 512 words, all at
    chance: 8 statements each asked for once in 150 steps of 16 texts, 24 of them in 400 steps of 8,
    and the present data in 200 steps of 8 (81 s on one core). `mamba2` was at chance after 160
    steps of the present data. The rate and the budget are not settled."""
    scored_unit = "examples"
    data_seed = 20_261_130

    def unsupported_reason(self, sequence_length: int, options: Options) -> str | None:
        """Reject lengths in which the statements and their questions do not fit."""
        pairs, questions = options["pairs"], options["questions"]
        shortest = STATEMENT * max(pairs, NUM_BINS) + QUESTION * questions
        if sequence_length >= shortest:
            return None
        return (
            f"needs lengths of at least {shortest:,} for {pairs} statements and {questions} "
            "questions; lower `pairs` or `questions`, or choose a longer length"
        )

    def check_options(self, options: Options) -> None:
        """Check that each statement has a key and a value of its own, and that one is asked for."""
        from tasks.common.options import check_range

        check_range(options, "pairs", 1, NUM_KEYS)
        check_range(options, "questions", 1)

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
        questions = options["questions"] if training else 1
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
        questioned = generator.integers(pairs, size=(count, questions))
        questioned[:, -1] = 0
        asking = sequence_length - QUESTION * np.arange(questions, 0, -1)
        words[:, asking] = ASK
        words[:, asking + 1] = np.take_along_axis(keys, questioned, axis=1)
        answers[:, asking + 1] = np.take_along_axis(values, questioned, axis=1) - FIRST_VALUE
        return Drawn(words, answers, groups={"depth": tenths}, evidence=places[:, 0])


TASK = KeyValueRetrieval()
