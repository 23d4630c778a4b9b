"""Tests of the language modelling task: windows, metrics and sources."""

from __future__ import annotations

import numpy as np
import pytest

from suite.api import DataError, Examples, RequestError, SourceRequest, Unsupported
from tasks.language_modeling.task import TASK

TEXT = "Once upon a time, there was a test: émoji 🎉, עברית, NUL \0.\n" * 40


def load(tmp_path, length=16, text=TEXT, **options):
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8", newline="")
    return TASK.load(SourceRequest("files", str(path)), length, options)


@pytest.mark.parametrize("units", ["characters", "bytes", "subwords"])
@pytest.mark.parametrize("length", [7, 64])
def test_windows_cover_the_stream_without_gap_or_overlap(tmp_path, units, length):
    data = load(tmp_path, length, units=units, vocabulary=300)
    for examples in (data.train, data.validation, data.test):
        real = examples.features["padding_mask"]
        token_ids = examples.features["token_ids"][real]
        next_ids = examples.targets["next_ids"][real]
        assert (token_ids[1:] == next_ids[:-1]).all()
        assert token_ids.max() < data.spec["vocabulary_size"]
        assert real[:-1].all(), "only the last window has padding"


@pytest.mark.parametrize("units", ["characters", "bytes"])
def test_bits_are_per_character_with_all_units(tmp_path, units):
    data = load(tmp_path, 16, units=units)
    test = data.test
    real = test.features["padding_mask"]
    nats = np.full(real.shape, np.log(2.0))
    score = TASK.score(test, nats, data.spec)
    assert score.metrics["nats_per_token"] == pytest.approx(np.log(2))
    assert score.metrics["perplexity"] == pytest.approx(2)
    characters = data.facts["characters"]["test"] - 1
    expected = real.sum() / characters
    assert score.metrics["bits_per_character"] == pytest.approx(expected, rel=0.02)


def test_the_characters_of_subwords_are_counted(tmp_path):
    plain = "the cat sat on the mat and the dog sat on the cat\n" * 60
    data = load(tmp_path, 16, plain, units="subwords", vocabulary=200)
    counted = data.train.targets["characters"][data.train.features["padding_mask"]].sum()
    assert counted == pytest.approx(data.facts["characters"]["train"], rel=0.05)


def test_the_effective_context_length_is_where_the_loss_stops_falling(tmp_path):
    data = load(tmp_path, 64)
    shape = data.test.features["padding_mask"].shape
    flat = np.ones(shape)
    assert TASK.score(data.test, flat, data.spec).metrics["effective_context_length"] == 0
    falling = np.where(np.arange(64) < 16, 2.0, 1.0) * np.ones(shape)
    score = TASK.score(data.test, falling, data.spec)
    assert score.metrics["effective_context_length"] == 16
    assert score.reports["nats_by_position"]["8-15"] == pytest.approx(2.0)


def test_a_single_file_is_split_and_a_folder_is_read_unchanged(tmp_path):
    whole = load(tmp_path)
    assert "of train" in whole.facts["validation"]
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("train", "valid", "test"):
        (folder / f"{name}.txt").write_text(f"{name} text, " * 50)
    data = TASK.load(SourceRequest("files", str(folder)), 16, {})
    assert "validation" not in data.facts
    assert data.facts["characters"]["test"] == 50 * len("test text, ")


def test_errors_name_the_file_or_option(tmp_path):
    cases = {"empty": b"", "binary": b"\x00\xff\xfe", "latin": b"ok\ncaf\xe9\n"}
    for name, content in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            TASK.inspect(SourceRequest("files", str(path)), TASK.options)
        assert name in str(caught.value)
    with pytest.raises(DataError, match="must exist"):
        TASK.inspect(SourceRequest("files", str(tmp_path / "nowhere")), TASK.options)
    with pytest.raises(RequestError, match="'units' must be one of"):
        TASK.inspect(SourceRequest("synthetic"), {**TASK.options, "units": "words"})


def test_tiny_shakespeare_is_read_completely(tfds_data_dir):
    data = TASK.load(SourceRequest("tfds", data_dir=str(tfds_data_dir)), 64, {})
    assert data.facts["characters"] == {
        "train": 1_003_854,
        "validation": 55_770,
        "test": 55_770,
    }
    assert data.spec["vocabulary_size"] == 65 + 4
    assert data.train.num_tokens == 1_003_854 - 1


def test_evaluation_windows_have_the_vocabulary_of_the_training(tmp_path):
    data = load(tmp_path, 16)
    source = SourceRequest("files", str(tmp_path / "text.txt"))
    longer = TASK.load_evaluation(source, 96, TASK.options, data.spec)
    assert set(longer) == {"validation", "test"}
    for split, examples in longer.items():
        trained, real = getattr(data, split), examples.features["padding_mask"]
        assert real.shape[1] == 96
        expected = trained.targets["next_ids"][trained.features["padding_mask"]]
        assert (examples.targets["next_ids"][real] == expected).all()
    with pytest.raises(Unsupported, match="fewer than one window of 4,096"):
        TASK.load_evaluation(source, 4_096, TASK.options, data.spec)


def test_positions_without_a_token_have_no_score(tmp_path):
    """The only window of a short split has 11 tokens of 64."""
    data = load(tmp_path, 64)
    examples = Examples(
        {name: values[:1].copy() for name, values in data.test.features.items()},
        {name: values[:1] for name, values in data.test.targets.items()},
    )
    examples.features["padding_mask"][:, 11:] = False
    score = TASK.score(examples, np.full((1, 64), 2.0), data.spec)
    expected = dict.fromkeys(("0", "1", "2-3", "4-7", "8-15"), 2.0)
    assert score.reports["nats_by_position"] == expected
    assert list(score.reports["bits_per_character_by_position"]) == list(expected)
    assert score.metrics["effective_context_length"] == 0


def test_bits_per_character_are_reported_by_position(tmp_path):
    data = load(tmp_path, 16, units="bytes")
    real = data.test.features["padding_mask"]
    nats = np.where(np.arange(16) < 8, np.log(2.0), 3 * np.log(2.0)) * np.ones(real.shape)
    found = TASK.score(data.test, nats, data.spec).reports["bits_per_character_by_position"]
    characters = np.where(real, data.test.targets["characters"], 0)[:, 8:].sum()
    assert found["8-15"] == pytest.approx(3 * real[:, 8:].sum() / characters)
    assert list(found) == ["0", "1", "2-3", "4-7", "8-15"]


@pytest.mark.parametrize("units", ["characters", "bytes", "subwords"])
def test_the_text_of_the_tokens_is_that_of_the_stream(tmp_path, units):
    plain = "the cat sat on the mat; the émigré saw 🎉\n" * 60
    data = load(tmp_path, 16, plain, units=units, vocabulary=200)
    real = data.train.features["padding_mask"]
    text = TASK.text(data.train.features["token_ids"][real].tolist(), data.spec)
    assert text.removeprefix(" ")[:200] == plain[:200]  # subwords put a space before a text
    assert TASK.text([0, 1, 2, 3], data.spec) == ""


def test_bytes_that_make_no_character_are_replaced(tmp_path):
    data = load(tmp_path, 16, units="bytes")
    first_of_two = 4 + "é".encode()[0]
    assert TASK.text([first_of_two, 4 + ord("a")], data.spec) == "\ufffda"


@pytest.mark.parametrize(("length", "sizes"), [(16, [8, 4]), (1_024, [111, 56]), (2, [1])])
def test_prompts_are_parts_of_a_split_that_leave_half_a_window(tmp_path, length, sizes):
    data = load(tmp_path, length)
    prompts = TASK.prompts(data.validation, data.spec)
    assert [len(prompt) for prompt in prompts] == sizes
    validation = TEXT[:-118][-112:]
    assert all(TASK.text(prompt, data.spec) in validation for prompt in prompts)
