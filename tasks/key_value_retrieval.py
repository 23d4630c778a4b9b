"""The key-value retrieval task: find a needle at a controlled depth in generated text.

A task of ours, after the tests of long contexts that hide a fact in text (Kamradt 2023, "Needle in
a Haystack"; Hsieh et al. 2024, "RULER", section 3). The text has words with the frequencies of
Zipf's law. Some statements among them say "remember KEY VALUE". The last symbols ask for one of the
keys, and the model answers at the last position with its value. The depth of its statement is
controlled: each split has as many examples in each tenth of the text, training by chance. The other
statements are anywhere. A model that answers with any value of the text scores 1 / statements. A
position is a word.

A training text has more statements, and questions everywhere. A question asks for an earlier
statement with a probability in proportion to 1 / distance. Statements and questions are denser near
its start, so that a causal model learns from short texts too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.api import Options, Recipe, Source
from tasks.common.generated import UNSCORED, Drawn, GeneratedSequences

if TYPE_CHECKING:
    import numpy as np

NUM_BINS = 10
NUM_WORDS = 64
NUM_KEYS = NUM_VALUES = 16
REMEMBER, ASK = NUM_WORDS, NUM_WORDS + 1
FIRST_KEY = ASK + 1
FIRST_VALUE = FIRST_KEY + NUM_KEYS
POSITIONS_OF_A_STATEMENT = 32
"""A training text has one statement for this many positions."""
DENSE_SLOTS = 8
"""The first slots of a training text are alike; later ones are used in proportion to 1 / place."""
STATEMENT, QUESTION = 3, 2
"""The numbers of symbols in a statement, which is a slot, and in a question."""
CONSONANTS, VOWELS = "bdfgklmn", "aeiou"


class KeyValueRetrieval(GeneratedSequences):
    """Answer at the end with the value that the text gives to a key."""

    version = 2
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
            numpy_only=True,
        )
    }
    options = {"pairs": 4, "questions": 4, "train_examples": 8_192}
    """`pairs`: the number of statements in a text; a training text has one for every 32 positions,
    if these are more. `questions`: the number of questions for each statement of a training text;
    evaluation has one question."""
    recipe = Recipe(learning_rate=2e-3, dropout=0.0, weight_decay=0.0, validations=8)
    """Trials on validation, seed 0, `vanilla` (`tiny`, rotary positions) at 512 words, 8 texts a
    step. With 3e-3, the accuracy was 0.39 after 300 steps and 0.43 after 700 (0.20 at 1,024 and
    0.16 at 2,048 words). With 64 keys, models learned nothing in 200 to 400 steps, with questions
    at the end or anywhere. The rate and the budget are not settled."""
    scored_unit = "examples"
    data_seed = 20_261_130

    def unsupported_reason(self, sequence_length: int, options: Options) -> str | None:
        """Reject lengths in which the statements and their questions do not fit."""
        pairs, questions = statements_in_training(sequence_length, options), options["questions"]
        shortest = STATEMENT * max(pairs * (1 + questions), NUM_BINS) + QUESTION
        if sequence_length >= shortest:
            return None
        return (
            f"needs lengths of at least {shortest:,} for {pairs} statements with {questions} "
            "questions each; lower `pairs` or `questions`, or choose another length"
        )

    def guess(self, sequence_length: int, options: Options) -> float:
        """Return the accuracy of any value of the text."""
        return 1 / float(options["pairs"])

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

        slots = (sequence_length - QUESTION) // STATEMENT
        pairs, questions, weights = options["pairs"], 0, None
        if training:
            pairs = statements_in_training(sequence_length, options)
            questions = options["questions"] * pairs
            weights = 1 / (DENSE_SLOTS + np.arange(slots - 1))
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
        others = draw_distinct(generator, count, pairs - 1 + questions, slots - 1, weights)
        others = generator.permuted(others, axis=1)
        others += others >= asked[:, None]
        stated = np.concatenate([asked[:, None], others[:, : pairs - 1]], axis=1)
        asking = others[:, pairs - 1 :]
        places = STATEMENT * stated
        for offset, symbols in enumerate((np.full_like(keys, REMEMBER), keys, values)):
            np.put_along_axis(words, places + offset, symbols, axis=1)
        answers = np.full(words.shape, UNSCORED)
        questioned, answerable = _choose_statements(generator, stated, asking)
        rows, columns = np.nonzero(answerable)
        at, chosen = STATEMENT * asking[rows, columns], questioned[rows, columns]
        words[rows, at], words[rows, at + 1] = ASK, keys[rows, chosen]
        answers[rows, at + 1] = values[rows, chosen] - FIRST_VALUE
        words[:, -QUESTION], words[:, -1] = ASK, keys[:, 0]
        answers[:, -1] = values[:, 0] - FIRST_VALUE
        return Drawn(words, answers, groups={"depth": tenths}, evidence=places[:, 0])


def statements_in_training(sequence_length: int, options: Options) -> int:
    """Return the number of statements in a training text."""
    dense = min(sequence_length // POSITIONS_OF_A_STATEMENT, NUM_KEYS)
    return max(int(options["pairs"]), dense)


def _choose_statements(
    generator: np.random.Generator, stated: np.ndarray, asking: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Choose an earlier statement for each question, with a weight of 1 / distance.

    `stated` are the slots of the statements, (examples, pairs), and `asking` those of the
    questions, (examples, questions). Returns the indices of the statements, and whether there was
    an earlier one, each (examples, questions).
    """
    import numpy as np

    distances = asking[:, :, None] - stated[:, None, :]
    weights = np.where(distances > 0, 1 / np.maximum(distances, 1), 0.0).cumsum(axis=-1)
    total = weights[..., -1:]
    drawn = generator.random(total.shape) * total
    chosen = np.minimum((weights <= drawn).sum(axis=-1), stated.shape[1] - 1)
    return chosen, total[..., 0] > 0


TASK = KeyValueRetrieval()
