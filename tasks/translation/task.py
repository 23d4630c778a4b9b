"""The translation task: translate sentences into another language.

Consecutive pairs share an example while both sides fit, so longer examples hold more sentences and
little padding. With the option `packed=False`, an example is one pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from suite.api import (
    Examples,
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
from tasks.common.text_to_text import (
    PADDING,
    Pairs,
    TextToText,
    decode_answers,
    find_references,
)
from tasks.common.user_folders import FolderReader, folder_of


class Translation(FolderReader, TextToText):
    """Translate sentences; scored with sacreBLEU."""

    version = 3
    title = "Translation"
    summary = "translates sentences into another language"
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
    options = {
        "vocabulary": 4_096,
        "source_language": "",
        "target_language": "",
        "packed": True,
        "bleu_tokenizer": "",
    }
    """`bleu_tokenizer`: the tokenizer of sacreBLEU; by default that of the target language, such as
    13a, and char in languages without spaces between words."""
    recipe = Recipe(learning_rate=1e-3, validations=8)
    pair_name = "sentences"

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Check the options and the user's texts or the prepared data set; return a digest."""
        from tasks.common.units import check_tokenizer_options
        from tasks.translation.bleu import check_tokenizer

        own = task_options(self, options)
        check_tokenizer_options(own)
        check_tokenizer(own["bleu_tokenizer"])
        if request.kind == "files":
            from tasks.translation.parallel_text import read_pairs

            folder = folder_of(request)
            read_pairs(folder, own["source_language"], own["target_language"])
            return digest_paths(self.list_files(folder, own))
        if request.kind == "tfds":
            from tasks.translation.prepared_text import digest_data_set

            return digest_data_set(request)
        return f"synthetic-{self.version}"

    def list_files(self, folder: Path, options: Options) -> list[Path]:
        """Return both files of each split."""
        from tasks.translation.parallel_text import find_pairs

        languages = options["source_language"], options["target_language"]
        return [path for pair in find_pairs(folder, *languages).values() for path in pair]

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the pairs, learn subwords from both sides of train, and encode."""
        from tasks.translation.bleu import choose_tokenizer, notes_on_short

        own = task_options(self, options)
        pairs, facts = _read_pairs(request, own)
        targets = {split: [target for _, target in some] for split, some in pairs.items()}
        tokenizer = own["bleu_tokenizer"] or choose_tokenizer(
            facts["languages"][1], targets.pop("train")
        )
        notes = notes_on_short(targets, tokenizer)
        facts = {**facts, **self.count_left_out(request, own), "notes": notes}
        data = self.encode(pairs, request, sequence_length, own, facts)
        return replace(data, spec={**data.spec, "bleu_tokenizer": tokenizer})

    def predict_trivial(self, train: Examples, examples: Examples, spec: Mapping[str, Any]) -> Any:
        """Return empty answers."""
        import numpy as np

        return np.full(examples.features["target_mask"].shape, PADDING, np.int32)

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Split the answers into sentences and compare these with the references."""
        from tasks.translation.bleu import score_translations

        answers = decode_answers(examples, predictions, spec)
        return score_translations(answers, find_references(examples, spec), spec["bleu_tokenizer"])


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

    pairs, names = read_pairs(folder_of(request), *languages)
    return pairs, {"languages": names}


TASK = Translation()
