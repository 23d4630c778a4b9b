"""A share of the training examples: the axis of a study of quality against data size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from suite.api import Examples, TaskData

SEED = 20_261_126
"""The seed of the order in which examples are taken: the same for all cells."""


def take_train_share(data: TaskData, share: float, *, contiguous: bool) -> TaskData:
    """Return data whose training split has a share of the encoded examples, at least one.

    A smaller share is part of a larger one, and all seeds of a comparison train on the same
    examples. Validation, test and `spec` stay as they are: a vocabulary that the task learned is
    that of the whole training split, so that all shares train a model of the same size on the same
    ids. The fact `train_share_examples` is the number of examples that are left. A share of 1
    returns the data itself.

    Args:
        data: The encoded data of a cell.
        share: The share, above 0 and at most 1.
        contiguous: Whether consecutive examples continue one stream. The share is then the
            beginning of the stream; otherwise it is drawn at random.
    """
    if share == 1:
        return data
    count = max(1, round(share * data.train.num_examples))
    rows = np.arange(count)
    if not contiguous:
        order = np.random.default_rng(SEED).permutation(data.train.num_examples)
        rows = np.sort(order[:count])
    return replace(
        data,
        train=Examples(_take(data.train.features, rows), _take(data.train.targets, rows)),
        facts={**data.facts, "train_share_examples": count},
    )


def _take(arrays: Mapping[str, Any], rows: np.ndarray) -> dict[str, Any]:
    return {name: values[rows] for name, values in arrays.items()}
