"""Prepared TensorFlow Datasets: found without the library, so that a request can be checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from suite.api import SourceRequest
from suite.api.errors import DataError
from tasks.common import multi30k_files

READ_AT_ONCE = 256


def data_folder(request: SourceRequest) -> Path:
    """Return the folder of prepared data sets: TFDS_DATA_DIR, or the library's own."""
    return Path(request.data_dir or "~/tensorflow_datasets").expanduser()


def digest_prepared(name: str, request: SourceRequest) -> str | None:
    """Hash the files of a prepared data set; None where it is yet to be downloaded or prepared.

    Raises:
        DataError: it is not there, and may not be downloaded; or it is made of files of the user's
            own, and something is wrong with them.
    """
    folder = data_folder(request) / name
    described = sorted(folder.rglob("dataset_info.json"))
    if not described:
        if request.download:
            family, _, pair = name.partition("/")
            if family == multi30k_files.NAME:
                raw = data_folder(request) / multi30k_files.FOLDER
                multi30k_files.read_raw(raw, pair or "en_de")
            return None
        raise DataError(
            f"The data set '{name}' is not prepared here",
            received=f"TFDS_DATA_DIR={data_folder(request)}",
            remedy="Point TFDS_DATA_DIR at a folder that has it, or allow the download with "
            "--download (make: DOWNLOAD=1)",
        )
    digest = hashlib.sha256()
    for path in sorted(described[-1].parent.iterdir()):
        if ".tfrecord" in path.name:
            digest.update(path.name.encode())
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def open_prepared(name: str, request: SourceRequest) -> Any:
    """Return the builder of a data set, prepared here or, where that was allowed, downloaded now.

    What is prepared says itself what it holds: TFDS need not know a data set of that name.
    """
    import tensorflow_datasets

    described = sorted((data_folder(request) / name).rglob("dataset_info.json"))
    if described:
        return tensorflow_datasets.builder_from_directory(str(described[-1].parent))
    if name.partition("/")[0] == multi30k_files.NAME:
        import tasks.translation.multi30k  # noqa: F401 - TFDS has no builder for it, and knows ours by this

    builder = tensorflow_datasets.builder(name, data_dir=str(data_folder(request)))
    builder.download_and_prepare()
    return builder


def read_prepared(builder: Any, split: str) -> Iterator[dict[str, Any]]:
    """Yield the examples of a split in their stored order, as NumPy."""
    import tensorflow_datasets

    shapes = builder.info.features.shape.values()
    if all(isinstance(shape, tuple) and None not in shape for shape in shapes):
        # One by one costs several times what reading does; what differs in shape would be padded.
        batches = builder.as_dataset(split=split, shuffle_files=False, batch_size=READ_AT_ONCE)
        for batch in tensorflow_datasets.as_numpy(batches):
            for row in zip(*batch.values(), strict=True):
                yield dict(zip(batch, row, strict=True))
    else:
        examples = builder.as_dataset(split=split, shuffle_files=False)
        yield from tensorflow_datasets.as_numpy(examples)


def describe_prepared(name: str, request: SourceRequest) -> dict[str, str]:
    """Return name and version of what is prepared, as its own description has them."""
    described = sorted((data_folder(request) / name).rglob("dataset_info.json"))
    info = json.loads(described[-1].read_text())
    return {"tfds_name": info["name"], "tfds_version": info["version"]}
