"""Tests of Multi30k: TFDS has no builder for it, so the task prepares its raw files."""

from __future__ import annotations

import gzip

import pytest

from suite.api import DataError, SourceRequest
from tasks.translation.prepared_text import read_data_set
from tasks.translation.task import TASK

NAME = "multi30k/en_de"
SIZES = {"train": 40, "val": 12, "test_2016_flickr": 9}


def write_raw_files(folder):
    """Write plain English files and compressed German files; English lines end in a space."""
    manual = folder / "downloads" / "manual"
    manual.mkdir(parents=True)
    for stem, count in SIZES.items():
        numbers = range(count)
        english = "".join(f"a dog, {number} \n" for number in numbers)
        german = "".join(f"ein Hund, {number} ü\n" for number in numbers)
        (manual / f"{stem}.en").write_text(english)
        (manual / f"{stem}.de.gz").write_bytes(gzip.compress(german.encode()))
    return manual


def request_for(folder, name=NAME):
    return SourceRequest("tfds", name, data_dir=str(folder), download=True)


def test_raw_files_become_a_prepared_data_set(tmp_path):
    write_raw_files(tmp_path)
    request = request_for(tmp_path)
    assert TASK.inspect(request, {}) is None
    pairs, facts = read_data_set(request)
    for split, count in zip(("train", "validation", "test"), SIZES.values(), strict=True):
        expected = [(f"a dog, {number}", f"ein Hund, {number} ü") for number in range(count)]
        assert sorted(pairs[split]) == sorted(expected)
    assert facts["languages"] == ["en", "de"]
    assert TASK.inspect(request, {})
    data = TASK.load(request, 64, {"vocabulary": 100})
    assert data.facts["examples"] == dict(zip(pairs, SIZES.values(), strict=True))


def test_missing_or_malformed_raw_files_are_reported_before_anything_runs(tmp_path):
    with pytest.raises(DataError, match=r"neither train\.en nor train\.en\.gz"):
        TASK.inspect(request_for(tmp_path), {})
    manual = write_raw_files(tmp_path)
    for content, message in (
        (b"one\n", "1 and 12 in validation"),
        (b"one\n\xff\n", r"must be UTF-8\. Received: .*val\.en:2"),
    ):
        (manual / "val.en").write_bytes(content)
        with pytest.raises(DataError, match=message):
            TASK.inspect(request_for(tmp_path), {})
    (manual / "val.en").unlink()
    (manual / "val.en.gz").write_bytes(b"not gzip")
    with pytest.raises(DataError, match="must be readable"):
        TASK.inspect(request_for(tmp_path), {})
    with pytest.raises(DataError, match=r"en_de, en_fr\. Received: en_xx"):
        TASK.inspect(request_for(tmp_path, "multi30k/en_xx"), {})
