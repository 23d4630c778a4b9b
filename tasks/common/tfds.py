"""Access to prepared TensorFlow Datasets; only reading imports the library."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from suite.api import DataNotPrepared, SourceRequest

BATCH_SIZE = 256


def data_folder(request: SourceRequest) -> Path:
    """Return the folder of prepared data sets: TFDS_DATA_DIR, or the library's default."""
    return Path(request.data_dir or "~/tensorflow_datasets").expanduser()


def manual_folder(request: SourceRequest) -> Path:
    """Return the folder where TFDS expects files that the user downloads by hand."""
    return data_folder(request) / "downloads" / "manual"


def is_prepared(name: str, request: SourceRequest) -> bool:
    """Return whether a data set is prepared, so that it can be read without a download."""
    return _description_file(name, request) is not None


def digest_prepared(name: str, request: SourceRequest) -> str | None:
    """Hash the files of a prepared data set; return None if it is not downloaded and prepared yet.

    Raises:
        DataNotPrepared: the data set is not prepared and a download is not allowed.
    """
    description = _description_file(name, request)
    if description is None:
        if request.download:
            return None
        raise DataNotPrepared(
            f"The data set '{name}' is not prepared here",
            received=f"TFDS_DATA_DIR={data_folder(request)}",
            remedy="Point TFDS_DATA_DIR at a folder that has it, or allow the download with "
            "--download (make: DOWNLOAD=1)",
        )
    digest = hashlib.sha256()
    for path in sorted(description.parent.iterdir()):
        if ".tfrecord" in path.name:
            digest.update(path.name.encode())
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def open_prepared(name: str, request: SourceRequest) -> Any:
    """Return a data set's builder; a data set that is not prepared is downloaded first.

    A prepared data set contains its own description, so the installed TFDS need not know its name.
    """
    import tensorflow_datasets

    description = _description_file(name, request)
    if description is not None:
        return tensorflow_datasets.builder_from_directory(str(description.parent))
    builder = tensorflow_datasets.builder(name, data_dir=str(data_folder(request)))
    builder.download_and_prepare()
    return builder


def read_prepared(builder: Any, split: str) -> Iterator[dict[str, Any]]:
    """Yield the examples of a split in their stored order, as NumPy."""
    import tensorflow_datasets

    shapes = builder.info.features.shape.values()
    if all(isinstance(shape, tuple) and None not in shape for shape in shapes):
        # Reading in batches is several times faster. Batches would pad features of varying shape.
        batches = builder.as_dataset(split=split, shuffle_files=False, batch_size=BATCH_SIZE)
        for batch in tensorflow_datasets.as_numpy(batches):
            for row in zip(*batch.values(), strict=True):
                yield dict(zip(batch, row, strict=True))
    else:
        examples = builder.as_dataset(split=split, shuffle_files=False)
        yield from tensorflow_datasets.as_numpy(examples)


def describe_prepared(name: str, request: SourceRequest) -> dict[str, str]:
    """Return the name and version of a prepared data set, from its own description."""
    description = _description_file(name, request)
    assert description is not None
    info = json.loads(description.read_text())
    return {"tfds_name": info["name"], "tfds_version": info["version"]}


def _description_file(name: str, request: SourceRequest) -> Path | None:
    """Return the description of the newest prepared version of a data set."""
    found = sorted((data_folder(request) / name).rglob("dataset_info.json"))
    return found[-1] if found else None
