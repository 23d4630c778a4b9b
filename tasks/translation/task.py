"""The translation task: translate sentences into another language.

A position is a subword; both languages share one vocabulary. The sequence length bounds each side.
Consecutive pairs share an example while both sides fit, so longer examples hold more sentences and
little padding. With the option `packed=False`, an example is one pair. Each sentence ends with an
end token, at which the generated ids are split again, so every length is scored on the same
sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.api import (
    ExamplePrediction,
    Examples,
    Form,
    Generation,
    Inputs,
    Metric,
    Options,
    Recipe,
    Score,
    Source,
    SourceRequest,
    Task,
    TaskData,
    digest_paths,
    task_options,
)
from tasks.common.classification import add_global_mask

if TYPE_CHECKING:
    import numpy as np

    from tasks.common.tokenization import Tokenizer

NUM_SHOWN = 200
WORDS_PER_RANGE = 10
"""The width of the reference length ranges by which BLEU is reported."""
LABEL_SMOOTHING = 0.1
PADDING, START, END = 0, 2, 3
SPLITS = ("train", "validation", "test")
Pairs = dict[str, list[tuple[str, str]]]


class Translation(Task):
    """Translate sentences; scored with sacreBLEU."""

    version = 3
    title = "Translation"
    summary = "translates sentences into another language"
    form = Form.ENCODER_DECODER
    inputs = Inputs.TOKEN_IDS
    position = "a subword token, on each side"
    default_lengths = (32, 64, 128)
    primary_metric = Metric("bleu")
    default_source = "synthetic"
    sources = {
        "synthetic": Source(
            summary="two generated languages with different words and word orders",
            licence="Apache-2.0",
            citation="Lengthwise",
            redistributable=True,
        ),
        "tfds": Source(
            summary="a prepared data set of two languages (default: multi30k/en_de)",
            licence="the data set's own; Multi30k's is Flickr30k's: research use",
            citation="Elliott et al. 2016, Multi30K: Multilingual English-German Descriptions",
            redistributable=False,
            argument="NAME",
        ),
        "files": Source(
            summary="your own: a folder with train.SOURCE, train.TARGET and so on, line by line",
            licence="your own",
            citation="your own",
            redistributable=False,
            argument="DIR",
            argument_required=True,
        ),
    }
    options = {"vocabulary": 4_096, "source_language": "", "target_language": "", "packed": True}
    recipe = Recipe(learning_rate=1e-3, validations=8)
    max_global_tokens = 1
    generation = Generation(start_id=START, end_id=END, padding_id=PADDING)

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Check the options and the user's texts or the prepared data set; return a digest."""
        from tasks.common.tokenization import check_tokenizer_options

        own = task_options(self, options)
        check_tokenizer_options(own)
        if request.kind == "files":
            from tasks.translation.parallel_text import find_pairs, read_pairs

            folder = Path(request.argument).expanduser()
            languages = own["source_language"], own["target_language"]
            read_pairs(folder, *languages)
            pairs = find_pairs(folder, *languages).values()
            return digest_paths(path for pair in pairs for path in pair)
        if request.kind == "tfds":
            from tasks.translation.prepared_text import digest_data_set

            return digest_data_set(request)
        return f"synthetic-{self.version}"

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the pairs, learn subwords from both sides of train, pack and encode."""
        from tasks.common.sources import collect_facts
        from tasks.common.tokenization import learn_subwords

        options = task_options(self, options)
        pairs, source_facts = _read_pairs(request, options)
        texts = [text for pair in pairs["train"] for text in pair]
        tokenizer = learn_subwords(texts, options["vocabulary"], request, lowercase=False)
        encoded = {
            split: _pack(pairs[split], tokenizer, sequence_length, index, options["packed"])
            for index, split in enumerate(SPLITS)
        }
        facts = {
            "vocabulary_size": tokenizer.vocabulary_size,
            "vocabulary_fingerprint": tokenizer.fingerprint,
            "sentences_cut": {split: num_cut for split, (_, num_cut) in encoded.items()},
            **source_facts,
        }
        return TaskData(
            **{split: examples for split, (examples, _) in encoded.items()},
            spec={
                "vocabulary_size": tokenizer.vocabulary_size,
                "tokenizer": tokenizer.state(),
                # The training split is never decoded, so it needs no references.
                "shown": [source for source, _ in pairs["test"][:NUM_SHOWN]],
                "references": [
                    [],
                    *([target for _, target in pairs[split]] for split in SPLITS[1:]),
                ],
            },
            facts=collect_facts(self.sources[request.kind], pairs, facts),
        )

    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Build a head that scores the next token at every position of the target."""
        from tasks.translation.tied_head import TiedHead

        return TiedHead()

    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the mean cross-entropy over the target's real tokens, with label smoothing."""
        from keras import ops

        from tasks.common.losses import smoothed_cross_entropy

        losses = smoothed_cross_entropy(targets["next_ids"], outputs, LABEL_SMOOTHING)
        real = ops.cast(features["target_mask"], losses.dtype)
        return ops.sum(losses * real) / ops.maximum(ops.sum(real), 1.0)

    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the most likely next tokens; `score` gets generated ids instead."""
        from keras import ops

        return ops.argmax(outputs, axis=-1)

    def predict_trivial(self, train: Examples, examples: Examples, spec: Mapping[str, Any]) -> Any:
        """Return empty answers."""
        import numpy as np

        return np.full(examples.features["target_mask"].shape, PADDING, np.int32)

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Split the answers into sentences and compare these with the references."""
        import numpy as np
        from sacrebleu.metrics import BLEU, CHRF

        answers = _decode_answers(examples, predictions, spec)
        num_sentences = int(np.asarray(examples.targets["sentences"]).sum())
        first = int(examples.targets["first_sentence"][0])
        all_references = spec["references"][int(examples.targets["split"][0])]
        references = all_references[first : first + num_sentences]
        bleu, chrf = BLEU(), CHRF()
        bleu_score = bleu.corpus_score(answers, [references])
        return Score(
            {
                "bleu": float(bleu_score.score),
                "chrf": float(chrf.corpus_score(answers, [references]).score),
                "brevity_penalty": float(bleu_score.bp),
            },
            {
                "bleu_signature": str(bleu.get_signature()),
                "chrf_signature": str(chrf.get_signature()),
                "sentences": len(answers),
                "empty_answers": sum(not answer for answer in answers),
                "bleu_by_reference_words": _bleu_by_reference_words(answers, references),
            },
        )

    def show(
        self, examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[ExamplePrediction]:
        """Return the first test sentences; an answer is right if it equals its reference."""
        references = spec["references"][int(examples.targets["split"][0])]
        answers = _decode_answers(examples, predictions, spec)
        return [
            ExamplePrediction(source, reference, answer, answer == reference)
            for source, reference, answer in zip(spec["shown"], references, answers, strict=False)
        ]


def _decode_answers(examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> list[str]:
    """Return the text of each generated sentence."""
    import numpy as np

    from tasks.common.tokenization import SubwordTokenizer

    num_sentences = np.asarray(examples.targets["sentences"])
    sentences = [
        sentence
        for row, count in zip(np.asarray(predictions), num_sentences, strict=True)
        for sentence in _split_sentences(row, int(count))
    ]
    tokenizer = SubwordTokenizer.from_json(spec["tokenizer"])
    return [text.strip() for text in tokenizer.decode(sentences)]


def _bleu_by_reference_words(
    answers: Sequence[str], references: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return BLEU and the number of sentences for each range of reference lengths."""
    from sacrebleu.metrics import BLEU

    ranges: dict[int, list[int]] = {}
    for index, reference in enumerate(references):
        low = (max(1, len(reference.split())) - 1) // WORDS_PER_RANGE * WORDS_PER_RANGE + 1
        ranges.setdefault(low, []).append(index)
    report = {}
    for low, indices in sorted(ranges.items()):
        some_answers, some_references = (
            [texts[index] for index in indices] for texts in (answers, references)
        )
        score = BLEU().corpus_score(some_answers, [some_references]).score
        report[f"{low}-{low + WORDS_PER_RANGE - 1}"] = {
            "bleu": float(score),
            "sentences": len(indices),
        }
    return report


def _split_sentences(row: np.ndarray, count: int) -> list[list[int]]:
    """Split generated ids at end tokens into exactly `count` sentences; missing ones are empty."""
    sentences: list[list[int]] = [[]]
    for token in row.tolist():
        if token == END:
            sentences.append([])
        elif token != PADDING:
            sentences[-1].append(token)
    return (sentences + [[]] * count)[:count]


def _read_pairs(request: SourceRequest, options: Options) -> tuple[Pairs, dict[str, Any]]:
    """Return the sentence pairs of each split, and facts about the source."""
    if request.kind == "synthetic":
        from tasks.translation.synthetic_pairs import draw_pairs

        return draw_pairs(), {"languages": ["generated", "generated"]}
    languages = options["source_language"], options["target_language"]
    if request.kind == "tfds":
        from tasks.translation.prepared_text import read_data_set

        return read_data_set(request, *languages)
    from tasks.translation.parallel_text import read_pairs

    pairs, names = read_pairs(Path(request.argument).expanduser(), *languages)
    return pairs, {"languages": names}


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
        "sentences": counts,
        "first_sentence": np.cumsum(counts, dtype=np.int32) - counts,
        "split": np.full(len(groups), split, np.int32),
    }
    return Examples(add_global_mask(features), targets), num_cut


TASK = Translation()
