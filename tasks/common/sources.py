"""Reading of sources, and the facts that every source reports."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from suite.api import SURROGATE, DataError, Source

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


def hold_out(
    count: int, classes: Sequence[Any] | np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted indices of the training examples and of a fixed tenth for validation.

    With the class of each example, the tenth is drawn by class: each class has its share of it, and
    keeps an example for training.

    Raises:
        DataError: there are fewer than 10 examples, or no class has two.
    """
    if count < 10:
        raise DataError(
            "Without a validation split, train needs at least 10 examples: a tenth is held out",
            received=count,
            remedy="Add examples, or a validation split",
        )
    order = np.random.default_rng(0).permutation(count)
    num_held_out = max(1, round(VALIDATION_SHARE * count))
    if classes is None:
        return np.sort(order[num_held_out:]), np.sort(order[:num_held_out])
    numbers = np.unique(np.asarray(classes), return_inverse=True)[1]
    by_class = order[np.argsort(numbers[order], kind="stable")]
    several = by_class[np.bincount(numbers)[numbers[by_class]] > 1]
    num_held_out = min(num_held_out, len(several) // 2)  # at most every other one of a class
    if not num_held_out:
        raise DataError(
            "Without a validation split, a class of train needs at least two examples",
            received=f"{count} examples of {count} classes",
            remedy="Add examples, or a validation split",
        )
    places = (np.arange(num_held_out) + 0.5) * len(several) / num_held_out
    held_out = np.sort(several[places.astype(np.int64)])
    return np.setdiff1d(order, held_out), held_out


def with_validation(
    splits: dict[str, list[Any]], *, by_class: bool = False
) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """Return splits that have validation, and facts: without it, train loses a fixed tenth to it.

    `by_class` is whether the tenth of examples (input, class) is drawn by class.

    Raises:
        DataError: there is no validation split, and train has too few examples (see `hold_out`).
    """
    if "validation" in splits:
        return splits, {}
    learning = splits["train"]
    classes = [label for _, label in learning] if by_class else None
    train, validation = hold_out(len(learning), classes)
    held_out = {
        "train": [learning[index] for index in train],
        "validation": [learning[index] for index in validation],
    }
    return {**splits, **held_out}, {"validation": describe_held_out(by_class)}


def describe_held_out(by_class: bool) -> str:
    """Return the fact `validation` of splits whose validation is held out."""
    return "a fixed tenth of train" + (", drawn by class" if by_class else "")


def replace_surrogates(
    splits: Mapping[str, Sequence[Any]],
) -> tuple[dict[str, list[Any]], dict[str, dict[str, int]]]:
    """Return splits that UTF-8 can hold, and the fact how many lone surrogates each one had.

    A lone surrogate, as JSON may escape, becomes a question mark. An example is a text, or a tuple
    or a dataclass of texts and other values.
    """
    counts = dict.fromkeys(splits, 0)

    def replace(value: Any, split: str) -> Any:
        if isinstance(value, str):
            text, number = SURROGATE.subn("?", value)
            counts[split] += number
            return text
        if isinstance(value, tuple):
            return tuple(replace(part, split) for part in value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in dataclasses.fields(value)]
            parts = {name: replace(getattr(value, name), split) for name in names}
            return dataclasses.replace(value, **parts)
        return value

    replaced = {
        split: [replace(example, split) for example in examples]
        for split, examples in splits.items()
    }
    return replaced, {"replaced_surrogates": counts}
