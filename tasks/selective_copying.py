"""The selective copying task: repeat the symbols that were scattered among noise.

Gu and Dao 2023, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", section 4.1.1
and appendix E.1, after the copying task of Arjovsky et al. 2016, "Unitary Evolution Recurrent
Neural Networks". A sequence has data symbols at random places, noise at all others, and as many
markers at its end as data symbols. At each marker the model answers with the next data symbol.

The vocabulary has the paper's 16 symbols (14 of data, noise and the marker), and there are the
paper's 16 data symbols. The paper's sequences have 4,096 symbols; ours have 64 to 256. The paper
trains for 400,000 steps on 16 data symbols alone. Our shorter training mixes 1 to 16 of them. A
position is a symbol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.api import Metric, Options, Recipe
from tasks.common.generated import UNSCORED, Drawn, GeneratedSequences, published

if TYPE_CHECKING:
    import numpy as np

NOISE, NUM_DATA = 0, 14
MARKER = NUM_DATA + 1


class SelectiveCopying(GeneratedSequences):
    """Answer at the markers with the data symbols in their order."""

    version = 2
    title = "Selective copying, up to 256 symbols"
    summary = "repeats symbols that were scattered among noise"
    default_lengths = (64, 128, 256)
    other_metrics = (Metric("whole_example_accuracy", share=True),)
    sources = published("Gu and Dao 2023, Mamba; Arjovsky et al. 2016, Unitary Evolution RNNs")
    options = {"memorized": 16, "mixed_sizes": True, "train_examples": 32_768}
    """`memorized`: the number of data symbols in a sequence. `mixed_sizes`: whether training mixes
    sequences of 1 up to `memorized` data symbols, in equal numbers."""
    recipe = Recipe(learning_rate=2e-3, dropout=0.0, weight_decay=0.0, validations=8)
    """One trial on validation, seed 0, `mamba2` (`tiny`) at 64 symbols, 32 sequences a step: with
    2e-3 the accuracy rose to 0.20 after 280 steps (80 s on one core) and still rose. The rate and
    the budget are not settled."""
    has_several_answers = True
    data_seed = 20_261_128

    def unsupported_reason(self, sequence_length: int, options: Options) -> str | None:
        """Reject lengths in which the data symbols and their markers do not fit."""
        shortest = 2 * options["memorized"]
        if sequence_length >= shortest:
            return None
        return (
            f"needs lengths of at least {shortest:,} for {options['memorized']:,} data symbols and "
            "as many markers; lower `memorized` or choose a longer length"
        )

    def check_options(self, options: Options) -> None:
        """Check that there is a data symbol."""
        from tasks.common.options import check_range

        check_range(options, "memorized", 1)

    def describe(self, options: Options) -> dict[str, Any]:
        """Return the vocabulary: data symbols are letters."""
        symbols = ["_", *(chr(ord("a") + index) for index in range(NUM_DATA)), "?"]
        names = [str(number + 1) for number in range(options["memorized"])]
        return {
            "vocabulary_size": len(symbols),
            "symbols": symbols,
            "classes": symbols,
            "groups": {"order": names},
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
        """Draw data symbols and their places, of one size or of several in equal numbers."""
        import numpy as np

        from tasks.common.draws import draw_distinct

        largest = options["memorized"]
        token_ids = np.full((count, sequence_length), NOISE)
        answers = np.full(token_ids.shape, UNSCORED)
        order = np.zeros(token_ids.shape, int)
        sizes = [largest]
        if training and options["mixed_sizes"]:
            sizes = list(range(1, largest + 1))
        for index, size in enumerate(sizes):
            rows = np.arange(index, count, len(sizes))[:, None]
            if not rows.size:
                break
            data = generator.integers(1, MARKER, size=(len(rows), size))
            places = draw_distinct(generator, len(rows), size, sequence_length - size)
            asking = sequence_length - size + np.arange(size)
            token_ids[rows, np.sort(places, axis=1)] = data
            token_ids[rows, asking] = MARKER
            answers[rows, asking] = data
            order[rows, asking] = np.arange(size)
        return Drawn(token_ids, answers, groups={"order": order})


TASK = SelectiveCopying()
