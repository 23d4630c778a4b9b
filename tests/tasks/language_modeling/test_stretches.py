"""Stretches of documents: the same tokens in the same update at every length."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from suite.api import DataError, DataNotPrepared, RequestError, SourceRequest
from tasks.language_modeling import code_wheels
from tasks.language_modeling.stretches import FAR, follows_far_recurrence
from tasks.language_modeling.task import TASK

STRETCH = 64
OPTIONS = {**TASK.options, "units": "bytes", "stretch": STRETCH}


@pytest.fixture
def folder(tmp_path):
    """Return a folder of documents of different lengths; two of them hold no stretch."""
    generator = random.Random(0)
    documents = tmp_path / "documents"
    documents.mkdir()
    for number in range(40):
        size = 30 if number < 2 else generator.randrange(100, 900)
        text = "".join(generator.choices("abcdefgh \n", k=size))
        (documents / f"{number:02}.txt").write_text(f"{number:02}" + text)
    (documents / ".hidden").write_bytes(b"\xff")
    return documents


def load(folder, length, **options):
    request = SourceRequest("files", str(folder))
    given = {**OPTIONS, **options}
    assert TASK.inspect(request, given)
    return TASK.load(request, length, given)


def test_an_update_has_the_same_tokens_of_different_documents_at_every_length(folder):
    by_length = {length: load(folder, length) for length in (16, 32, 64)}
    updates = {
        length: TASK.draw_updates(data.train, 4 * STRETCH // length, np.random.default_rng(5))
        for length, data in by_length.items()
    }
    num_stretches = by_length[64].facts["stretches"]["train"]
    seen = []
    for _ in range(num_stretches // 4 - 2):
        rows = {length: next(drawn) for length, drawn in updates.items()}
        tokens = {
            length: by_length[length].train.features["token_ids"][rows[length]].reshape(-1)
            for length in rows
        }
        assert (tokens[16] == tokens[64]).all() and (tokens[32] == tokens[64]).all()
        documents = by_length[64].train.targets["document"][rows[64]]
        assert len(set(documents.tolist())) == 4
        seen += rows[64].tolist()
    assert len(set(seen)) == len(seen), "an epoch draws without replacement"


def test_all_lengths_score_the_same_targets(folder):
    short, long = load(folder, 16), load(folder, 64)
    for split in ("validation", "test"):
        ids = [getattr(data, split).targets["next_ids"].reshape(-1) for data in (short, long)]
        assert (ids[0] == ids[1]).all()
        inputs = getattr(short, split).features["token_ids"].reshape(-1, STRETCH)
        assert (inputs[:, 1:] == ids[0].reshape(-1, STRETCH)[:, :-1]).all()


def test_splits_are_whole_documents(folder):
    data = load(folder, 64)
    texts = [path.read_text() for path in sorted(folder.glob("*.txt"))]
    assert sum(data.facts["examples"].values()) == len(texts)
    assert data.facts["documents_with_a_stretch"]["train"] == data.facts["examples"]["train"] - 2
    assert data.facts["shared_with_train"] == {"validation": 0, "test": 0}
    assert data.facts["fingerprint"] == load(folder, 16).facts["fingerprint"]


def test_a_far_recurrence_is_beyond_every_short_context():
    gram = np.arange(8)
    filler = np.arange(100, 100 + FAR + 50)
    near, far = np.concatenate([gram, filler[:20], gram]), np.concatenate([gram, filler, gram])
    assert not follows_far_recurrence(near[None]).any()
    found = np.flatnonzero(follows_far_recurrence(far[None])[0])
    assert found.tolist() == [len(far) - 1]
    again = np.concatenate([far, filler[:20] + 1_000, gram])
    assert np.flatnonzero(follows_far_recurrence(again[None])[0]).tolist() == [len(far) - 1]


def test_bits_after_far_recurrences_are_reported_apart(tmp_path):
    folder = tmp_path / "documents"
    folder.mkdir()
    generator = random.Random(1)
    for number in range(12):
        part = "".join(generator.choices("abcdefghijklmnop", k=300))
        (folder / f"{number}.txt").write_text(f"{number}{part}{part}")
    data = load(folder, 512, stretch=512)
    far = data.test.targets["after_far_recurrence"]
    assert 0.2 < far.mean() < 0.5
    nats = np.where(far, np.log(2), 3 * np.log(2))
    score = TASK.score(data.test, nats, data.spec)
    assert score.reports["bits_per_character_by_recurrence"] == pytest.approx(
        {"after_far_recurrence": 1.0, "others": 3.0}
    )
    assert score.reports["share_after_far_recurrence"] == pytest.approx(far.mean())


def test_documents_shorter_than_a_stretch_are_refused_before_anything_runs(folder):
    with pytest.raises(DataError, match="With stretch=4096, a document has more than 4,096"):
        load(folder, 64, stretch=4096)
    (folder / "test").mkdir()
    (folder / "test" / "one.txt").write_text("too short")
    (folder / "train").mkdir()
    (folder / "train" / "one.txt").write_text("long enough " * 20)
    with pytest.raises(DataError, match="1 documents of test, the longest of 9"):
        load(folder, 64)
    with pytest.raises(RequestError, match="'stretch' must be at least 0"):
        load(folder, 64, stretch=-1)


def test_a_single_document_cannot_be_split_into_documents(tmp_path):
    (tmp_path / "only.txt").write_text("word " * 400)
    with pytest.raises(DataError, match="whole documents of train: it needs more of them"):
        load(tmp_path, 64)


def test_batches_hold_whole_stretches():
    assert "whole stretches" in TASK.unsupported_batch_reason(3, 32, OPTIONS)
    assert TASK.unsupported_batch_reason(4, 32, OPTIONS) is None


def test_the_wheels_are_checked_and_never_fetched_unasked(tmp_path, monkeypatch):
    request = SourceRequest("code", data_dir=str(tmp_path))
    with pytest.raises(DataNotPrepared, match="--download"):
        TASK.inspect(request, OPTIONS)
    name = next(iter(code_wheels.WHEELS))
    wheels = tmp_path / code_wheels.FOLDER
    wheels.mkdir()
    (wheels / f"{name}-py3-none-any.whl").write_bytes(b"another file")
    with pytest.raises(DataError, match="must have the hash"):
        TASK.inspect(request, OPTIONS)


def test_a_wheel_that_pip_cannot_fetch_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(code_wheels, "WHEELS", {"no_such_project-1.0": "0" * 64})
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PIP_RETRIES", "0")
    request = SourceRequest("code", data_dir=str(tmp_path), download=True)
    with pytest.raises(DataNotPrepared, match="pip cannot fetch the wheel no_such_project"):
        TASK.inspect(request, OPTIONS)


def test_code_documents_are_long_ascii_files_without_tests(tmp_path, monkeypatch):
    import zipfile

    monkeypatch.setattr(code_wheels, "WHEELS", {"made-1.0": "0" * 64})
    wheels = tmp_path / code_wheels.FOLDER
    wheels.mkdir()
    long = "x = 1\n" * 4_000
    with zipfile.ZipFile(wheels / "made-1.0-py3-none-any.whl", "w") as archive:
        for name, content in {
            "made/b.py": long + "b",
            "made/a.py": long + "a",
            "made/short.py": "x = 1\n",
            "made/accents.py": long + "é",
            "made/tests/a.py": long,
            "made/test_a.py": long,
            "made/data.txt": long,
        }.items():
            archive.writestr(name, content)
    found = code_wheels.read_documents(SourceRequest("code", data_dir=str(tmp_path)))
    assert [text[-1] for text in found] == ["a", "b"]


def test_updates_go_on_where_documents_are_fewer_than_stretches(folder):
    targets = {"stretch": np.repeat(np.arange(6), 2), "document": np.repeat([0, 0, 0, 0, 1, 1], 2)}
    from tasks.language_modeling.stretches import draw_updates

    drawn = draw_updates(targets, 8, np.random.default_rng(0))
    for rows in itertools.islice(drawn, 20):
        assert len(set(rows.tolist())) == 8
        assert np.bincount(targets["document"][rows]).tolist() == [4, 4]
