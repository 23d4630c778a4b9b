"""Multi30k from its raw files, prepared by a builder of ours as TFDS prepares what it knows."""

from __future__ import annotations

import gzip

import pytest

from suite.api import SourceRequest
from suite.api.errors import DataError
from tasks.common.tfds import digest_prepared, open_prepared, read_prepared

NAME = "multi30k/en_de"
SIZES = {"train": 40, "val": 12, "test_2016_flickr": 9}


def lay_raw_files(folder):
    """One language plain, the other packed, white space at the ends of lines."""
    manual = folder / "downloads" / "manual"
    manual.mkdir(parents=True)
    for stem, count in SIZES.items():
        numbers = range(count)
        english = "".join(f"a dog, {number} \n" for number in numbers)
        german = "".join(f"ein Hund, {number} ü\n" for number in numbers)
        (manual / f"{stem}.en").write_text(english)
        (manual / f"{stem}.de.gz").write_bytes(gzip.compress(german.encode()))
    return manual


def request_for(folder):
    return SourceRequest("tfds", NAME, data_dir=str(folder), download=True)


def test_raw_files_become_a_prepared_data_set(tmp_path):
    lay_raw_files(tmp_path)
    request = request_for(tmp_path)
    assert digest_prepared(NAME, request) is None
    builder = open_prepared(NAME, request)
    for split, count in zip(("train", "validation", "test"), SIZES.values(), strict=True):
        rows = {
            int(row["en"].split()[-1]): row["de"].decode() for row in read_prepared(builder, split)
        }
        assert rows == {number: f"ein Hund, {number} ü" for number in range(count)}
    assert digest_prepared(NAME, request)


def test_what_is_missing_or_of_other_length_is_said_before_anything_runs(tmp_path):
    with pytest.raises(DataError, match=r"neither train\.en nor train\.en\.gz"):
        digest_prepared(NAME, request_for(tmp_path))
    manual = lay_raw_files(tmp_path)
    for content, said in (
        (b"one\n", "1 and 12 in validation"),
        (b"one\n\xff\n", r"must be UTF-8\. Received: .*val\.en:2"),
    ):
        (manual / "val.en").write_bytes(content)
        with pytest.raises(DataError, match=said):
            digest_prepared(NAME, request_for(tmp_path))
    (manual / "val.en").unlink()
    (manual / "val.en.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match="must be readable"):
        digest_prepared(NAME, request_for(tmp_path))
    with pytest.raises(DataError, match=r"en_de, en_fr\. Received: en_xx"):
        digest_prepared("multi30k/en_xx", request_for(tmp_path))
