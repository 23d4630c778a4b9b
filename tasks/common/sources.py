"""Reading of sources, and the facts that every source reports."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from suite.api import DataError, Source

VALIDATION_SHARE = 0.1
SPLIT_STEMS = {
    "train": ("train", "training", "train_file"),
    "validation": ("validation", "valid", "val", "dev", "testa"),
    "test": ("test", "testb", "test2016", "test_2016_flickr", "test_file_full"),
}
"""The accepted names of a split's file or folder, without the ending."""


def collect_facts(
    source: Source, splits: Mapping[str, Any], facts: Mapping[str, Any], given: str = ""
) -> dict[str, Any]:
    """Return the facts of a record: fingerprint, sizes, overlap with train, terms, and `facts`.

    `splits` holds the raw examples of each split; an example is a value or an (input, answer)
    tuple. `shared_with_train` counts the distinct inputs of a split that also occur in train.
    `given` identifies a tokenizer that is not learned from them; the fingerprint covers it too.
    """
    digest = hashlib.sha256(given.encode())
    inputs: dict[str, set[bytes]] = {}
    for name in sorted(splits):
        digest.update(f"{name} {len(splits[name])}\n".encode())
        inputs[name] = set()
        for example in splits[name]:
            content = _to_bytes(example)
            digest.update(len(content).to_bytes(8, "big") + content)
            input_ = example[0] if isinstance(example, tuple) else example
            inputs[name].add(hashlib.sha256(_to_bytes(input_)).digest()[:16])
    return {
        "fingerprint": digest.hexdigest(),
        "examples": {name: len(examples) for name, examples in splits.items()},
        "shared_with_train": {
            name: len(found & inputs["train"]) for name, found in inputs.items() if name != "train"
        },
        "licence": source.licence,
        "citation": source.citation,
        "redistributable": source.redistributable,
        **facts,
    }


def _to_bytes(example: Any) -> bytes:
    if isinstance(example, bytes):
        return example
    if isinstance(example, str):
        return example.encode("utf-8", "surrogatepass")
    if isinstance(example, np.ndarray):
        return str(example.shape).encode() + np.ascontiguousarray(example).tobytes()
    if isinstance(example, tuple):
        parts = [_to_bytes(part) for part in example]
        return b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return repr(example).encode()


def hold_out(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted indices of the training examples and of a fixed tenth for validation.

    Raises:
        DataError: there are fewer than 10 examples.
    """
    if count < 10:
        raise DataError("A split needs at least 10 examples to hold some out", received=count)
    order = np.random.default_rng(0).permutation(count)
    num_held_out = max(1, round(VALIDATION_SHARE * count))
    return np.sort(order[num_held_out:]), np.sort(order[:num_held_out])


def with_validation(splits: dict[str, list[Any]]) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """Return splits that have validation, and facts: without it, train loses a fixed tenth to it.

    Raises:
        DataError: there is no validation split, and train has fewer than 10 examples.
    """
    if "validation" in splits:
        return splits, {}
    learning = splits["train"]
    train, validation = hold_out(len(learning))
    held_out = {
        "train": [learning[index] for index in train],
        "validation": [learning[index] for index in validation],
    }
    return {**splits, **held_out}, {"validation": "a fixed tenth of train"}


def read_text(path: Path) -> str:
    """Read a UTF-8 file; a byte order mark is removed.

    Raises:
        DataError: the file is empty or is not UTF-8.
    """
    content = path.read_bytes()
    if not content.strip():
        raise DataError("A text file must not be empty", received=path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            "A text file must be UTF-8",
            received=f"byte 0x{content[error.start]:02x} at {path}:{line}",
            remedy="Convert the file, for example with iconv",
        ) from None
