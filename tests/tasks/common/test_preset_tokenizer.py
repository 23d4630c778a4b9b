"""Texts in the tokens of keras-hub's presets: ids, padding, characters, digests and refusals."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import shutil

import pytest

from suite.api import IDENTITY, RequestError, SourceRequest
from tasks.common.preset_tokenizer import PresetTokenizer
from tasks.language_modeling.task import TASK as LANGUAGE_MODELING
from tasks.sentiment.task import TASK as SENTIMENT

SYNTHETIC = SourceRequest("synthetic")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, UNKNOWN = 1, 2
TEXT = "the émoji 🎉, the עברית!\n\n" * 20


def save(folder, tokenizer, backbone):
    """Save a tokenizer, with the name of a backbone in place of its weights."""
    tokenizer.save_to_preset(str(folder))
    name = f"{backbone}Backbone"
    module = f"keras_hub.src.models.{backbone.lower()}.{backbone.lower()}_backbone"
    config = {"module": module, "class_name": name, "registered_name": f"keras_hub>{name}"}
    (folder / "config.json").write_text(json.dumps({**config, "config": {}}))
    return str(folder)


@pytest.fixture(scope="module")
def word_pieces(tmp_path_factory):
    """A preset whose id 0 is a word, and not padding."""
    import keras_hub

    tokenizer = keras_hub.models.BertTokenizer(
        ["good", *SPECIAL, "film", "##s", ".", "[", "]", "PAD"], sequence_length=3
    )
    return save(tmp_path_factory.mktemp("bert"), tokenizer, "Bert")


@pytest.fixture(scope="module")
def byte_pairs(tmp_path_factory):
    """A preset of bytes and a few of their pairs; it has no unknown token."""
    import keras_hub
    from tokenizers.pre_tokenizers import ByteLevel

    tokens = [*sorted(ByteLevel.alphabet()), "th", "the", "Ġthe", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = keras_hub.models.GPT2Tokenizer(vocabulary, ["t h", "th e", "Ġ the"])
    return save(tmp_path_factory.mktemp("gpt2"), tokenizer, "GPT2")


@pytest.fixture(scope="module")
def sentence_pieces(tmp_path_factory):
    """A preset of SentencePiece, which writes unknown characters in bytes."""
    import keras_hub
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the cat sat on the mat"] * 20),
        model_writer=model,
        vocab_size=300,
        hard_vocab_limit=False,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    tokenizer = keras_hub.models.LlamaTokenizer(model.getvalue())
    return save(tmp_path_factory.mktemp("llama"), tokenizer, "Llama")


def load(task, path, preset, length):
    source = SourceRequest("files", str(path))
    return task.load(source, length, {"units": "preset", "preset": preset})


def test_only_the_mask_marks_padding_and_ids_are_those_of_the_preset(tmp_path, word_pieces):
    rows = ["good films.\tyes", "[PAD] good\tno", "café\tyes", "\u200b\tno"]
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.tsv").write_text("\n".join(["text\tlabel", *rows]))
    data = load(SENTIMENT, tmp_path, word_pieces, 6)
    features = data.test.features
    expected = [[0, 6, 7, 8], [9, 11, 10, 0], [UNKNOWN], [UNKNOWN]]
    for ids, mask, wanted in zip(
        features["token_ids"], features["padding_mask"], expected, strict=True
    ):
        assert ids[mask].tolist() == wanted
    assert data.spec["vocabulary_size"] == 12 and data.spec["unknown_id"] == UNKNOWN
    plain = SENTIMENT.load(SourceRequest("files", str(tmp_path)), 6, {"units": "bytes"})
    assert data.facts["fingerprint"] != plain.facts["fingerprint"]
    every = {IDENTITY: features["padding_mask"]}
    hidden = SENTIMENT.hide_tokens(features, every, data.spec)["token_ids"]
    assert (hidden[features["padding_mask"]] == UNKNOWN).all()
    assert PresetTokenizer(word_pieces).decode([[0, 6, 7, PAD]]) == ["good films"]


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # keras-hub's
@pytest.mark.parametrize(("tokens", "first"), [("byte_pairs", "the"), ("sentence_pieces", "")])
def test_the_characters_of_all_targets_are_those_of_the_text(request, tmp_path, tokens, first):
    """The first token is no target: a word, or the space that SentencePiece puts before a text."""
    preset = request.getfixturevalue(tokens)
    assert LANGUAGE_MODELING.inspect(SYNTHETIC, {"units": "preset", "preset": preset})
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.txt").write_text(TEXT, encoding="utf-8")
    data = load(LANGUAGE_MODELING, tmp_path, preset, 16)
    real = data.test.features["padding_mask"]
    assert data.test.targets["characters"][real].sum() == len(TEXT) - len(first)
    shown = LANGUAGE_MODELING.text(data.test.targets["next_ids"][real].tolist(), data.spec)
    assert shown == TEXT.removeprefix(first)
    assert data.train.features["token_ids"].max() < data.spec["vocabulary_size"]


def test_bytes_without_an_unknown_token_take_the_end(byte_pairs):
    tokenizer = PresetTokenizer(byte_pairs)
    assert tokenizer.unknown_id == tokenizer.vocabulary_size - 1
    empty, unpaired = tokenizer.encode(["", "\ud800"])
    assert empty.tolist() == [tokenizer.unknown_id]
    assert tokenizer.decode([unpaired]) == ["?"]


def test_another_preset_is_other_data(tmp_path, word_pieces):
    copy = tmp_path / "copy"
    shutil.copytree(word_pieces, copy)
    found = []
    for name, content in (
        ("", ""),
        ("model.weights.h5", "weights"),
        ("assets/tokenizer/vocabulary.txt", "\n".join(["film", *SPECIAL, "good"])),
    ):
        if name:
            (copy / name).write_text(content)
        options = {"units": "preset", "preset": str(copy)}
        found.append((SENTIMENT.inspect(SYNTHETIC, options), PresetTokenizer(str(copy)).given))
    digests, tokenizers = zip(*found, strict=True)
    same = {"units": "preset", "preset": word_pieces}
    assert digests[0] == SENTIMENT.inspect(SYNTHETIC, same) and len(set(digests)) == 3
    assert tokenizers[0] == tokenizers[1] != tokenizers[2]


def test_folders_that_are_no_preset_are_refused(tmp_path, word_pieces, monkeypatch):
    tokenizer_only, broken = tmp_path / "tokenizer_only", tmp_path / "broken"
    for folder in (tokenizer_only, broken):
        shutil.copytree(word_pieces, folder)
    (tokenizer_only / "config.json").unlink()
    (broken / "tokenizer.json").write_text("{}")
    shutil.rmtree(broken / "assets")
    for task, preset, message in (
        (SENTIMENT, tmp_path / "none", r"none, without a valid config.json and tokenizer.json and"),
        (SENTIMENT, tokenizer_only, r"without a valid config.json. Save backbone and tokenizer"),
        (SENTIMENT, broken, r"valid tokenizer.json and assets/tokenizer/vocabulary\.\*\. Save"),
        (LANGUAGE_MODELING, word_pieces, "keeps spaces.*are word pieces. Choose the preset of a"),
    ):
        options = {"units": "preset", "preset": str(preset)}
        with pytest.raises(RequestError) as caught:
            task.inspect(SYNTHETIC, options)
        assert re.search(message, str(caught.value)), caught.value
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"environment without it.*pip install -e '.\[hub\]'"):
        SENTIMENT.inspect(SYNTHETIC, {"units": "preset", "preset": word_pieces})
