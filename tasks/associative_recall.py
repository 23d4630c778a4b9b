"""The associative recall task: recall the value that a sequence gave to each key.

Multi-query associative recall of Arora et al. 2023, "Zoology: Measuring and Improving Recall in
Efficient Language Models", by the rule of the authors' published generator
(`zoology/data/associative_recall.py`). A sequence begins with pairs of key and value. Afterwards
each key occurs once more, as a query, and the model answers with the key's value at the position of
the query. Queries have gaps that follow a power law, so that most come soon. Keys and values are
distinct within a sequence, and half of the vocabulary is keys.

The defaults are those of the authors' configuration of figure 2, with three exceptions. The
vocabulary is 256 instead of 8,192, there are fewer examples, and training above 64 symbols mixes
sizes. The figure trains each size alone; the mixture is after the authors' later configuration for
"Based". The figure's sizes are n/16 pairs in n = 64, 128 and 256 symbols, and 64 in 512. Here n/16
is the default at every length. A model that answers with any value of the sequence scores 1 /
pairs. A position is a symbol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.api import Metric, Options, Recipe, RequestError
from tasks.common.generated import UNSCORED, Drawn, GeneratedSequences, published

if TYPE_CHECKING:
    import numpy as np

POSITIONS_PER_PAIR = 16
"""The default number of positions for each pair."""
POSITIONS_OF_A_PAIR = 4
"""The fewest positions for each pair: key, value, and a place for the query and its answer."""
SHORTEST_MIXED = 64
FEWEST_MIXED_PAIRS = 4
FILLERS = ("none", "random")
FILLER = 0
"""The symbol between queries: neither a key nor a value."""


class AssociativeRecall(GeneratedSequences):
    """Answer each query with the value of its key."""

    version = 1
    title = "Associative recall, up to 1,024 symbols"
    summary = "recalls the value of each key in the sequence"
    default_lengths = (64, 128, 256, 512, 1_024)
    other_metrics = (Metric("whole_example_accuracy", share=True),)
    sources = published("Arora et al. 2023, Zoology")
    options = {
        "pairs": 0,
        "fillers": "none",
        "vocabulary": 256,
        "gap_power": 0.01,
        "mixed_sizes": True,
        "mixed_pairs": False,
        "train_examples": 32_768,
    }
    """`pairs`: the number of pairs; 0 is one for every 16 positions. `fillers`: the symbols between
    queries, "none" (the symbol 0, as in figure 2) or "random" (any symbol, as in the generator's
    default). `gap_power`: a of the power law, in which a gap of g pairs of positions has the weight
    g^(a − 1); 1 is uniform. `mixed_sizes`: whether training mixes sequences of n, n/2, n/4, …
    symbols down to 64, with pairs in proportion. `mixed_pairs`: whether training also mixes
    sequences of the shortest size with half the pairs, a quarter, …, down to 4. Many pairs are
    hardly learned without fewer ones."""
    recipe = Recipe(learning_rate=2e-3, dropout=0.0, weight_decay=0.0, validations=8)
    """Trials on validation, seed 0, `vanilla` (`tiny`) at 64 symbols, 64 sequences a step. With
    2e-3, rotary positions reached 0.98 after 450 steps, and sinusoidal positions 0.994 after 630
    (111 s on one core). Other rates were not tried."""
    has_several_answers = True
    data_seed = 20_261_126

    def unsupported_reason(self, sequence_length: int, options: Options) -> str | None:
        """Reject odd lengths, and lengths or vocabularies without room for the pairs."""
        if sequence_length % 2 or sequence_length < POSITIONS_PER_PAIR:
            return f"needs even lengths of at least {POSITIONS_PER_PAIR}"
        pairs, keys = pairs_at(sequence_length, options), num_keys(options)
        if pairs <= min(sequence_length // POSITIONS_OF_A_PAIR, keys):
            return None
        return (
            f"cannot fit {pairs:,} pairs into {sequence_length:,} symbols: a pair needs "
            f"{POSITIONS_OF_A_PAIR} positions and one of the {keys:,} keys; choose fewer `pairs`, "
            "another length or a larger `vocabulary`"
        )

    def guess(self, sequence_length: int, options: Options) -> float:
        """Return the accuracy of any value of the sequence."""
        return 1 / pairs_at(sequence_length, options)

    def check_options(self, options: Options) -> None:
        """Check that the vocabulary has a key for each pair, and all other values."""
        from tasks.common.options import check_range

        check_range(options, "vocabulary", 8, 65_536)
        check_range(options, "pairs", 0, num_keys(options))
        if options["gap_power"] <= 0:
            raise RequestError(
                "The option 'gap_power' must be above 0", received=options["gap_power"]
            )
        if options["fillers"] not in FILLERS:
            raise RequestError(
                f"The option 'fillers' must be one of {', '.join(FILLERS)}",
                received=options["fillers"],
            )

    def describe(self, options: Options) -> dict[str, Any]:
        """Return the vocabulary: the filler, the keys and the values."""
        from tasks.common.draws import power_of_two_names

        size, keys = options["vocabulary"], num_keys(options)
        symbols = [
            "_",
            *(f"k{key}" for key in range(keys)),
            *(f"v{value}" for value in range(size - keys - 1)),
        ]
        groups = {"pairs": None, "distance": power_of_two_names()}
        return {
            "vocabulary_size": size,
            "symbols": symbols,
            "classes": symbols,
            "groups": groups,
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
        """Draw sequences of one size, or of several sizes in equal numbers."""
        import numpy as np

        sizes = [(sequence_length, pairs_at(sequence_length, options))]
        while training and options["mixed_sizes"]:
            length, pairs = sizes[-1][0] // 2, sizes[-1][1] // 2
            if length < SHORTEST_MIXED or length % 2 or not pairs:
                break
            sizes.append((length, pairs))
        while training and options["mixed_pairs"] and sizes[-1][1] >= 2 * FEWEST_MIXED_PAIRS:
            length, pairs = sizes[-1]
            sizes.append((length, pairs // 2))
        parts = []
        for index, (length, pairs) in enumerate(sizes):
            share = count // len(sizes) + (index < count % len(sizes))
            drawn = _draw_size(generator, share, length, pairs, options)
            parts.append([_pad(values, sequence_length, fill) for values, fill in drawn])
        token_ids, answers, distances, mask = (
            np.concatenate(part) for part in zip(*parts, strict=True)
        )
        pairs_of = (answers != UNSCORED).sum(axis=1)
        return Drawn(token_ids, answers, mask, {"pairs": pairs_of, "distance": distances})


def num_keys(options: Options) -> int:
    """Return the number of symbols that can be keys."""
    return int(options["vocabulary"]) // 2 - 1


def pairs_at(sequence_length: int, options: Options) -> int:
    """Return the number of pairs at a length."""
    return int(options["pairs"]) or sequence_length // POSITIONS_PER_PAIR


def _draw_size(
    generator: np.random.Generator, count: int, length: int, pairs: int, options: Options
) -> list[tuple[np.ndarray, Any]]:
    """Draw sequences of one size.

    Returns token ids, answers, the exponents of distances and a mask of real positions, each
    (count, length), and what fills each of them beyond the sequence.
    """
    import numpy as np

    from tasks.common.draws import draw_distinct, power_of_two

    keys = draw_distinct(generator, count, pairs, num_keys(options)) + 1
    num_values = options["vocabulary"] - num_keys(options) - 1
    values = draw_distinct(generator, count, pairs, num_values) + num_keys(options) + 1
    token_ids = np.full((count, length), FILLER)
    if options["fillers"] == "random":
        token_ids = generator.integers(options["vocabulary"], size=token_ids.shape)
    token_ids[:, 0 : 2 * pairs : 2] = keys
    token_ids[:, 1 : 2 * pairs : 2] = values
    num_gaps = length // 2 - pairs
    weights = np.arange(1, num_gaps + 1) ** (options["gap_power"] - 1.0)
    places = 2 * pairs + 2 * draw_distinct(generator, count, pairs, num_gaps, weights)
    answers = np.full((count, length), UNSCORED)
    distances = np.zeros((count, length), int)
    for array, found in (
        (token_ids, keys),
        (answers, values),
        (distances, power_of_two(places - 2 * np.arange(pairs))),
    ):
        np.put_along_axis(array, places, found, axis=1)
    real = np.ones((count, length), bool)
    return [(token_ids, FILLER), (answers, UNSCORED), (distances, 0), (real, False)]


def _pad(values: np.ndarray, length: int, fill: Any) -> np.ndarray:
    import numpy as np

    return np.pad(values, ((0, 0), (0, length - values.shape[1])), constant_values=fill)


TASK = AssociativeRecall()
