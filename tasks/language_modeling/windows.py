"""Windows of a stream of tokens, and prompts from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suite.api import DataError, Examples
from tasks.common.tokenization import Tokenizer

MAX_PROMPT = 128
"""The most tokens in a prompt: a sampler reads a prompt token by token."""


def cut_windows(text: str, tokenizer: Tokenizer, length: int) -> Examples:
    """Cut a stream into windows; its first token is never a target."""
    stream = tokenizer.encode([text])[0]
    characters = tokenizer.count_characters(stream)
    num_windows = max(1, -(-(len(stream) - 1) // length))

    def windows(values: np.ndarray) -> np.ndarray:
        padded = np.zeros(num_windows * length, values.dtype)
        padded[: len(values)] = values
        return padded.reshape(num_windows, length)

    features = {
        "token_ids": windows(stream[:-1]),
        "padding_mask": windows(np.ones(len(stream) - 1, bool)),
    }
    return Examples(
        features, {"next_ids": windows(stream[1:]), "characters": windows(characters[1:])}
    )


def cut_texts(texts: Sequence[str], tokenizer: Tokenizer, length: int) -> Examples:
    """Cut each text into windows of its own; `targets["text"]` is the index of the text.

    Raises:
        DataError: a text has fewer than two tokens.
    """
    parts = []
    for number, text in enumerate(texts):
        if len(tokenizer.encode([text])[0]) < 2:
            raise DataError(
                "A text to predict has at least two tokens", received=f"{text!r} (number {number})"
            )
        windows = cut_windows(text, tokenizer, length)
        index = np.full(windows.num_examples, number, np.int32)
        parts.append(Examples(windows.features, {**windows.targets, "text": index}))
    return Examples(
        *(
            {
                name: np.concatenate([getattr(part, kind)[name] for part in parts])
                for name in getattr(parts[0], kind)
            }
            for kind in ("features", "targets")
        )
    )


def windows_of(examples: Examples, index: int) -> tuple[Examples, np.ndarray]:
    """Return the windows of one text of `cut_texts`, and their rows."""
    rows = np.flatnonzero(examples.targets["text"] == index)
    return Examples(
        {name: values[rows] for name, values in examples.features.items()},
        {name: values[rows] for name, values in examples.targets.items()},
    ), rows


def choose_prompts(examples: Examples) -> list[Sequence[int]]:
    """Return half a window from the start of a stream, and a quarter from its middle.

    Each has at most `MAX_PROMPT` tokens, so that the rest of the window holds a sample.
    """
    real = np.asarray(examples.features["padding_mask"])
    stream = np.asarray(examples.features["token_ids"])[real]
    longest = min(real.shape[1] // 2, MAX_PROMPT)
    middle = len(stream) // 2
    prompts = (stream[:longest], stream[middle : middle + longest // 2])
    return [prompt.tolist() for prompt in prompts if len(prompt)]
