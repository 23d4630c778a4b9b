"""Atomic writes: content, permissions and what an error leaves behind."""

from __future__ import annotations

import os
import stat

import pytest

from suite.api.files import PRIVATE, atomic_write, atomic_write_bytes, folder_name


@pytest.fixture
def umask():
    """Set the process's umask for one test."""
    before = os.umask(0)
    yield os.umask
    os.umask(before)


def mode_of(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_a_new_file_has_the_mode_that_the_umask_allows(tmp_path, umask, mask, mode):
    umask(mask)
    atomic_write_bytes(tmp_path / "record.json", b"content")
    assert mode_of(tmp_path / "record.json") == mode


def test_a_replaced_file_keeps_its_mode(tmp_path, umask):
    umask(0o022)
    path = tmp_path / "record.json"
    path.touch(0o600)
    atomic_write_bytes(path, b"content")
    assert (mode_of(path), path.read_bytes()) == (0o600, b"content")
    path.chmod(0o664)
    atomic_write_bytes(path, b"more")
    assert mode_of(path) == 0o664


def test_a_private_file_is_private_before_its_first_byte_and_after(tmp_path, umask):
    umask(0o022)
    path = tmp_path / "secret"
    path.touch(0o644)
    with atomic_write(path, PRIVATE) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == PRIVATE
        file.write(b"key")
    assert (mode_of(path), path.read_bytes()) == (PRIVATE, b"key")


def test_an_error_leaves_the_former_content_and_no_temporary_file(tmp_path):
    path = tmp_path / "record.json"
    path.write_bytes(b"former")
    with pytest.raises(OSError, match="full"), atomic_write(path) as file:
        file.write(b"half of the ne")
        raise OSError("the disk is full")
    assert path.read_bytes() == b"former"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "text",
    ["../../x", "..", ".", "", "/etc", "a/b", "a\\b", "x" * 300, "é/..", "\ud800", "a\0b"],
)
def test_the_folder_of_any_text_lies_inside_its_parent(tmp_path, text):
    name = folder_name(text)
    folder = tmp_path / name
    folder.mkdir()
    assert folder.resolve().parent == tmp_path.resolve()
    assert folder_name(f"{text}x") != name


@pytest.mark.parametrize("text", ["ner", "image_classification", "word.count-2"])
def test_a_text_that_names_a_folder_is_its_name(text):
    assert folder_name(text) == text
