"""The base class of tasks that answer a text with a text: encoding, head, loss and decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from suite.api import (
    DataError,
    ExamplePrediction,
    Examples,
    Form,
    Generation,
    Inputs,
    Options,
    SourceRequest,
    Task,
    TaskData,
)
from tasks.common.classification import add_global_mask

if TYPE_CHECKING:
    import numpy as np

    from tasks.common.tokenization import Tokenizer

NUM_SHOWN = 200
LABEL_SMOOTHING = 0.1
PADDING, START, END = 0, 2, 3
SPLITS = ("train", "validation", "test")
Pairs = dict[str, list[tuple[str, str]]]
"""The texts and their answers, by split."""


class TextToText(Task):
    """A task whose examples are pairs of a text and its answer.

    A position is a subword, and both sides share one vocabulary. The sequence length bounds each
    side: a longer text or answer loses its end. With the option `packed`, consecutive pairs share
    an example while both sides fit. Each text and each answer ends with an end token, at which the
    generated ids are split again, so every length is scored on the same answers.
    """

    form = Form.ENCODER_DECODER
    inputs = Inputs.TOKEN_IDS
    position = "a subword token, on each side"
    max_global_tokens = 1
    generation = Generation(start_id=START, end_id=END, padding_id=PADDING)
    pair_name: str
    """The name of the pairs in the facts, in the plural."""

    def encode(
        self,
        pairs: Pairs,
        request: SourceRequest,
        sequence_length: int,
        options: Options,
        source_facts: Mapping[str, Any],
    ) -> TaskData:
        """Learn subwords from both sides of train, pack and encode.

        The fact `<pair_name>_cut` counts the pairs of each split of which a side is cut.
        """
        from tasks.common.sources import collect_facts
        from tasks.common.tokenization import learn_subwords

        texts = [text for pair in pairs["train"] for text in pair]
        tokenizer = learn_subwords(texts, options["vocabulary"], request, lowercase=False)
        encoded = {
            split: _pack(pairs[split], tokenizer, sequence_length, index, options["packed"])
            for index, split in enumerate(SPLITS)
        }
        facts = {
            "vocabulary_size": tokenizer.vocabulary_size,
            "vocabulary_fingerprint": tokenizer.fingerprint,
            f"{self.pair_name}_cut": {split: num_cut for split, (_, num_cut) in encoded.items()},
            **source_facts,
        }
        # The training split is never decoded, so it needs no references.
        references = [[], *([target for _, target in pairs[split]] for split in SPLITS[1:])]
        return TaskData(
            **{split: examples for split, (examples, _) in encoded.items()},
            spec={
                "vocabulary_size": tokenizer.vocabulary_size,
                "tokenizer": tokenizer.state(),
                "shown": [source for source, _ in pairs["test"][:NUM_SHOWN]],
                "references": references,
            },
            sealed_spec={"shown": [], "references": [*references[:-1], []]},
            facts=collect_facts(self.sources[request.kind], pairs, facts),
        )

    def encode_raw(
        self, texts: Sequence[str], sequence_length: int, spec: Mapping[str, Any]
    ) -> Examples:
        """Encode each text as a source with an empty target; a longer text loses its end.

        Raises:
            DataError: a text is empty.
        """
        from tasks.common.tokenization import SubwordTokenizer

        for number, text in enumerate(texts, 1):
            if not text.strip():
                raise DataError("A text must have at least one word", received=f"text {number}")
        tokenizer = SubwordTokenizer.from_json(spec["tokenizer"])
        pairs = [(text, "") for text in texts]
        examples, _ = _pack(pairs, tokenizer, sequence_length, SPLITS.index("test"), packed=False)
        return examples

    def readable(
        self, texts: Sequence[str], examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[Any]:
        """Return the answer to each text."""
        return decode_answers(examples, predictions, spec)

    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Build a head that scores the next token at every position of the target."""
        from tasks.common.tied_head import TiedHead

        return TiedHead()

    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the mean cross-entropy over the target's real tokens, with label smoothing."""
        from tasks.common.losses import mean_where, smoothed_cross_entropy

        losses = smoothed_cross_entropy(targets["next_ids"], outputs, LABEL_SMOOTHING)
        return mean_where(features["target_mask"], losses)

    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the most likely next tokens; `score` gets generated ids instead."""
        from keras import ops

        return ops.argmax(outputs, axis=-1)

    def show(
        self, examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[ExamplePrediction]:
        """Return the first test texts; an answer is right if it equals its reference."""
        references = find_references(examples, spec)
        answers = decode_answers(examples, predictions, spec)
        return [
            ExamplePrediction(source, reference, answer, answer == reference)
            for source, reference, answer in zip(spec["shown"], references, answers, strict=False)
        ]


def decode_answers(examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> list[str]:
    """Return the text of each generated answer; `predictions` (examples, length) are ids."""
    import numpy as np

    from tasks.common.tokenization import SubwordTokenizer

    rows = [
        ids
        for row, count in zip(
            np.asarray(predictions), np.asarray(examples.targets["pairs"]), strict=True
        )
        for ids in _split_answers(row, int(count))
    ]
    tokenizer = SubwordTokenizer.from_json(spec["tokenizer"])
    return [text.strip() for text in tokenizer.decode(rows)]


def find_references(examples: Examples, spec: Mapping[str, Any]) -> list[str]:
    """Return the reference of each answer, in the order of `decode_answers`."""
    targets = (examples.targets[name].tolist() for name in ("split", "first_pair", "pairs"))
    return [
        reference
        for split, first, count in zip(*targets, strict=True)
        for reference in spec["references"][split][first : first + count]
    ]


def _split_answers(row: np.ndarray, count: int) -> list[list[int]]:
    """Split generated ids at end tokens into exactly `count` answers; missing ones are empty."""
    answers: list[list[int]] = [[]]
    for token in row.tolist():
        if token == END:
            answers.append([])
        elif token != PADDING:
            answers[-1].append(token)
    return (answers + [[]] * count)[:count]


def _pack(
    pairs: list[tuple[str, str]], tokenizer: Tokenizer, length: int, split: int, packed: bool
) -> tuple[Examples, int]:
    """Put each pair, or consecutive pairs, into an example; return these and the number cut."""
    import numpy as np

    sides = [tokenizer.encode([pair[side] for pair in pairs]) for side in (0, 1)]
    max_tokens = length - 1  # one position is left for the end token
    num_cut = sum(
        max(len(source), len(target)) > max_tokens for source, target in zip(*sides, strict=True)
    )
    groups: list[list[int]] = []
    free = (0, 0)
    for index, pair in enumerate(zip(*sides, strict=True)):
        sizes = tuple(min(len(side), max_tokens) + 1 for side in pair)
        fits = all(size <= space for size, space in zip(sizes, free, strict=True))
        if packed and groups and fits:
            groups[-1].append(index)
        else:
            groups.append([index])
            free = (length, length)
        free = (free[0] - sizes[0], free[1] - sizes[1])

    def fill(side: int) -> tuple[np.ndarray, np.ndarray]:
        ids = np.zeros((len(groups), length), np.int32)
        mask = np.zeros((len(groups), length), bool)
        for row, group in enumerate(groups):
            tokens = np.concatenate(
                [np.append(sides[side][index][:max_tokens], END) for index in group]
            )
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = True
        return ids, mask

    source_ids, source_mask = fill(0)
    next_ids, target_mask = fill(1)
    shifted = np.pad(next_ids[:, :-1], ((0, 0), (1, 0)), constant_values=START)
    features = {
        "token_ids": source_ids,
        "padding_mask": source_mask,
        "target_ids": np.where(target_mask, shifted, PADDING).astype(np.int32),
        "target_mask": target_mask,
    }
    counts = np.array([len(group) for group in groups], np.int32)
    targets = {
        "next_ids": next_ids,
        "pairs": counts,
        "first_pair": np.cumsum(counts, dtype=np.int32) - counts,
        "split": np.full(len(groups), split, np.int32),
    }
    return Examples(add_global_mask(features), targets), num_cut
