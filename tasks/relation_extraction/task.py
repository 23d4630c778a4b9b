"""The relation extraction task: classify the relation between two marked entities of a sentence.

A position is a subword, or one of the four markers around the entities. A sentence that exceeds the
length is cut around its entities, and the number of such sentences is reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from suite.api import (
    IDENTITY,
    Examples,
    Inputs,
    Metric,
    Options,
    Recipe,
    Score,
    Source,
    SourceRequest,
    TaskData,
    digest_paths,
    task_options,
)
from tasks.common.classification import NUM_SHOWN, Classification, add_global_mask
from tasks.common.user_folders import FolderReader, folder_of

MIN_LENGTH = 16
Sentences = dict[str, list[tuple[str, str]]]


class RelationExtraction(FolderReader, Classification):
    """Classify sentences by relation and direction, as SemEval-2010 Task 8 (Hendrickx et al.)."""

    version = 1
    title = "Relation extraction"
    summary = "finds which relation holds between two marked entities, and in which direction"
    inputs = Inputs.TOKEN_IDS
    position = "a subword token, or a marker of an entity"
    default_lengths = (64, 128)
    primary_metric = Metric("relation_f1_macro", share=True)
    default_source = "synthetic"
    sources = {
        "synthetic": Source(
            summary="generated sentences; relation and direction depend on the order of words",
            licence="Apache-2.0",
            citation="Lengthwise",
            redistributable=True,
        ),
        "files": Source(
            summary="your own: train, test and optionally validation as TSV, CSV, JSONL, or in the "
            "format of SemEval-2010 Task 8",
            licence="your own",
            citation="your own",
            redistributable=False,
            argument="DIR",
            argument_required=True,
        ),
    }
    options = {
        "vocabulary": 8_192,
        "text_column": "",
        "label_column": "",
        "negative_label": "",
        "neighbour_convolution": False,
        "entity_states": False,
    }
    """`negative_label`: the label that is no relation, by default Other, no_relation or NA in any
    case. `neighbour_convolution`: whether the embedding has a convolution of width 7
    (`tasks/common/neighbour_embedding.py`). `entity_states`: whether the head reads the states at
    the entities too (`tasks/relation_extraction/entity_head.py`)."""
    open_options = frozenset({"neighbour_convolution", "entity_states"})
    hideable = (IDENTITY,)
    recipe = Recipe(learning_rate=1e-3, validations=6)
    length_buckets = (0.5,)
    label_smoothing = 0.1
    """Szegedy et al. 2016, section 7."""
    raw_example = "<e1>a</e1> <e2>a</e2>"

    def unsupported_reason(self, sequence_length: int, options: Options) -> str | None:
        """Reject lengths in which the markers and the words between them hardly fit."""
        return None if sequence_length >= MIN_LENGTH else f"needs lengths of at least {MIN_LENGTH}"

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Check the options and the user's sentences; return a digest."""
        from tasks.common.units import check_tokenizer_options

        own = task_options(self, options)
        check_tokenizer_options(own)
        if request.kind == "synthetic":
            return f"synthetic-{self.version}"
        from tasks.relation_extraction.labels import negative_labels

        _, classes, _ = _read_sentences(request, own)
        negative_labels(classes, own["negative_label"])
        return digest_paths(self.list_files(folder_of(request), own))

    def list_files(self, folder: Path, options: Options) -> list[Path]:
        """Return the file of each split."""
        from tasks.relation_extraction.marked_text import find_splits

        return list(find_splits(folder).values())

    def list_classes(self, request: SourceRequest, options: Options) -> Sequence[str]:
        """Return the relations of train: NA is a usual name of none."""
        from tasks.relation_extraction.labels import negative_labels

        own = task_options(self, options)
        _, classes, _ = _read_sentences(request, own)
        none = negative_labels(classes, own["negative_label"])
        return [label for label in classes if label not in none]

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the sentences, learn the tokenizer from train, and encode."""
        from tasks.common.sources import collect_facts
        from tasks.common.subwords import learn_subwords
        from tasks.common.tokenization import Purpose
        from tasks.common.units import describe_tokenizer
        from tasks.relation_extraction.encoding import encode_sentences
        from tasks.relation_extraction.labels import negative_labels
        from tasks.relation_extraction.marked_text import MARKERS, split_at_markers

        own = task_options(self, options)
        sentences, classes, source_facts = _read_sentences(request, own)
        plain = [" ".join(split_at_markers(text)[::2]) for text, _ in sentences["train"]]
        tokenizer = learn_subwords(plain, own["vocabulary"], request, Purpose.READ)
        encoded = {
            split: encode_sentences([text for text, _ in examples], tokenizer, sequence_length)
            for split, examples in sentences.items()
        }
        facts = {
            "vocabulary_fingerprint": tokenizer.fingerprint,
            "texts_cut": {split: part.num_cut for split, part in encoded.items()},
            **source_facts,
            **self.count_left_out(request, own),
        }
        return TaskData(
            **{
                split: _to_examples(
                    part, [classes.index(label) for _, label in sentences[split]], own
                )
                for split, part in encoded.items()
            },
            spec={
                "vocabulary_size": tokenizer.vocabulary_size + len(MARKERS),
                "first_marker_id": tokenizer.vocabulary_size,
                "unknown_id": tokenizer.unknown_id,
                "tokenizer": describe_tokenizer(tokenizer, own),
                "neighbour_convolution": own["neighbour_convolution"],
                "entity_states": own["entity_states"],
                "classes": classes,
                "negative_labels": negative_labels(classes, own["negative_label"]),
                "shown": [text for text, _ in sentences["test"][:NUM_SHOWN]],
            },
            sealed_spec={"shown": []},
            facts=collect_facts(self.sources[request.kind], sentences, facts),
        )

    def text_columns(self) -> Sequence[str]:
        """Return those of the tables for training."""
        from tasks.relation_extraction.marked_text import TEXT_COLUMNS

        return TEXT_COLUMNS

    def encode_raw(
        self, texts: Sequence[str], sequence_length: int, spec: Mapping[str, Any]
    ) -> Examples:
        """Encode sentences that mark their entities as <e1>…</e1> and <e2>…</e2>.

        Raises:
            DataError: a sentence has not the four markers.
        """
        from tasks.common.units import tokenizer_of
        from tasks.relation_extraction.encoding import encode_sentences
        from tasks.relation_extraction.marked_text import check_markers

        for number, text in enumerate(texts, 1):
            check_markers(text, f"text {number}")
        part = encode_sentences(texts, tokenizer_of(spec["tokenizer"]), sequence_length)
        return _to_examples(part, [0] * len(texts), spec)

    def hide_tokens(
        self, features: Mapping[str, Any], hidden: Mapping[str, Any], spec: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Replace tokens by the unknown one, and keep the markers of the entities."""
        is_text = features["token_ids"] < spec["first_marker_id"]
        return super().hide_tokens(features, {IDENTITY: hidden[IDENTITY] & is_text}, spec)

    def inputs_for(self, options: Options) -> Inputs:
        """Return token ids, or embeddings with the option `neighbour_convolution`."""
        convolved = task_options(self, options)["neighbour_convolution"]
        return Inputs.EMBEDDINGS if convolved else self.inputs

    def build_embedding(self, spec: Mapping[str, Any], width: int) -> Any:
        """Build a convolved embedding; the architecture embeds plain tokens itself."""
        if not spec["neighbour_convolution"]:
            return None
        from tasks.common.neighbour_embedding import NeighbourEmbedding

        return NeighbourEmbedding(spec["vocabulary_size"], width)

    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Build a linear head on the mean over positions, and perhaps on the entities' states."""
        if not spec["entity_states"]:
            return super().build_head(spec)
        from tasks.relation_extraction.entity_head import EntityHead

        return EntityHead(len(spec["classes"]), self.head_dropout)

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Score as the scorer of SemEval-2010 Task 8; further metrics and reports."""
        import numpy as np

        from tasks.relation_extraction.scoring import score_relations

        return score_relations(
            np.asarray(examples.targets["labels"]),
            predictions.argmax(axis=-1),
            np.asarray(examples.targets["entity_distance"]),
            spec["classes"],
            spec["negative_labels"],
        )


def _read_sentences(
    request: SourceRequest, options: Options
) -> tuple[Sentences, list[str], dict[str, Any]]:
    """Return the sentences and labels of each split, the classes, and facts about the source."""
    from tasks.common.sources import replace_surrogates, with_validation
    from tasks.relation_extraction.labels import classes_of

    facts: dict[str, Any] = {}
    if request.kind == "synthetic":
        from tasks.relation_extraction.synthetic_sentences import draw_sentences

        sentences = draw_sentences()
    else:
        from tasks.relation_extraction.marked_text import read_splits

        columns = options["text_column"], options["label_column"]
        sentences, facts = replace_surrogates(read_splits(folder_of(request), *columns))
    classes = classes_of(label for _, label in sentences["train"])
    sentences, about_validation = with_validation(sentences, by_class=True)
    return sentences, classes, {**facts, **about_validation}


def _to_examples(part: Any, labels: list[int], options: Options) -> Examples:
    import numpy as np

    features = add_global_mask({"token_ids": part.token_ids, "padding_mask": part.mask})
    if options["entity_states"]:
        features["entity_starts"] = part.entity_starts
    targets = {"labels": np.array(labels, np.int32), "entity_distance": part.distances}
    return Examples(features, targets)


TASK = RelationExtraction()
