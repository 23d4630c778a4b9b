"""Named entity recognition: which words name a person, a place, an organisation, something else?

A position is a word. An example of length N is a window of consecutive sentences of a document
stream, so a longer length gives more context and loses nothing: every word of a split lies in
exactly one window, at every length.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.api import (
    ExamplePrediction,
    Examples,
    Form,
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
from suite.api.errors import RequestError

if TYPE_CHECKING:
    from tasks.ner.tagged_text import Corpus, TaggedText

TFDS_NAME = "conll2003"
TFDS_COLUMNS = ("pos", "chunks")
TFDS_SPLITS = {"train": "train", "validation": "dev", "test": "test"}
OUTSIDE = "O"
CUE_DISTANCES = (1, 32, 64, 128, 256, 512, 1_024)
"""Where the intervals of the report by cue distance begin (the last one ends it)."""

WORDS_SHOWN = 1_000
"""So many words of test are kept to be shown."""

CONLL_CITATION = (
    "Tjong Kim Sang and De Meulder 2003, Introduction to the CoNLL-2003 Shared Task: "
    "Language-Independent Named Entity Recognition"
)


class Ner(Task):
    """Tags words in IOB2; scored by entities as conlleval does."""

    version = 2
    title = "Named entity recognition"
    summary = "finds and types names in running text"
    form = Form.ENCODER
    inputs = Inputs.EMBEDDINGS
    position = "a word"
    default_lengths = (128, 256, 512)
    primary_metric = Metric("entity_f1")
    default_source = "synthetic"
    sources = {
        "synthetic": Source(
            summary="generated documents; some types are told only by a cue 1 to 960 words away",
            licence="Apache-2.0",
            citation="Lengthwise",
            redistributable=True,
        ),
        "tfds": Source(
            summary="CoNLL-2003 English, from prepared TensorFlow Datasets",
            licence="Reuters corpus: research use, no redistribution",
            citation=CONLL_CITATION,
            redistributable=False,
        ),
        "files": Source(
            summary="your own column files: train, validation and test, a word and its tag a line",
            licence="your own",
            citation="your own",
            redistributable=False,
            argument="DIR",
            argument_required=True,
        ),
    }
    options = {"columns": False, "hidden_words": 0.3, "hidden_spellings": 0.4}
    """Whether what a source says of a word beside its tag is a feature of it; which share of a
    training batch's words lose their identity; and of which nothing but the shape is left (and the
    columns), as of a name that training never saw. A generated text hides no spelling: its words
    have none to learn from."""
    recipe = Recipe(learning_rate=1e-3, dropout=0.3)
    preset_overrides = {
        "quick": PresetOverride(lengths=(128, 512)),
        "standard": PresetOverride(budget=1_500_000, tokens_per_batch=2_048),
        "reach": PresetOverride(
            budget=8_000_000,
            tokens_per_batch=1_024,
            lengths=(128, 256),
            options={
                "averaged_share": 0.5,
                "weight_decay": 0.3,
                "hidden_words": 0.4,
                "hidden_spellings": 0.6,
            },
        ),
    }

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Read a user's files to the end, look for a prepared data set, or do nothing."""
        from tasks.common.options import check_range

        own = task_options(self, options)
        for name in ("hidden_words", "hidden_spellings"):
            check_range(own, name, 0, 1)
        if request.kind == "files":
            from suite.api.files import digest_paths
            from tasks.ner.columns import check_columns, find_files, read_folder

            folder = Path(request.argument).expanduser()
            read = read_folder(folder)
            if own["columns"]:
                check_columns(read, folder)
            return digest_paths(find_files(folder).values())
        if request.kind == "tfds":
            from tasks.common.tfds import digest_prepared

            return digest_prepared(TFDS_NAME, request)
        if own["columns"]:
            raise RequestError(
                "The option 'columns' is of sources that say more of a word than its tag",
                received="columns=True and generated words",
            )
        return f"synthetic-{self.version}"

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the corpus and cut its splits into windows."""
        from tasks.ner.word_features import build_word_tables, number_columns

        own, generated = task_options(self, options), request.kind == "synthetic"
        corpus = _read_corpus(request, own["columns"])
        tables = build_word_tables(corpus.words, corpus.splits["train"].words)
        sizes = dict(tables.sizes)
        between = {
            name: text.columns for name, text in corpus.splits.items() if text.columns is not None
        }
        if between:
            between, sizes["columns"] = number_columns(between)
        encoded = {
            name: _encode(text, tables, sequence_length, between.get(name))
            for name, text in corpus.splits.items()
        }
        source = self.sources[request.kind]
        shown = corpus.splits["test"].words[:WORDS_SHOWN].tolist()
        return TaskData(
            **{name: examples for name, (examples, _) in encoded.items()},
            spec={
                "sizes": sizes,
                "tags": list(corpus.tags),
                "shown": [corpus.words[word] for word in shown],
                "hidden_words": own["hidden_words"],
                "hidden_spellings": 0.0 if generated else own["hidden_spellings"],
            },
            facts={
                "fingerprint": corpus.fingerprint(),
                "words": {name: len(text.words) for name, text in corpus.splits.items()},
                "sentences": {
                    name: len(text.sentence_lengths) for name, text in corpus.splits.items()
                },
                "shared_with_train": _count_shared(corpus),
                "windows": {name: windows.num_windows for name, (_, windows) in encoded.items()},
                "sentences_cut": {
                    name: windows.split_sentences for name, (_, windows) in encoded.items()
                },
                "licence": source.licence,
                "citation": source.citation,
                "redistributable": source.redistributable,
                **corpus.facts,
            },
        )

    def augment(
        self, features: Mapping[str, Any], spec: Mapping[str, Any], generator: Any
    ) -> Mapping[str, Any]:
        """Make some words unknown, and of some the spelling too: their neighbours must tell."""
        from tasks.ner.hiding import draw_hidden, hide
        from tasks.ner.word_features import UNKNOWN

        real = features["padding_mask"]
        unnamed = draw_hidden(real, spec["hidden_words"], generator)
        unspelled = draw_hidden(real, spec["hidden_spellings"], generator)
        return {
            **features,
            "word_ids": hide(features["word_ids"], unnamed | unspelled, UNKNOWN),
            "affix_ids": hide(features["affix_ids"], unspelled, UNKNOWN),
            "character_ids": hide(features["character_ids"], unspelled, UNKNOWN),
        }

    def build_embedding(self, spec: Mapping[str, Any], width: int) -> Any:
        """Embed each word by identity, shape, affixes and characters."""
        from tasks.ner.word_features import WordEmbedding

        return WordEmbedding(spec["sizes"], width)

    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Score each tag at each word, after each other tag."""
        from tasks.ner.tag_chain import TagChain

        return TagChain(len(spec["tags"]), spec["tags"].index(OUTSIDE), name="tags")

    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Give how unlikely the right tags are among all, for each real word."""
        from keras import ops

        from tasks.ner.tag_chain import log_normalizer, path_score

        real = features["padding_mask"]
        unlikely = log_normalizer(outputs) - path_score(outputs, targets["tags"], real)
        return ops.sum(unlikely) / ops.maximum(ops.sum(ops.cast(real, unlikely.dtype)), 1.0)

    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Take the likeliest tags of all words together."""
        from tasks.ner.tag_chain import best_path

        return best_path(outputs)

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Compare entities over the whole stream, put together again from its windows."""
        from tasks.ner.entities import average, count, count_by_type, extract

        real = examples.features["padding_mask"]
        gold_ids, predicted_ids = examples.targets["tags"][real], predictions[real]
        starts = examples.targets["sentence_starts"][real].tolist()
        names = spec["tags"]
        gold = extract((names[tag] for tag in gold_ids.tolist()), starts)
        predicted = extract((names[tag] for tag in predicted_ids.tolist()), starts)
        total = count(gold, predicted)
        by_type = count_by_type(gold, predicted)
        inside = gold_ids != names.index(OUTSIDE)
        macro, weighted = (average(by_type, weighted=choice) for choice in (False, True))
        reports: dict[str, Any] = {
            "by_type": {kind: counts.describe() for kind, counts in by_type.items()},
            "micro": total.describe(),
            "macro": macro,
            "weighted": weighted,
            "scored_words": len(gold_ids),
        }
        if "cue_distance" in examples.targets:
            distances = examples.targets["cue_distance"][real]
            reports["by_cue_distance"] = _by_cue_distance(gold, predicted, distances)
        return Score(
            metrics={
                "entity_f1": total.f1,
                "entity_precision": total.precision,
                "entity_recall": total.recall,
                "entity_f1_macro": macro["f1"],
                "entity_f1_weighted": weighted["f1"],
                "token_accuracy": float((gold_ids == predicted_ids).mean()),
                "token_accuracy_without_o": (
                    float((gold_ids == predicted_ids)[inside].mean()) if inside.any() else None
                ),
            },
            reports=reports,
        )

    def show(
        self, examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[ExamplePrediction]:
        """Show the first sentences of test, each word that is tagged with its tag."""
        real = examples.features["padding_mask"]
        words, names = spec["shown"], spec["tags"]
        gold, found = (
            [names[tag] for tag in tags[real][: len(words)].tolist()]
            for tags in (examples.targets["tags"], predictions)
        )
        starts = examples.targets["sentence_starts"][real][: len(words)]
        ends = [*starts.nonzero()[0].tolist()[1:], len(gold)]
        shown, first = [], 0
        for end in ends:
            text, right = " ".join(words[first:end]), gold[first:end] == found[first:end]
            expected, answer = (
                " ".join(
                    f"{word}/{tag}"
                    for word, tag in zip(words[first:end], tags[first:end], strict=True)
                    if tag != OUTSIDE
                )
                for tags in (gold, found)
            )
            shown.append(ExamplePrediction(text, expected, answer, right))
            first = end
        return shown


def _read_corpus(request: SourceRequest, with_columns: bool) -> Corpus:
    from tasks.ner.tagged_text import build_corpus

    if request.kind == "files":
        from tasks.ner.columns import read_folder

        folder = read_folder(Path(request.argument).expanduser())
        return build_corpus(
            folder.sentences,
            {**folder.facts, "neighbours": "sentences in the files' own order"},
            folder.columns if with_columns else None,
        )
    if request.kind == "tfds":
        from tasks.common.tfds import describe_prepared

        facts = {"neighbours": "strangers: the data set stores its sentences shuffled"}
        sentences, columns = _read_tfds(request)
        corpus = build_corpus(sentences, facts, columns if with_columns else None)
        corpus.facts.update(describe_prepared(TFDS_NAME, request))  # type: ignore[attr-defined]
        return corpus
    from tasks.ner.tagged_synthetic import build_synthetic_corpus

    return build_synthetic_corpus()


def _read_tfds(
    request: SourceRequest,
) -> tuple[dict[str, list[tuple[list[str], list[str]]]], dict[str, list[list[str]]]]:
    """Read the prepared data set's sentences, and parts of speech and chunks of their words.

    The only use of TensorFlow here.
    """
    import tensorflow_datasets

    from tasks.common.tfds import data_folder

    builder = tensorflow_datasets.builder(TFDS_NAME, data_dir=str(data_folder(request)))
    if request.download:
        builder.download_and_prepare()
    names, *others = (
        builder.info.features[column].feature.names for column in ("ner", *TFDS_COLUMNS)
    )
    splits = {}
    columns: dict[str, list[list[str]]] = {}
    for split, tfds_split in TFDS_SPLITS.items():
        dataset = builder.as_dataset(split=tfds_split, shuffle_files=False)
        rows = dataset.map(
            lambda example: tuple(example[name] for name in ("tokens", "ner", *TFDS_COLUMNS))
        )
        sentences, columns[split] = [], []
        for batch in rows.ragged_batch(1_024):
            for words, ids, *between in zip(*(part.to_list() for part in batch), strict=True):
                if words:
                    decoded = [word.decode() for word in words]
                    sentences.append((decoded, [names[tag] for tag in ids]))
                    columns[split] += [
                        [text[number] for text, number in zip(others, numbers, strict=True)]
                        for numbers in zip(*between, strict=True)
                    ]
        splits[split] = sentences
    return splits, columns


def _encode(
    text: TaggedText, tables: Any, sequence_length: int, column_ids: Any
) -> tuple[Examples, Any]:
    """Cut a split into windows and lay its features and targets into them."""
    from tasks.ner.tagged_text import pack, sentence_starts

    windows = pack(text.sentence_lengths, sequence_length)
    starts = windows.fill(sentence_starts(text.sentence_lengths))
    features = {
        "word_ids": windows.fill(tables.words[text.words]),
        "shape_ids": windows.fill(tables.shapes[text.words]),
        "affix_ids": windows.fill(tables.affixes[text.words]),
        "character_ids": windows.fill(tables.characters[text.words]),
        "sentence_starts": starts,
        "padding_mask": windows.mask(),
    }
    if column_ids is not None:
        features["column_ids"] = windows.fill(column_ids)
    targets = {"tags": windows.fill(text.tags), "sentence_starts": starts}
    if text.cue_distance is not None:
        targets["cue_distance"] = windows.fill(text.cue_distance)
    return Examples(features, targets), windows


def _count_shared(corpus: Corpus) -> dict[str, int]:
    """Count the distinct sentences of the other splits whose words train has too."""
    import numpy as np

    distinct = {}
    for name, text in corpus.splits.items():
        ends = np.cumsum(text.sentence_lengths)[:-1]
        distinct[name] = {part.tobytes() for part in np.split(text.words, ends)}
    train = distinct.pop("train")
    return {name: len(sentences & train) for name, sentences in distinct.items()}


def _by_cue_distance(gold: Any, predicted: Any, distances: Any) -> dict[str, dict[str, float]]:
    """Score cued names apart, by how far away their cue is.

    A predicted entity counts where a cued name lies; one anywhere else is no matter of cues.
    """
    from tasks.ner.entities import count

    report = {}
    for low, high in itertools.pairwise(CUE_DISTANCES):
        within = (distances >= low) & (distances < high)
        cued = [entity for entity in gold if within[entity[0]]]
        guesses = [entity for entity in predicted if within[entity[0] : entity[1]].any()]
        if cued:
            report[f"{low}-{high - 1}"] = count(cued, guesses).describe()
    return report


TASK = Ner()
