"""BLEU and chrF of translations, with the words of the target language (sacreBLEU)."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from suite.api import RequestError, Score
from tasks.common.scripts import is_without_spaces, split_words

PACKAGES = {
    "13a": "",
    "char": "",
    "intl": "",
    "zh": "",
    "ja-mecab": "MeCab",
    "ko-mecab": "mecab_ko",
}
"""The tokenizers of sacreBLEU that download nothing, and the package that one needs."""
CHINESE = ("zh", "zho", "chi", "cmn", "yue")
OF_CHARACTERS = (
    *("ja", "jpn", "ko", "kor", "th", "tha", "lo", "lao", "km", "khm"),
    *("my", "mya", "bur", "bo", "bod", "tib", "dz", "dzo"),
)
"""Codes of languages, from ISO 639, that spaces do not part into words.

Korean has spaces, but a word between them is a phrase. sacreBLEU's own words of Japanese and
Korean need a dictionary that is not installed with it."""
WORDS_PER_RANGE = 10
"""The width of the reference length ranges by which BLEU is reported."""
MIN_WORDS = 4
"""BLEU compares sequences of up to four words; a shorter sentence has none of these."""
NUM_READ = 1_000
"""The number of texts that decide whether a language has spaces."""
SHORT_SHARE = 0.1
"""The share of short references from which on a note says so."""


def check_tokenizer(name: str) -> None:
    """Check that a tokenizer of BLEU, or "" for that of the language, can be used.

    Raises:
        RequestError: there is none of this name, or its package is not installed.
    """
    if name and name not in PACKAGES:
        raise RequestError(
            f"The option 'bleu_tokenizer' must be one of {', '.join(PACKAGES)}", received=name
        )
    package = PACKAGES.get(name)
    if package and importlib.util.find_spec(package) is None:
        raise RequestError(
            f"The option bleu_tokenizer={name} needs the package {package}",
            received="an environment without it",
            remedy=f'Install it with `pip install "sacrebleu[{name[:2]}]"`, or choose char',
        )


def choose_tokenizer(language: str, train_targets: Iterable[str]) -> str:
    """Return the tokenizer of a language, such as "zh" or "ja_JP".

    The texts decide for a language without a known code: sentences without spaces are compared by
    characters.
    """
    code = re.split("[^a-z]", language.lower())[0]
    if code in CHINESE:
        return "zh"
    if code in OF_CHARACTERS or is_without_spaces(islice(train_targets, NUM_READ)):
        return "char"
    return "13a"


def notes_on_short(references: Mapping[str, Sequence[str]], tokenizer: str) -> list[str]:
    """Return a note for each split with many references of fewer than four words."""
    found = []
    for split, texts in references.items():
        if (short := count_short(texts, tokenizer)) >= SHORT_SHARE * len(texts):
            found.append(
                f"{short:,} of {len(texts):,} references of {split} have fewer than {MIN_WORDS} "
                "words, which BLEU cannot compare; read chrF, or give longer texts"
            )
    return found


def count_short(references: Sequence[str], tokenizer: str) -> int:
    """Return the number of references with fewer than four words."""
    words = _bleu(tokenizer).tokenizer
    return sum(len(words(text.strip()).split()) < MIN_WORDS for text in references)


def score_translations(answers: Sequence[str], references: Sequence[str], tokenizer: str) -> Score:
    """Return BLEU and chrF, with BLEU by the length of the references."""
    from sacrebleu.metrics import CHRF

    bleu, chrf = _bleu(tokenizer), CHRF()
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
            "short_references": count_short(references, tokenizer),
            "bleu_by_reference_words": _by_reference_words(answers, references, tokenizer),
        },
    )


def _by_reference_words(
    answers: Sequence[str], references: Sequence[str], tokenizer: str
) -> dict[str, dict[str, Any]]:
    """Return BLEU and the number of sentences for each range of reference lengths."""
    ranges: dict[int, list[int]] = {}
    for index, reference in enumerate(references):
        words = max(1, len(split_words(reference)))
        ranges.setdefault((words - 1) // WORDS_PER_RANGE * WORDS_PER_RANGE + 1, []).append(index)
    report = {}
    for low, indices in sorted(ranges.items()):
        some_answers, some_references = (
            [texts[index] for index in indices] for texts in (answers, references)
        )
        score = _bleu(tokenizer).corpus_score(some_answers, [some_references]).score
        report[f"{low}-{low + WORDS_PER_RANGE - 1}"] = {
            "bleu": float(score),
            "sentences": len(indices),
        }
    return report


def _bleu(tokenizer: str) -> Any:
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize=tokenizer)
