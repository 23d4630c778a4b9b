"""A share of the training examples: the axis of a study of quality against data size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from suite.api import DataError, Examples, TaskData

SEED = 20_261_126
"""The seed of the order in which examples are taken: the same for all cells."""


def take_train_share(
    data: TaskData, share: float, *, batch_size: int, contiguous: bool
) -> TaskData:
    """Return data whose training split has a share of the encoded examples.

    A smaller share is part of a larger one, and all seeds of a comparison train on the same
    examples. Validation, test and `spec` stay as they are: a vocabulary that the task learned is
    that of the whole training split, so that all shares train a model of the same size on the same
    ids. The fact `train_share_examples` is the number of examples that are left, and a note says
    so. A share of 1 returns the data itself.

    Args:
        data: The encoded data of a cell.
        share: The share, above 0 and at most 1.
        batch_size: The number of examples in a batch.
        contiguous: Whether consecutive examples continue one stream. The share is then the
            beginning of the stream; otherwise it is drawn at random.

    Raises:
        DataError: the share has fewer examples than a batch.
    """
    if share == 1:
        return data
    whole = data.train.num_examples
    count = round(share * whole)
    kept = f"train_share={share:g} keeps {count:,} of {whole:,} training examples"
    if count < batch_size:
        raise DataError(
            "The share of the training examples must have at least one batch",
            received=f"{kept}, and a batch has {batch_size:,}",
            remedy="Choose a larger share, or a smaller batch with --batch-size",
        )
    rows = np.arange(count)
    if not contiguous:
        order = np.random.default_rng(SEED).permutation(whole)
        rows = np.sort(order[:count])
    return replace(
        data,
        train=Examples(_take(data.train.features, rows), _take(data.train.targets, rows)),
        facts={
            **data.facts,
            "train_share_examples": count,
            "notes": [*data.facts.get("notes", ()), kept],
        },
    )


def _take(arrays: Mapping[str, Any], rows: np.ndarray) -> dict[str, Any]:
    return {name: values[rows] for name, values in arrays.items()}
