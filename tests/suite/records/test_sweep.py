"""The sweep of a home: the remains of killed invocations go, the work of running ones stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from suite.api.files import LOCK_FILE, atomic_write, held
from suite.records.store import STALE_SECONDS
from tests.conftest import ROOT

NEIGHBOUR = """
import shutil, sys, time
from pathlib import Path
from suite.records.store import Store
store, end = Store(Path(sys.argv[1])), time.monotonic() + 3
number = 0
while time.monotonic() < end:
    number += 1
    lease = store.acquire("cell")
    if lease is None:
        continue
    folder = store.new_scratch(str(number))
    (folder / "cell_id").write_text("cell")
    shutil.rmtree(folder)
    lease.close()
print(number)
"""


def age(path, seconds):
    """Set the time of the last write back."""
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


@pytest.mark.parametrize(
    "place",
    ["records/.abc.part", "checkpoints/.abc.part", "cache/.abc.part", "cache/.making-abc"],
)
def test_stale_half_written_files_are_swept(store, place):
    path = store.home / place
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"half")
    beside = path.with_name("kept.npz")
    beside.write_bytes(b"whole")
    for each in (path, beside):
        age(each, 2 * STALE_SECONDS)
    store.prepare()
    assert beside.exists()
    assert not path.exists()


@pytest.mark.parametrize("seconds, kept", [(2 * STALE_SECONDS, False), (0, True)])
def test_half_written_data_is_swept_once_its_newest_file_is_stale(store, seconds, kept):
    folder = store.cache / ".making-abc"
    folder.mkdir(parents=True)
    (folder / "train.npy").write_bytes(b"half")
    age(folder / "train.npy", seconds)
    age(folder, 2 * STALE_SECONDS)
    store.prepare()
    assert folder.exists() == kept


@pytest.mark.parametrize("place", ["records", "cache"])
def test_a_clock_that_is_set_forward_removes_nothing_that_is_being_written(store, place):
    folder = store.home / place
    folder.mkdir(exist_ok=True)
    with atomic_write(folder / "whole") as file:
        file.write(b"half")
        (written,) = folder.glob(".*.part")
        age(written, 2 * STALE_SECONDS)
        store.prepare()
        assert written.exists()
    assert (folder / "whole").exists()


def test_a_clock_that_is_set_forward_removes_no_data_that_is_being_encoded(store):
    folder = store.cache / ".making-abc"
    folder.mkdir(parents=True)
    with held(folder / LOCK_FILE):
        age(folder / LOCK_FILE, 2 * STALE_SECONDS)
        age(folder, 2 * STALE_SECONDS)
        store.prepare()
        assert folder.exists()
    age(folder, 2 * STALE_SECONDS)
    store.prepare()
    assert not folder.exists()


def test_remains_from_before_a_clock_was_set_back_are_swept(store):
    path = store.records / ".abc.part"
    path.write_bytes(b"half")
    age(path, -2 * STALE_SECONDS)
    store.prepare()
    assert not path.exists()


def test_a_scratch_folder_without_its_cell_is_kept_while_it_is_new(store):
    new, empty, old = (store.new_scratch(name) for name in ("new", "empty", "old"))
    (empty / "cell_id").write_text("")
    age(old, 2 * STALE_SECONDS)
    store.prepare()
    assert [folder.exists() for folder in (new, empty, old)] == [True, True, False]


def test_sweeping_while_another_invocation_removes_its_folders(store):
    """The neighbour creates and removes folders all the time; no sweep may fail over one."""
    command = [sys.executable, "-c", NEIGHBOUR, str(store.home)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as neighbour:
        while neighbour.poll() is None:
            store.prepare()
        made = int(neighbour.stdout.read())
    assert neighbour.returncode == 0
    assert made > 10
    assert not list((store.home / "scratch").iterdir())
