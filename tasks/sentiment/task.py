"""The sentiment task: classify reviews as positive or negative.

A position is a subword. With the option `units=bytes` a position is a byte, as in Long Range Arena
(Tay et al. 2021, section 2.3.2). With `units=preset` it is a token of a keras-hub preset, whose
folder the option `preset` names.

A text that exceeds the length is cut, and the number of such texts is reported. The first quarter
and the last three quarters of the length are kept, since a review ends with its verdict (head and
tail: Sun et al. 2019, "How to Fine-Tune BERT for Text Classification?", section 5.3.1). With
bytes, only the beginning is kept, as in Long Range Arena.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.api import (
    IDENTITY,
    ChangeWords,
    Examples,
    Inputs,
    Options,
    Recipe,
    RequestError,
    Source,
    SourceRequest,
    TaskData,
    digest_paths,
    task_options,
)
from tasks.common.classification import (
    NUM_SHOWN,
    Classification,
    add_global_mask,
    check_positive_class,
)
from tasks.common.user_folders import FolderReader, folder_of

if TYPE_CHECKING:
    from tasks.sentiment.subword_pairs import SubwordPairs

TFDS_NAME = "imdb_reviews"
Texts = dict[str, list[tuple[str, str]]]


class Sentiment(FolderReader, Classification):
    """Classify texts into two classes, or into those of a user's data."""

    version = 4
    title = "Sentiment"
    summary = "classifies reviews as positive or negative"
    inputs = Inputs.TOKEN_IDS
    position = "a subword token (or a byte)"
    default_lengths = (128, 256, 512, 1_024)
    default_source = "synthetic"
    sources = {
        "synthetic": Source(
            summary="generated reviews; only remarks about the subject named first count",
            licence="Apache-2.0",
            citation="Lengthwise",
            redistributable=True,
        ),
        "tfds": Source(
            summary="IMDB reviews, from prepared TensorFlow Datasets",
            licence="none stated; the authors ask to be cited",
            citation="Maas et al. 2011, Learning Word Vectors for Sentiment Analysis",
            redistributable=False,
        ),
        "files": Source(
            summary="your own: train, test and optionally validation as TSV, CSV, JSONL or folders",
            licence="your own",
            citation="your own",
            redistributable=False,
            argument="DIR",
            argument_required=True,
        ),
    }
    options = {
        "units": "subwords",
        "vocabulary": 16_384,
        "text_column": "",
        "label_column": "",
        "positive_class": "",
        "neighbour_convolution": False,
        "pairs": 0,
        "preset": "",
    }
    """`positive_class`: the class whose F1 is a metric if there are two, by default the second in
    alphabetical order. `neighbour_convolution`: whether the embedding has a convolution of width 7
    (`tasks/common/neighbour_embedding.py`). `pairs`: the number of frequent pairs of adjacent
    subwords that are embedded too (`tasks/sentiment/subword_pairs.py`). `preset`: the folder of
    the keras-hub preset whose tokens are the units `preset`."""
    open_options = frozenset({"neighbour_convolution", "pairs", "preset"})
    folders_are_classes = True
    recipe = Recipe(learning_rate=1e-3, validations=6)
    length_buckets = (0.5, 0.25, 0.125)
    label_smoothing = 0.1
    """Szegedy et al. 2016, section 7."""
    hideable = (IDENTITY,)

    def hide_tokens(
        self, features: Mapping[str, Any], hidden: Mapping[str, Any], spec: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Replace tokens by the unknown one, and both pairs of such a token by the unknown pair."""
        features = super().hide_tokens(features, hidden, spec)
        if "pair_ids" not in features:
            return features
        from tasks.common.hidden_tokens import replace_hidden
        from tasks.sentiment.subword_pairs import UNKNOWN_PAIR

        tokens = hidden[IDENTITY]
        pairs = tokens.copy()
        pairs[:, 1:] |= tokens[:, :-1]
        return {**features, "pair_ids": replace_hidden(features["pair_ids"], pairs, UNKNOWN_PAIR)}

    def inputs_for(self, options: Options) -> Inputs:
        """Return token ids, or embeddings with the options `pairs` or `neighbour_convolution`."""
        own = task_options(self, options)
        embedded = own["pairs"] or own["neighbour_convolution"]
        return Inputs.EMBEDDINGS if embedded else self.inputs

    def build_embedding(self, spec: Mapping[str, Any], width: int) -> Any:
        """Build an embedding of pairs or a convolved one; the architecture embeds plain tokens."""
        if spec["num_pairs"]:
            from tasks.sentiment.subword_pairs import SubwordPairEmbedding

            return SubwordPairEmbedding(spec["vocabulary_size"], spec["num_pairs"], width)
        if not spec["neighbour_convolution"]:
            return None
        from tasks.common.neighbour_embedding import NeighbourEmbedding

        return NeighbourEmbedding(spec["vocabulary_size"], width)

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Check the options and the user's texts or the prepared data set; return a digest."""
        from tasks.common.options import check_range
        from tasks.common.preset_tokenizer import digest_with_preset
        from tasks.common.units import check_tokenizer_options

        own = task_options(self, options)
        check_tokenizer_options(own)
        check_range(own, "pairs", 0)
        if own["pairs"] and _has_letters(own):
            raise RequestError(
                "The option 'pairs' needs subwords",
                received=f"pairs={own['pairs']} and units={own['units']}",
                remedy="Remove one of the two options",
            )
        if own["pairs"] and own["neighbour_convolution"]:
            raise RequestError(
                "The options 'pairs' and 'neighbour_convolution' exclude each other",
                received=f"pairs={own['pairs']} and neighbour_convolution=True",
                remedy="Remove one of the two options",
            )
        return digest_with_preset(self._inspect_source(request, own), own)

    def _inspect_source(self, request: SourceRequest, own: Options) -> str | None:
        """Check the user's texts or the prepared data set; return a digest."""
        if request.kind == "files":
            _, classes, _ = _read_texts(request, own)
            check_positive_class(own["positive_class"], classes)
            return digest_paths(self.list_files(folder_of(request), own))
        if request.kind == "tfds":
            from tasks.common.tfds import digest_prepared

            return digest_prepared(TFDS_NAME, request)
        return f"synthetic-{self.version}"

    def list_files(self, folder: Path, options: Options) -> list[Path]:
        """Return the tables, and the texts in the folders of labels."""
        from tasks.sentiment.labelled_text import list_files

        return list_files(folder)

    def list_classes(self, request: SourceRequest, options: Options) -> Sequence[str]:
        """Return the labels of train."""
        return _read_texts(request, task_options(self, options))[1]

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the texts, build the tokenizer from train, and encode."""
        from tasks.common.sources import collect_facts
        from tasks.common.tokenization import Purpose
        from tasks.common.units import build_tokenizer, describe_tokenizer

        options = task_options(self, options)
        texts, classes, source_facts = _read_texts(request, options)
        check_positive_class(options["positive_class"], classes)
        tokenizer = build_tokenizer(
            options, [text for text, _ in texts["train"]], request, Purpose.READ
        )
        from_end = _from_end(options["units"], sequence_length)
        rows = {
            split: tokenizer.encode([text for text, _ in examples])
            for split, examples in texts.items()
        }
        pairs = None
        if options["pairs"]:
            from tasks.sentiment.subword_pairs import SubwordPairs

            pairs = SubwordPairs(rows["train"], options["pairs"])
        encoded = {
            split: _encode(
                rows[split],
                [classes.index(label) for _, label in examples],
                pairs,
                sequence_length,
                from_end,
            )
            for split, examples in texts.items()
        }
        facts = {
            "units": options["units"],
            "vocabulary_fingerprint": tokenizer.fingerprint,
            "texts_cut": {split: num_cut for split, (_, num_cut) in encoded.items()},
            **source_facts,
            **self.count_left_out(request, options),
        }
        return TaskData(
            **{split: examples for split, (examples, _) in encoded.items()},
            spec={
                "vocabulary_size": tokenizer.vocabulary_size,
                "unknown_id": tokenizer.unknown_id,
                "neighbour_convolution": options["neighbour_convolution"],
                "num_pairs": pairs.num_ids if pairs else 0,
                "pair_codes": pairs.codes if pairs else [],
                "tokenizer": describe_tokenizer(tokenizer, options),
                "classes": classes,
                "positive_class": options["positive_class"],
                "shown": [text for text, _ in texts["test"][:NUM_SHOWN]],
            },
            sealed_spec={"shown": []},
            facts=collect_facts(self.sources[request.kind], texts, facts, tokenizer.given),
        )

    def disturbance_reason(self, options: Options) -> str | None:
        """Return that a preset's tokens may not restore the white space between words."""
        if options["units"] == "preset":
            return "does not restore words from the tokens of a preset; omit units=preset"
        return None

    def disturb(self, examples: Examples, change: ChangeWords, spec: Mapping[str, Any]) -> Examples:
        """Return examples with other words; subwords are lowercase, as the model reads them.

        In a text that was cut, the tokens on both sides of the cut become a pair.
        """
        import numpy as np

        from tasks.common.token_words import disturb_rows
        from tasks.common.units import tokenizer_of

        token_ids = np.asarray(examples.features["token_ids"])
        real = np.asarray(examples.features["padding_mask"])
        rows = [ids[mask] for ids, mask in zip(token_ids, real, strict=True)]
        disturbed = disturb_rows(rows, change, tokenizer_of(spec["tokenizer"]))
        return _encode_rows(disturbed, examples.targets["labels"], token_ids.shape[1], spec)

    def text_columns(self) -> Sequence[str]:
        """Return those of the tables for training."""
        from tasks.sentiment.labelled_text import TEXT_COLUMNS

        return TEXT_COLUMNS

    def encode_raw(
        self, texts: Sequence[str], sequence_length: int, spec: Mapping[str, Any]
    ) -> Examples:
        """Encode texts, each of which is an example."""
        from tasks.common.units import tokenizer_of

        rows = tokenizer_of(spec["tokenizer"]).encode(texts)
        return _encode_rows(rows, [0] * len(texts), sequence_length, spec)


def _from_end(units: str, length: int) -> int:
    """Return the number of last tokens that remain of a text that is cut."""
    return 0 if units == "bytes" else length - length // 4


def _encode_rows(rows: list[Any], labels: Any, length: int, spec: Mapping[str, Any]) -> Examples:
    """Return examples of a length from rows of token ids and labels."""
    pairs = None
    if spec["num_pairs"]:
        from tasks.sentiment.subword_pairs import SubwordPairs

        pairs = SubwordPairs.of_codes(spec["pair_codes"])
    from_end = _from_end(spec["tokenizer"]["units"], length)
    return _encode(rows, labels, pairs, length, from_end)[0]


def _has_letters(options: Options) -> bool:
    """Return whether a token is a byte or a character."""
    return options["units"] in ("bytes", "characters")


def _read_texts(
    request: SourceRequest, options: Options
) -> tuple[Texts, list[str], dict[str, Any]]:
    """Return the texts and labels of each split, the classes, and facts about the source."""
    from tasks.common.sources import replace_surrogates, with_validation

    facts: dict[str, Any] = {}
    if request.kind == "synthetic":
        from tasks.sentiment.synthetic_reviews import draw_reviews

        texts: Texts = draw_reviews()
    elif request.kind == "tfds":
        from tasks.common.tfds import describe_prepared, open_prepared, read_prepared

        builder = open_prepared(TFDS_NAME, request)
        names = builder.info.features["label"].names
        texts = {
            split: [
                (example["text"].decode(), names[example["label"]])
                for example in read_prepared(builder, split)
            ]
            for split in ("train", "test")
        }
        facts = dict(describe_prepared(TFDS_NAME, request))
    else:
        from tasks.sentiment.labelled_text import read_splits

        columns = options["text_column"], options["label_column"]
        texts, facts = replace_surrogates(read_splits(folder_of(request), *columns))
    classes = sorted({label for _, label in texts["train"]})
    texts, about_validation = with_validation(texts, by_class=request.kind == "files")
    return texts, classes, {**facts, **about_validation}


def _encode(
    rows: list[Any], labels: Any, pairs: SubwordPairs | None, length: int, from_end: int
) -> tuple[Examples, int]:
    import numpy as np

    from tasks.common.tokenization import cut_and_pad

    token_ids, mask, num_cut = cut_and_pad(rows, length, from_end=from_end)
    features = add_global_mask({"token_ids": token_ids, "padding_mask": mask})
    if pairs:
        pair_ids = [pairs.encode(row) for row in rows]
        features["pair_ids"], _, _ = cut_and_pad(pair_ids, length, from_end=from_end)
    return Examples(features, {"labels": np.array(labels, np.int32)}), num_cut


TASK = Sentiment()
