"""The summarization task: write the summary of a text.

An example is one text and its summary. With the option `packed`, consecutive texts share an
example while they fit, as do their summaries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
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
from tasks.common.text_to_text import END, Pairs, TextToText, decode_answers, find_references
from tasks.common.user_folders import FolderReader, folder_of

ROUGE = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}
"""The metrics, and their names in the package rouge-score."""
MIN_TRAIN_EXAMPLES = 100
MIN_LENGTH = 32
UNSCORED_SHARE = 0.1
"""The share of summaries that ROUGE-2 cannot compare from which on a note says so."""


class Summarization(FolderReader, TextToText):
    """Write summaries; scored by ROUGE.

    ROUGE (Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries") is the mean F-measure
    over the summaries, after stemming. It counts words of the letters a to z and digits alone.
    `rouge_l` is the longest common subsequence of whole summaries.
    """

    version = 1
    title = "Summarization"
    summary = "writes the summary of a text"
    default_lengths = (128, 256, 512)
    primary_metric = Metric("rouge_2", share=True)
    other_metrics = (Metric("rouge_1", share=True), Metric("rouge_l", share=True))
    default_source = "synthetic"
    sources = {
        "synthetic": Source(
            summary="generated reports as long as the sequence, with key sentences anywhere in "
            "them",
            licence="Apache-2.0",
            citation="Lengthwise",
            redistributable=True,
            drawn_for_length=True,
        ),
        "tfds": Source(
            summary="a prepared data set of texts and summaries (default: cnn_dailymail)",
            licence="the data set's own",
            citation="See et al. 2017, Get To The Point: Summarization with Pointer-Generator "
            "Networks (cnn_dailymail)",
            redistributable=False,
            argument="NAME",
        ),
        "files": Source(
            summary="your own: train, test and optionally validation as JSONL, TSV or CSV",
            licence="your own",
            citation="your own",
            redistributable=False,
            argument="DIR",
            argument_required=True,
        ),
    }
    options = {
        "vocabulary": 16_384,
        "packed": False,
        "text_column": "",
        "summary_column": "",
        "key_sentences": 3,
        "train_examples": 4_096,
    }
    """`key_sentences`: the number of key sentences in a generated report. `train_examples`: the
    number of generated ones."""
    recipe = Recipe(learning_rate=1e-3)
    """Trials on 64 examples of validation, `tiny`, seed 0, 128 positions, 128 steps of 16 examples:
    `vanilla` had a ROUGE-1 of 0.39 and a ROUGE-2 of 0.09 with 1e-3, and 0.24 and 0.07 with 3e-3;
    `identity` had 0.21 and 0.05 with 1e-3."""
    scored_unit = "examples"
    pair_name = "reports"

    def unsupported_reason(self, sequence_length: int, options: Options) -> str | None:
        """Reject lengths too short for a report."""
        if sequence_length >= MIN_LENGTH:
            return None
        return f"needs lengths of at least {MIN_LENGTH}, for a report"

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Check the options and the user's texts or the prepared data set; return a digest."""
        from tasks.common.options import check_range
        from tasks.common.units import check_tokenizer_options

        own = task_options(self, options)
        check_tokenizer_options(own)
        check_range(own, "key_sentences", 1, 6)
        check_range(own, "train_examples", MIN_TRAIN_EXAMPLES)
        if request.kind == "files":
            from tasks.summarization.reports import read_folder

            folder = folder_of(request)
            read_folder(folder, own["text_column"], own["summary_column"])
            return digest_paths(self.list_files(folder, own))
        if request.kind == "tfds":
            from tasks.common.tfds import digest_prepared
            from tasks.summarization.reports import DEFAULT_NAME

            return digest_prepared(request.argument or DEFAULT_NAME, request)
        return f"synthetic-{self.version}"

    def list_files(self, folder: Path, options: Options) -> list[Path]:
        """Return the table of each split."""
        from tasks.summarization.reports import find_files

        return list(find_files(folder).values())

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the texts, learn subwords from both sides of train, and encode."""
        own = task_options(self, options)
        pairs, facts = _read_pairs(request, sequence_length, own)
        facts |= {**self.count_left_out(request, own), "notes": notes_on_scripts(pairs)}
        return self.encode(pairs, request, sequence_length, own, facts)

    def text_columns(self) -> Sequence[str]:
        """Return those of the tables for training."""
        from tasks.summarization.reports import TEXT_COLUMNS

        return TEXT_COLUMNS

    def predict_trivial(self, train: Examples, examples: Examples, spec: Mapping[str, Any]) -> Any:
        """Return the first summary of train for each text."""
        import numpy as np

        ids = np.asarray(train.targets["next_ids"][0])
        ends = np.flatnonzero(ids == END)
        repeated = np.resize(ids[: ends[0] + 1], ids.shape)  # packed texts have several summaries
        return np.tile(repeated, (examples.num_examples, 1))

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Score the generated summaries against the references."""
        answers = decode_answers(examples, predictions, spec)
        references = find_references(examples, spec)
        return score_summaries(answers, references)


def score_summaries(answers: Sequence[str], references: Sequence[str]) -> Score:
    """Return the mean F-measures of ROUGE, with precision and recall in a report."""
    import numpy as np

    found = np.array(
        [
            compare_summaries(answer, reference)
            for answer, reference in zip(answers, references, strict=True)
        ]
    )
    means = dict(zip(ROUGE, found.mean(axis=0).tolist(), strict=True))
    words = {
        name: float(np.mean([len(text.split()) for text in texts]))
        for name, texts in (("answer", answers), ("reference", references))
    }
    return Score(
        {name: f_measure for name, (_, _, f_measure) in means.items()},
        {
            "summaries": len(answers),
            "empty_answers": sum(not answer for answer in answers),
            "words_per_summary": words,
            **{
                name: {"precision": precision, "recall": recall}
                for name, (precision, recall, _) in means.items()
            },
        },
    )


def notes_on_scripts(pairs: Pairs) -> list[str]:
    """Return a note for each scored split with many summaries that ROUGE-2 cannot compare."""
    found = []
    for split in ("validation", "test"):
        summaries = [summary for _, summary in pairs[split]]
        short = sum(len(re.findall("[a-z0-9]+", text.lower())) < 2 for text in summaries)
        if short >= UNSCORED_SHARE * len(summaries):
            found.append(
                f"{short:,} of {len(summaries):,} summaries of {split} have fewer than two words "
                "of a to z and digits, which alone ROUGE counts"
            )
    return found


@lru_cache(maxsize=2**16)  # a split is scored once more without each of its parts
def compare_summaries(answer: str, reference: str) -> tuple[tuple[float, float, float], ...]:
    """Return precision, recall and F-measure of a summary for each measure of `ROUGE`."""
    scores = _scorer().score(reference, answer)
    return tuple(
        (scores[name].precision, scores[name].recall, scores[name].fmeasure)
        for name in ROUGE.values()
    )


@lru_cache(maxsize=1)
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer
    from rouge_score.tokenizers import DefaultTokenizer

    return RougeScorer(list(ROUGE.values()), tokenizer=DefaultTokenizer(use_stemmer=True))


def _read_pairs(
    request: SourceRequest, sequence_length: int, options: Options
) -> tuple[Pairs, dict[str, Any]]:
    """Return the texts and summaries of each split, and facts about the source."""
    if request.kind == "synthetic":
        from tasks.summarization.synthetic_reports import draw_reports

        drawn = options["train_examples"], options["key_sentences"]
        return draw_reports(sequence_length, *drawn), {}
    columns = options["text_column"], options["summary_column"]
    if request.kind == "tfds":
        from tasks.summarization.reports import read_data_set

        return read_data_set(request, *columns)
    from tasks.summarization.reports import read_folder

    return read_folder(folder_of(request), *columns)


TASK = Summarization()
