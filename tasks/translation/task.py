"""Translation: the same sentences in another language.

A position is a subword token, of one vocabulary for both sides; the length bounds each side.
Consecutive pairs share an example while both sides fit, so longer lengths hold more sentences and
little is padded. Every sentence ends in its own mark, by which an answer is cut again: each length
is scored on the same sentences.
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
    PresetOverride,
    Recipe,
    Score,
    Source,
    SourceRequest,
    Task,
    TaskData,
    task_options,
)

if TYPE_CHECKING:
    import numpy as np

    from tasks.common.text_units import Units

DEFAULT_TFDS_NAME = "multi30k/en_de"
NUM_SHOWN = 200
WORDS_A_SPAN = 10
"""BLEU is reported by spans of so many words of the reference."""
LABEL_SMOOTHING = 0.1
PADDING, START, END = 0, 2, 3
SPLITS = ("train", "validation", "test")
Pairs = dict[str, list[tuple[str, str]]]


class Translation(Task):
    """Source and target text; scored by sacreBLEU."""

    version = 1
    title = "Translation"
    summary = "writes sentences in another language"
    form = Form.ENCODER_DECODER
    inputs = Inputs.TOKEN_IDS
    position = "a subword token, on each side"
    default_lengths = (32, 64, 128)
    primary_metric = Metric("bleu")
    default_source = "synthetic"
    sources = {
        "synthetic": Source(
            summary="a generated language into another, word for word but in another order",
            licence="Apache-2.0",
            citation="Lengthwise",
            redistributable=True,
        ),
        "tfds": Source(
            summary="a prepared data set of two languages (multi30k/en_de where none is named)",
            licence="the data set's own; Multi30k's is Flickr30k's: research use",
            citation="Elliott et al. 2016, Multi30K: Multilingual English-German Descriptions",
            redistributable=False,
            argument="NAME",
        ),
        "files": Source(
            summary="your own: a folder with train.SOURCE, train.TARGET and the like, line by line",
            licence="your own",
            citation="your own",
            redistributable=False,
            argument="DIR",
            argument_required=True,
        ),
    }
    options = {"vocabulary": 4_096, "source_language": "", "target_language": ""}
    recipe = Recipe(learning_rate=1e-3, dropout=0.2, weight_decay=0.01, validations=8)
    generation = Generation(start_id=START, end_id=END, padding_id=PADDING)
    preset_overrides = {
        "smoke": PresetOverride(budget=32_768, tokens_per_batch=1_024),
        # Too short to overfit: without dropout it learns in fewer tokens.
        "quick": PresetOverride(
            budget=327_680, tokens_per_batch=1_024, lengths=(16, 32), options={"dropout": 0.0}
        ),
        "standard": PresetOverride(budget=4_000_000, tokens_per_batch=1_024),
        "reach": PresetOverride(budget=30_000_000, tokens_per_batch=1_280, lengths=(40,)),
    }

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Read a user's texts to the end, look for a prepared data set, or do nothing."""
        from tasks.common.text_units import check_units

        check_units(task_options(self, options))
        if request.kind == "files":
            from suite.api.files import digest_paths
            from tasks.translation.parallel_text import find_pairs, read_pairs

            folder = Path(request.argument).expanduser()
            languages = options["source_language"], options["target_language"]
            read_pairs(folder, *languages)
            files = find_pairs(folder, *languages).values()
            return digest_paths(path for both in files for path in both)
        if request.kind == "tfds":
            from tasks.common.tfds import digest_prepared

            return digest_prepared(request.argument or DEFAULT_TFDS_NAME, request)
        return f"synthetic-{self.version}"

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the pairs, learn pieces from both sides of train, pack and encode."""
        from tasks.common.sources import describe
        from tasks.common.text_units import learn_subwords

        options = task_options(self, options)
        pairs, facts = _read(request, options)
        texts = [text for pair in pairs["train"] for text in pair]
        units = learn_subwords(texts, options["vocabulary"], request, lowercase=False)
        encoded = {
            split: _encode(pairs[split], units, sequence_length, number)
            for number, split in enumerate(SPLITS)
        }
        about = {
            "vocabulary_size": units.vocabulary_size,
            "vocabulary_fingerprint": units.fingerprint,
            "sentences_cut": {split: cut for split, (_, cut) in encoded.items()},
            **facts,
        }
        return TaskData(
            **{split: examples for split, (examples, _) in encoded.items()},
            spec={
                "vocabulary_size": units.vocabulary_size,
                "tokenizer": units.to_json(),
                # Training sentences are never answered.
                "shown": [source for source, _ in pairs["test"][:NUM_SHOWN]],
                "references": [[], *([target for _, target in pairs[s]] for s in SPLITS[1:])],
            },
            facts=describe(self.sources[request.kind], pairs, about),
        )

    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Score the next token at every position of the target."""
        from tasks.common.heads import TiedHead

        return TiedHead()

    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Average the cross-entropy over the target's real tokens, labels smoothed."""
        from keras import ops

        from tasks.common.losses import smoothed_cross_entropy

        losses = smoothed_cross_entropy(targets["next_ids"], outputs, LABEL_SMOOTHING)
        real = ops.cast(features["target_mask"], losses.dtype)
        return ops.sum(losses * real) / ops.maximum(ops.sum(real), 1.0)

    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Take the likeliest next token; what is scored is written by `generation`."""
        from keras import ops

        return ops.argmax(outputs, axis=-1)

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Cut the answers into sentences and compare them with the references."""
        import numpy as np
        from sacrebleu.metrics import BLEU, CHRF

        answers = _answers(examples, predictions, spec)
        sentences = np.asarray(examples.targets["sentences"])
        first = int(examples.targets["first_sentence"][0])
        of_split = spec["references"][int(examples.targets["split"][0])]
        references = of_split[first : first + int(sentences.sum())]
        bleu, chrf = BLEU(), CHRF()
        found = bleu.corpus_score(answers, [references])
        return Score(
            {
                "bleu": float(found.score),
                "chrf": float(chrf.corpus_score(answers, [references]).score),
                "brevity_penalty": float(found.bp),
            },
            {
                "bleu_signature": str(bleu.get_signature()),
                "chrf_signature": str(chrf.get_signature()),
                "sentences": len(answers),
                "empty_answers": sum(not answer for answer in answers),
                "bleu_by_reference_words": _by_words(answers, references),
            },
        )

    def show(
        self, examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[ExamplePrediction]:
        """Show the first sentences of test; right is what equals its reference."""
        references = spec["references"][int(examples.targets["split"][0])]
        answers = _answers(examples, predictions, spec)
        return [
            ExamplePrediction(source, reference, answer, answer == reference)
            for source, reference, answer in zip(spec["shown"], references, answers, strict=False)
        ]


def _answers(examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> list[str]:
    """Cut what was written into sentences, and put their pieces together."""
    import numpy as np

    from tasks.common.text_units import Subwords

    sentences = np.asarray(examples.targets["sentences"])
    ids = [
        part
        for row, count in zip(np.asarray(predictions), sentences, strict=True)
        for part in _cut(row, int(count))
    ]
    return [text.strip() for text in Subwords.from_json(spec["tokenizer"]).decode(ids)]


def _by_words(answers: Sequence[str], references: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return BLEU and the number of sentences by how many words the reference has."""
    from sacrebleu.metrics import BLEU

    spans: dict[str, list[int]] = {}
    for number, reference in enumerate(references):
        low = (max(1, len(reference.split())) - 1) // WORDS_A_SPAN * WORDS_A_SPAN + 1
        spans.setdefault(f"{low}-{low + WORDS_A_SPAN - 1}", []).append(number)
    found = {}
    for span, numbers in sorted(spans.items(), key=lambda item: int(item[0].partition("-")[0])):
        of_span = [[texts[number] for number in numbers] for texts in (answers, references)]
        score = BLEU().corpus_score(of_span[0], [of_span[1]]).score
        found[span] = {"bleu": float(score), "sentences": len(numbers)}
    return found


def _cut(row: np.ndarray, count: int) -> list[list[int]]:
    """Cut one answer at its end marks into so many sentences, empty ones where there are fewer."""
    parts: list[list[int]] = [[]]
    for token in row.tolist():
        if token == END:
            parts.append([])
        elif token != PADDING:
            parts[-1].append(token)
    return (parts + [[]] * count)[:count]


def _read(request: SourceRequest, options: Options) -> tuple[Pairs, dict[str, Any]]:
    if request.kind == "synthetic":
        from tasks.translation.synthetic_pairs import draw_pairs

        return draw_pairs(), {"languages": ["generated", "generated"]}
    if request.kind == "tfds":
        from tasks.common.tfds import describe_prepared, open_prepared, read_prepared

        name = request.argument or DEFAULT_TFDS_NAME
        builder = open_prepared(name, request)
        languages = list(builder.info.features)
        # The name (en_de, ru_to_en) says which is the source where the features' order does not.
        said = [word for word in name.rsplit("/", 1)[-1].split("_") if word in languages]
        if sorted(said) == sorted(languages):
            languages = said
        source = options["source_language"] or languages[0]
        target = options["target_language"] or languages[1]
        pairs = {
            split: [
                (example[source].decode(), example[target].decode())
                for example in read_prepared(builder, split)
            ]
            for split in SPLITS
        }
        facts = {**describe_prepared(name, request), "languages": [source, target]}
        return pairs, facts
    from tasks.translation.parallel_text import read_pairs

    found, languages = read_pairs(
        Path(request.argument).expanduser(),
        options["source_language"],
        options["target_language"],
    )
    return found, {"languages": languages}


def _encode(
    pairs: list[tuple[str, str]], units: Units, length: int, split: int
) -> tuple[Examples, int]:
    """Pack consecutive pairs into examples; a side too long for one is cut, and counted."""
    import numpy as np

    sides = [units.encode([pair[side] for pair in pairs]) for side in (0, 1)]
    room = length - 1  # each sentence has its end mark
    cut = sum(len(one) > room or len(other) > room for one, other in zip(*sides, strict=True))
    groups: list[list[int]] = []
    left = (0, 0)
    for number, both in enumerate(zip(*sides, strict=True)):
        sizes = tuple(min(len(side), room) + 1 for side in both)
        if groups and all(size <= space for size, space in zip(sizes, left, strict=True)):
            groups[-1].append(number)
        else:
            groups.append([number])
            left = (length, length)
        left = (left[0] - sizes[0], left[1] - sizes[1])

    def lay(side: int) -> tuple[np.ndarray, np.ndarray]:
        ids = np.zeros((len(groups), length), np.int32)
        mask = np.zeros((len(groups), length), bool)
        for row, group in enumerate(groups):
            joined = [np.append(sides[side][number][:room], END) for number in group]
            whole = np.concatenate(joined)
            ids[row, : len(whole)] = whole
            mask[row, : len(whole)] = True
        return ids, mask

    source, source_mask = lay(0)
    following, target_mask = lay(1)
    given = np.pad(following[:, :-1], ((0, 0), (1, 0)), constant_values=START)
    features = {
        "token_ids": source,
        "padding_mask": source_mask,
        "target_ids": np.where(target_mask, given, PADDING).astype(np.int32),
        "target_mask": target_mask,
    }
    counts = np.array([len(group) for group in groups], np.int32)
    targets = {
        "next_ids": following,
        "sentences": counts,
        "first_sentence": np.cumsum(counts, dtype=np.int32) - counts,
        "split": np.full(len(groups), split, np.int32),
    }
    return Examples(features, targets), cut


TASK = Translation()
