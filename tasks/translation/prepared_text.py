"""Parallel texts from TensorFlow Datasets."""

from __future__ import annotations

from typing import Any

from suite.api import SourceRequest
from tasks.common.tfds import (
    describe_prepared,
    digest_prepared,
    is_prepared,
    manual_folder,
    open_prepared,
    read_prepared,
)
from tasks.translation.multi30k_files import read_raw_files

DEFAULT_NAME = "multi30k/en_de"
SPLITS = ("train", "validation", "test")


def digest_data_set(request: SourceRequest) -> str | None:
    """Hash a prepared data set; None if it is still to be downloaded or prepared.

    Raises:
        DataError: the data set is not prepared and cannot be. For Multi30k, the raw files that
            the user must provide are checked too.
    """
    name = request.argument or DEFAULT_NAME
    if _is_multi30k(name) and request.download and not is_prepared(name, request):
        read_raw_files(manual_folder(request), name.partition("/")[2] or "en_de")
    return digest_prepared(name, request)


def read_data_set(
    request: SourceRequest, source_language: str = "", target_language: str = ""
) -> tuple[dict[str, list[tuple[str, str]]], dict[str, Any]]:
    """Read the sentence pairs of each split, and the facts about them.

    The languages default to those in the data set's name, such as `en_de` or `ru_to_en`.
    """
    name = request.argument or DEFAULT_NAME
    if _is_multi30k(name) and not is_prepared(name, request):
        import tasks.translation.multi30k_builder  # noqa: F401 - registers the builder with TFDS

    builder = open_prepared(name, request)
    languages = list(builder.info.features)
    # The features' order does not say which language is the source; the name may.
    named = [part for part in name.rsplit("/", 1)[-1].split("_") if part in languages]
    if sorted(named) == sorted(languages):
        languages = named
    source = source_language or languages[0]
    target = target_language or languages[1]
    pairs = {
        split: [
            (example[source].decode(), example[target].decode())
            for example in read_prepared(builder, split)
        ]
        for split in SPLITS
    }
    return pairs, {**describe_prepared(name, request), "languages": [source, target]}


def _is_multi30k(name: str) -> bool:
    return name.partition("/")[0] == "multi30k"
