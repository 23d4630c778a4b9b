"""Sentiment: does a review praise or blame?

A position is a subword token; with the option `units=bytes` it is a byte, as in Long Range Arena
(Tay et al. 2021, section 2.3.2), whose models have no convolution before them, as ours have then
(`tasks/_neighbour_embedding.py`). With the option `pairs` the commonest pairs of neighbouring
subwords are embedded beside them (`tasks/_piece_pairs.py`). A text longer than the length is cut,
and counted: its first quarter of the length is kept and its last three, since a review ends with
its verdict (head and tail, Sun et al. 2019, How to Fine-Tune BERT for Text Classification?, section
5.3.1); of bytes the beginning, as Long Range Arena keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.api import (
    Examples,
    Inputs,
    Options,
    PresetOverride,
    Recipe,
    Source,
    SourceRequest,
    TaskData,
    task_options,
)
from suite.api.errors import RequestError
from tasks.common.classification import NUM_SHOWN, Classification, with_first_global

if TYPE_CHECKING:
    from tasks.sentiment.piece_pairs import PiecePairs

TFDS_NAME = "imdb_reviews"
HIDDEN_TOKENS = 0.15
"""The share of a training batch's tokens that are hidden."""
HIDDEN_LETTERS = 8
"""So many bytes or characters are hidden together, a word or so: one alone is soon guessed."""
Texts = dict[str, list[tuple[str, str]]]


class Sentiment(Classification):
    """Two classes (or the user's own) for a text."""

    version = 3
    title = "Sentiment"
    summary = "tells praise from blame in reviews"
    inputs = Inputs.TOKEN_IDS
    position = "a subword token (or a byte)"
    default_lengths = (128, 256, 512, 1_024)
    default_source = "synthetic"
    sources = {
        "synthetic": Source(
            summary="generated reviews; what counts is said of the thing named at the beginning",
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
            summary="your own: train, test and perhaps validation as TSV, CSV, JSONL or folders",
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
        "pairs": 0,
        "text_column": "",
        "label_column": "",
    }
    recipe = Recipe(learning_rate=1e-3, dropout=0.2, weight_decay=0.05, validations=6)
    max_global_tokens = 1
    length_buckets = (0.5, 0.25, 0.125)
    label_smoothing = 0.1
    head_dropout = 0.2
    preset_overrides = {
        "smoke": PresetOverride(budget=65_536, tokens_per_batch=4_096),
        "quick": PresetOverride(budget=262_144, tokens_per_batch=4_096, lengths=(128, 256)),
        "standard": PresetOverride(
            budget=3_000_000, tokens_per_batch=2_048, lengths=(128, 256, 512)
        ),
        "reach": PresetOverride(
            budget=8_000_000,
            tokens_per_batch=8_192,
            lengths=(128, 256, 512, 1_024),
            options={
                "pairs": 65_536,
                "dropout": 0.4,
                "weight_decay": 0.5,
                "averaged_share": 0.5,
            },
        ),
    }

    def augment(
        self, features: Mapping[str, Any], spec: Mapping[str, Any], generator: Any
    ) -> Mapping[str, Any]:
        """Make some tokens unknown, so that no single word decides; letters by the word or so."""
        from tasks.common.text_units import UNKNOWN
        from tasks.ner.hiding import draw_hidden, hide

        span = HIDDEN_LETTERS if spec["letters"] else 1
        hidden = draw_hidden(features["padding_mask"], HIDDEN_TOKENS, generator, span)
        seen = {**features, "token_ids": hide(features["token_ids"], hidden, UNKNOWN)}
        if "pair_ids" in features:
            from tasks.sentiment.piece_pairs import UNKNOWN as UNKNOWN_PAIR

            of_either = hidden.copy()
            of_either[:, 1:] |= hidden[:, :-1]
            seen["pair_ids"] = hide(features["pair_ids"], of_either, UNKNOWN_PAIR)
        return seen

    def inputs_for(self, options: Options) -> Inputs:
        """Feed subwords as they are, letters or pairs of subwords by an embedding of their own."""
        options = task_options(self, options)
        return Inputs.EMBEDDINGS if _has_letters(options) or options["pairs"] else self.inputs

    def build_embedding(self, spec: Mapping[str, Any], width: int) -> Any:
        """Embed letters with their neighbours, pairs; subwords the architecture embeds itself."""
        if spec["num_pairs"]:
            from tasks.sentiment.piece_pairs import PiecePairEmbedding

            return PiecePairEmbedding(spec["vocabulary_size"], spec["num_pairs"], width)
        if not spec["letters"]:
            return None
        from tasks.common.neighbour_embedding import NeighbourEmbedding

        return NeighbourEmbedding(spec["vocabulary_size"], width)

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Read a user's texts to the end, look for a prepared data set, or do nothing."""
        from tasks.common.options import check_range
        from tasks.common.text_units import check_units

        own = task_options(self, options)
        check_units(own)
        check_range(own, "pairs", 0)
        if own["pairs"] and _has_letters(own):
            raise RequestError(
                "The option 'pairs' is of subwords",
                received=f"pairs={own['pairs']} and units={own['units']}",
                remedy="Leave one of the two out",
            )
        if request.kind == "files":
            from suite.api.files import digest_paths
            from tasks.sentiment.labelled_text import list_files, read_splits

            folder = Path(request.argument).expanduser()
            read_splits(folder, options["text_column"], options["label_column"])
            return digest_paths(list_files(folder))
        if request.kind == "tfds":
            from tasks.common.tfds import digest_prepared

            return digest_prepared(TFDS_NAME, request)
        return f"synthetic-{self.version}"

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the texts, learn the units from train, and encode."""
        from tasks.common.sources import describe
        from tasks.common.text_units import find_units

        options = task_options(self, options)
        texts, facts = _read(request, options)
        classes = sorted({label for _, label in texts["train"]})
        units = find_units(
            options["units"],
            [text for text, _ in texts["train"]],
            request,
            options["vocabulary"],
            lowercase=True,
        )
        from_end = 0 if options["units"] == "bytes" else sequence_length - sequence_length // 4
        rows = {
            split: units.encode([text for text, _ in examples]) for split, examples in texts.items()
        }
        pairs = None
        if options["pairs"]:
            from tasks.sentiment.piece_pairs import PiecePairs

            pairs = PiecePairs(rows["train"], options["pairs"])
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
        about = {
            "units": options["units"],
            "vocabulary_fingerprint": units.fingerprint,
            "texts_cut": {split: cut for split, (_, cut) in encoded.items()},
            **facts,
        }
        return TaskData(
            **{split: examples for split, (examples, _) in encoded.items()},
            spec={
                "vocabulary_size": units.vocabulary_size,
                "letters": _has_letters(options),
                "num_pairs": pairs.num_ids if pairs else 0,
                "classes": classes,
                "shown": [text for text, _ in texts["test"][:NUM_SHOWN]],
            },
            facts=describe(self.sources[request.kind], texts, about),
        )


def _has_letters(options: Options) -> bool:
    """Whether a token is a byte or a character."""
    return str(options["units"]) != "subwords"


def _read(request: SourceRequest, options: Options) -> tuple[Texts, dict[str, Any]]:
    facts: dict[str, Any] = {}
    if request.kind == "synthetic":
        from tasks.sentiment.synthetic_reviews import draw_reviews

        return draw_reviews(), facts
    if request.kind == "tfds":
        from tasks.common.tfds import describe_prepared, open_prepared, read_prepared

        builder = open_prepared(TFDS_NAME, request)
        names = builder.info.features["label"].names
        texts: Texts = {
            split: [
                (example["text"].decode(), names[example["label"]])
                for example in read_prepared(builder, split)
            ]
            for split in ("train", "test")
        }
        facts = dict(describe_prepared(TFDS_NAME, request))
    else:
        from tasks.sentiment.labelled_text import read_splits

        folder = Path(request.argument).expanduser()
        texts = dict(read_splits(folder, options["text_column"], options["label_column"]))
    if "validation" not in texts:
        from tasks.common.sources import hold_out

        kept, held = hold_out(len(texts["train"]))
        train = texts["train"]
        texts["train"] = [train[number] for number in kept]
        texts["validation"] = [train[number] for number in held]
        facts["validation"] = "a fixed tenth of train"
    return texts, facts


def _encode(
    rows: list[Any], labels: list[int], pairs: PiecePairs | None, length: int, from_end: int
) -> tuple[Examples, int]:
    import numpy as np

    from tasks.common.text_units import lay

    token_ids, mask, cut = lay(rows, length, from_end=from_end)
    features = with_first_global({"token_ids": token_ids, "padding_mask": mask})
    if pairs:
        pair_ids = [pairs.encode(row) for row in rows]
        features["pair_ids"], _, _ = lay(pair_ids, length, from_end=from_end)
    return Examples(features, {"labels": np.array(labels, np.int32)}), cut


TASK = Sentiment()
