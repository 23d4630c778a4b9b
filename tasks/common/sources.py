"""What every source must tell of itself: fingerprint, sizes, terms, what train and test share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from suite.api import Source
from suite.api.errors import DataError

VALIDATION_SHARE = 0.1
SPLIT_STEMS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "testa"),
    "test": ("test", "testb", "test2016", "test_2016_flickr"),
}
"""What the files or folders of each split may be called, without their endings."""


def describe(source: Source, splits: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a record: of each split the raw examples, which `repr` tells apart.

    `shared_with_train` counts the distinct examples of the other splits that train has too.
    """
    digest = hashlib.sha256()
    known: dict[str, set[bytes]] = {}
    for name in sorted(splits):
        digest.update(f"{name} {len(splits[name])}\n".encode())
        known[name] = set()
        for example in splits[name]:
            content = _bytes_of(example)
            digest.update(len(content).to_bytes(8, "big") + content)
            known[name].add(hashlib.sha256(_bytes_of(_input_of(example))).digest()[:16])
    return {
        "fingerprint": digest.hexdigest(),
        "examples": {name: len(examples) for name, examples in splits.items()},
        "shared_with_train": {
            name: len(inputs & known["train"]) for name, inputs in known.items() if name != "train"
        },
        "licence": source.licence,
        "citation": source.citation,
        "redistributable": source.redistributable,
        **facts,
    }


def _input_of(example: Any) -> Any:
    """What a model would see: of a pair (input, answer) the input."""
    return example[0] if isinstance(example, tuple) else example


def _bytes_of(example: Any) -> bytes:
    if isinstance(example, bytes):
        return example
    if isinstance(example, str):
        return example.encode("utf-8", "surrogatepass")
    if isinstance(example, np.ndarray):
        return str(example.shape).encode() + np.ascontiguousarray(example).tobytes()
    if isinstance(example, tuple):
        parts = [_bytes_of(part) for part in example]
        return b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return repr(example).encode()


def hold_out(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the examples that train, and of a fixed tenth that validates.

    Raises:
        DataError: there are too few to hold any out.
    """
    if count < 10:
        raise DataError("A split must have at least 10 examples to hold some out", received=count)
    order = np.random.default_rng(0).permutation(count)
    held = max(1, round(VALIDATION_SHARE * count))
    return np.sort(order[held:]), np.sort(order[:held])


def read_text(path: Path) -> str:
    """Read a file as UTF-8 text, whatever characters are in it.

    Raises:
        DataError: it is empty or something else.
    """
    content = path.read_bytes()
    if not content.strip():
        raise DataError("A file of text must not be empty", received=path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            "A file of text must be UTF-8",
            received=f"byte 0x{content[error.start]:02x} at {path}:{line}",
            remedy="Convert it, for example with iconv",
        ) from None
