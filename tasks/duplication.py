"""The duplication task: predict the second w in a sequence 0w0w.

The rule of Kitaev et al. 2020, "Reformer: The Efficient Transformer", section 5. Symbols are 1 to
127, and a symbol's copy is half the length away. The paper's length is 1,024. A position is a
symbol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from suite.api import (
    ExamplePrediction,
    Examples,
    Metric,
    Options,
    Recipe,
    Score,
    SourceRequest,
    TaskData,
)
from tasks.common.generated import UNSCORED, Drawn, GeneratedSequences, encode, published

if TYPE_CHECKING:
    import numpy as np

VOCABULARY = 128
NUM_EXAMPLES = {"train": 16_384, "validation": 64, "test": 128}


class Duplication(GeneratedSequences):
    """Predict the next symbol at every position of the second half."""

    version = 1
    title = "Duplication, up to 1,024 symbols"
    summary = "repeats what it read half a sequence ago"
    default_lengths = (64, 128, 256, 1_024)
    other_metrics = (Metric("whole_word_accuracy", share=True),)
    sources = published("Kitaev et al. 2020, Reformer: The Efficient Transformer")
    recipe = Recipe(learning_rate=1e-3, dropout=0.0, weight_decay=0.0, validations=8)
    """Nothing regularises, since the task is exact and its words are random."""
    has_several_answers = True
    data_seed = 20_261_120

    def unsupported_reason(self, sequence_length: int, options: Options) -> str | None:
        """Reject odd lengths and lengths below 4."""
        if sequence_length % 2 or sequence_length < 4:
            return "needs even lengths of at least 4: each half is a zero and a word"
        return None

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Return the generator's version."""
        return f"synthetic-{self.version}"

    def describe(self, options: Options) -> dict[str, Any]:
        """Return the vocabulary: symbols are numbers, and every symbol is a class."""
        symbols = [str(number) for number in range(VOCABULARY)]
        return {"vocabulary_size": VOCABULARY, "symbols": symbols, "classes": symbols}

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Draw random words and repeat each."""
        from tasks.common.sources import collect_facts

        drawn = self._draw_splits(sequence_length, NUM_EXAMPLES)
        raw = {split: part.token_ids for split, part in drawn.items()}
        return TaskData(
            **{split: encode(part) for split, part in drawn.items()},
            spec=self.describe(options),
            facts=collect_facts(self.sources["synthetic"], raw, {}),
        )

    def load_evaluation(
        self,
        request: SourceRequest,
        sequence_length: int,
        options: Options,
        spec: Mapping[str, Any],
    ) -> Mapping[str, Examples]:
        """Draw the words of an evaluation length, from the same symbols."""
        counts = {split: NUM_EXAMPLES[split] for split in ("validation", "test")}
        drawn = self._draw_splits(sequence_length, counts, 1)  # words that no training has seen
        return {split: encode(part) for split, part in drawn.items()}

    def draw(
        self,
        generator: np.random.Generator,
        count: int,
        sequence_length: int,
        options: Options,
        *,
        training: bool,
    ) -> Drawn:
        """Draw words and repeat each; the symbols after the second zero are asked."""
        import numpy as np

        half = sequence_length // 2
        words = generator.integers(1, VOCABULARY, size=(count, half - 1))
        zeros = np.zeros((count, 1), int)
        token_ids = np.concatenate([zeros, words, zeros, words], axis=1).astype(np.int32)
        answers = np.full(token_ids.shape, UNSCORED)
        answers[:, half:-1] = words
        return Drawn(token_ids, answers)

    def _draw_splits(
        self, sequence_length: int, counts: Mapping[str, int], *seed: int
    ) -> dict[str, Drawn]:
        """Draw some splits one after another from one generator."""
        import numpy as np

        generator = np.random.default_rng([self.data_seed, *seed] if seed else self.data_seed)
        return {
            split: self.draw(generator, count, sequence_length, {}, training=split == "train")
            for split, count in counts.items()
        }

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Return the shares of correct symbols and of words without any error."""
        metrics = dict(super().score(examples, predictions, spec).metrics)
        whole = metrics.pop("whole_example_accuracy")
        return Score({**metrics, "whole_word_accuracy": whole})

    def show(
        self, examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[ExamplePrediction]:
        """Return no examples: an answer is half as long as the sequence."""
        return []


TASK = Duplication()
