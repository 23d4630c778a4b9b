"""Tests of the translation task: packing, errors and scores."""

from __future__ import annotations

import numpy as np
import pytest

from suite.api import DataError, SourceRequest
from tasks.common.text_to_text import END, PADDING, START
from tasks.translation.parallel_text import read_pairs
from tasks.translation.task import TASK

PAIRS = [(f"a house number {n}", f"ein Haus Nummer {n}") for n in range(40)]


def write(folder, split="train", pairs=PAIRS, languages=("en", "de")):
    for side, language in enumerate(languages):
        text = "\n".join(pair[side] for pair in pairs)
        (folder / f"{split}.{language}").write_text(text + "\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "valid", "test"):
        write(tmp_path, split)
    return tmp_path


def load(folder, length, **options):
    options = {"vocabulary": 100, "source_language": "en", "target_language": "de", **options}
    return TASK.load(SourceRequest("files", str(folder)), length, options)


@pytest.mark.parametrize("length", [16, 127])
def test_every_sentence_is_packed_once_and_decoded_unchanged(folder, length):
    data = load(folder, length)
    test = data.test
    assert test.targets["pairs"].sum() == len(PAIRS)
    assert data.facts["sentences_cut"]["test"] == 0
    for name in ("token_ids", "target_ids"):
        assert test.features[name].shape == (test.num_examples, length)
    ends = ((test.features["token_ids"] == END) & test.features["padding_mask"]).sum(axis=1)
    assert (ends == test.targets["pairs"]).all()
    score = TASK.score(test, test.targets["next_ids"], data.spec)
    assert score.metrics["bleu"] == pytest.approx(100)
    assert score.metrics["chrf"] == pytest.approx(100)
    assert "BLEU" in score.reports["bleu_signature"] or "nrefs" in score.reports["bleu_signature"]
    assert score.reports["sentences"] == len(PAIRS)


def test_the_decoder_s_input_is_the_shifted_target(folder):
    test = load(folder, 64).test
    target_ids, next_ids = test.features["target_ids"], test.targets["next_ids"]
    mask = test.features["target_mask"]
    assert (target_ids[:, 0] == START).all()
    assert (target_ids[:, 1:][mask[:, 1:]] == next_ids[:, :-1][mask[:, 1:]]).all()
    assert (target_ids[~mask] == PADDING).all()
    assert test.num_tokens == test.features["padding_mask"].sum() + mask.sum()


def test_long_examples_hold_more_sentences_and_little_padding(folder):
    shares = {}
    for length in (16, 128):
        train = load(folder, length).train
        shares[length] = train.features["padding_mask"].mean()
        assert train.targets["pairs"].sum() == len(PAIRS)
    assert shares[128] > 0.7


def test_an_example_is_one_pair_unless_pairs_are_packed(folder):
    data = load(folder, 64, packed=False)
    assert data.train.num_examples == len(PAIRS)
    assert set(data.train.targets["pairs"]) == {1}
    score = TASK.score(data.test, data.test.targets["next_ids"], data.spec)
    assert score.metrics["bleu"] == pytest.approx(100)


def test_sentences_that_do_not_fit_are_cut_and_counted(folder):
    data = load(folder, 4)
    assert data.facts["sentences_cut"]["test"] == len(PAIRS)
    assert data.test.targets["pairs"].max() == 1


def test_missing_sentences_count_as_empty(folder):
    data = load(folder, 64)
    nothing = np.zeros_like(data.test.targets["next_ids"])
    score = TASK.score(data.test, nothing, data.spec)
    assert score.metrics["bleu"] == 0 and score.reports["empty_answers"] == len(PAIRS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "train.de").write_text("one line\n"), "1 lines in"),
        (lambda f: (f / "test.de").write_text("\n" * 3 + "x\n" * 37), "test.de:1"),
        (lambda f: (f / "train.de").write_bytes(b"\xff\n"), "0xff at"),
        (lambda f: (f / "train.de").write_text(""), "must not be empty"),
        (lambda f: (f / "test.de").unlink(), "no test file ending in .de"),
        (lambda f: (f / "train.fr").write_text("x\n"), "source_language"),
        (lambda f: (f / "dev.en").write_text("x\n"), "dev.en, valid.en in"),
    ],
)
def test_errors_name_file_and_line(folder, change, message):
    change(folder)
    with pytest.raises(DataError) as caught:
        TASK.inspect(SourceRequest("files", str(folder)), TASK.options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("named", "expected"),
    [({}, ["de", "en"]), ({"source_language": "en"}, ["en", "de"]),
     ({"target_language": "de"}, ["en", "de"]), ({"target_language": "en"}, ["de", "en"])],
)  # fmt: skip
def test_the_other_language_is_that_of_the_other_file(folder, named, expected):
    (folder / "valid.fr").write_text("x\n")
    assert read_pairs(folder, **named)[1] == expected
    with pytest.raises(DataError, match=r"two files train\.LANGUAGE"):
        read_pairs(folder, source_language="fr")


def test_only_line_ends_separate_sentences(tmp_path):
    sentences = [f"{number} a\u2028b\x85c\x0cd\x0be\x1cf" for number in range(5)]
    for split in ("train", "valid", "test"):
        for language in ("en", "de"):
            content = "\r\n".join([*sentences, ""])
            (tmp_path / f"{split}.{language}").write_bytes(content.encode())
    pairs, languages = read_pairs(tmp_path, "en", "de")
    assert languages == ["en", "de"]
    assert set(pairs) == {"train", "validation", "test"}
    for found in pairs.values():
        assert found == list(zip(sentences, sentences, strict=True))


@pytest.mark.slow  # 30,000 pairs
def test_multi30k_is_read(tfds_data_dir):
    request = SourceRequest("tfds", "", data_dir=str(tfds_data_dir))
    data = TASK.load(request, 64, {"vocabulary": 4_000})
    assert data.facts["examples"] == {"train": 29_000, "validation": 1_014, "test": 1_000}
    assert data.facts["languages"] == ["en", "de"]
    assert len(data.spec["references"][2]) == 1_000
