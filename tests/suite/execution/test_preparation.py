"""Preparing a request: what is refused before anything runs."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from suite.api import HomeError, RequestError
from suite.execution import preparation
from suite.execution.preparation import check_resources, check_tuned, prepare
from suite.execution.quantities import parse_size
from suite.matrix.request import Request
from suite.records.store import Store


def test_too_little_disk_or_memory_is_refused(tmp_path, monkeypatch):
    store = Store(tmp_path)
    check_resources(store)
    monkeypatch.setattr(preparation, "available_memory_bytes", lambda: 2**20)
    with pytest.raises(RequestError, match="1 MiB available"):
        check_resources(store)
    usage = shutil.disk_usage(tmp_path)._replace(free=3 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(HomeError, match="3 MiB free"):
        check_resources(store)


def test_the_message_on_a_rate_that_is_not_tuned_names_the_options_of_the_cell(tmp_path):
    request = Request(
        tasks=("ner",),
        architectures=("longformer",),
        lengths=(64,),
        options={"window": "64"},
    )
    prepared = SimpleNamespace(
        waiting=prepare(request, Store(tmp_path)).plan.cells,
        benchmark=SimpleNamespace(name="core"),
        tune_command="bench tune",
    )
    with pytest.raises(RequestError, match=r"the first ner · longformer \(window=\[64\]\) · 64"):
        check_tuned(prepared)


@pytest.mark.parametrize(("text", "size"), [("8GiB", 8 * 2**30), ("1.5KB", 1_500), ("2 MB", 2e6)])
def test_a_size_has_a_number_and_a_unit(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["8", "GiB", "-1GiB", "0GiB", "nanGiB", "infGiB", "8GB!"])
def test_other_texts_are_not_sizes(text):
    with pytest.raises(RequestError, match="Write 8GiB"):
        parse_size(text)
