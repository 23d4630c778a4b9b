"""Samples of a decoder: prompts that it continues token by token, and their report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from suite.api import Job, Task, TaskData
from suite.worker.backends import backend
from suite.worker.decode import repeat
from suite.worker.model import Model

MAX_TOKENS = 100
"""The most tokens in a sample."""
METHODS = {
    "greedy": {"top_p": 0.0},
    "temperature 0.9": {"temperature": 0.9},
    "top-p 0.95": {"top_p": 0.95},
}
"""The settings of table 1 of Holtzman et al. 2020."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """The rule that chooses a token by the probabilities of a model.

    The scores are divided by `temperature` before the softmax. A token is drawn from the smallest
    set of most likely tokens whose probability reaches `top_p` (nucleus sampling; Holtzman et al.
    2020, "The Curious Case of Neural Text Degeneration", section 3.1). A `top_p` of 0 leaves the
    most likely token alone: greedy decoding. The same `seed` draws the same tokens.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | tuple[int, ...] = 0


class Sampler:
    """A decoder with token ids as inputs that continues prompts of any lengths in one batch.

    All rows stand at the same position: one whose prompt is longer reads its next token, one whose
    prompt has ended its own last sample. So there is no padding, and each row has the tokens that
    its prompt has alone. The loop is compiled for the number of rows and positions.
    """

    def __init__(self, model: Model, *, xla: bool) -> None:
        self._model = model
        self._compiled = backend.compile_with_weights(model, self._continue, xla)

    def sample(
        self, prompts: Sequence[Sequence[int]], rules: Sequence[Sampling], count: int
    ) -> np.ndarray:
        """Return `count` tokens after each prompt, chosen by its rule: (prompts, count).

        Raises:
            ValueError: a prompt is empty.
        """
        lengths = np.array([len(prompt) for prompt in prompts])
        if not lengths.all():
            raise ValueError(f"A prompt has at least one token. Received: lengths {lengths}")
        shape = (len(prompts), int(lengths.max()) + count - 1)
        given = np.full((shape[0], shape[1] + 1), -1, "int32")  # -1: the sample is read
        uniform = np.zeros(shape, "float32")
        for row, (prompt, rule) in enumerate(zip(prompts, rules, strict=True)):
            first, generator = len(prompt) - 1, np.random.default_rng(rule.seed)
            given[row, : len(prompt)] = prompt
            uniform[row, first : first + count] = generator.random(count, "float32")
        temperature, top_p = (
            np.array([getattr(rule, name) for rule in rules], "float32")
            for name in ("temperature", "top_p")
        )
        tokens = ops.convert_to_numpy(self._compiled(given, uniform, temperature, top_p))
        return np.stack(
            [row[first : first + count] for row, first in zip(tokens, lengths - 1, strict=True)]
        )

    def _continue(self, given: Any, uniform: Any, temperature: Any, top_p: Any) -> Any:
        """Return the token that follows each position, (rows, positions)."""
        given, uniform = ops.convert_to_tensor(given), ops.convert_to_tensor(uniform)
        backbone, (rows, length) = self._model.backbone, uniform.shape
        state = backbone.init_state(rows, length)

        def body(position: Any, carried: Any) -> Any:
            token, state, done = carried
            scores, state = self._model.decode_step(token, state, position)
            number = ops.take(uniform, position, axis=1)
            token = choose(scores, temperature, top_p, number)
            known = ops.take(given, position + 1, axis=1)
            token = ops.where(known < 0, token, known)
            return token, state, ops.slice_update(done, (0, position), token[:, None])

        first = (given[:, 0], state, ops.zeros((rows, length), "int32"))
        return repeat(length, body, first)[2]


def choose(scores: Any, temperature: Any, top_p: Any, uniform: Any) -> Any:
    """Return a token of each row, (rows,), by its scores (rows, vocabulary) and `Sampling`.

    `uniform` (rows,) holds numbers from [0, 1) that decide. The time is that of sorting the scores.
    """
    scores = ops.cast(scores, "float32") / ops.convert_to_tensor(temperature)[:, None]
    probabilities, tokens = ops.top_k(ops.softmax(scores), scores.shape[-1])
    reached = ops.cumsum(probabilities, axis=-1)
    in_nucleus = reached - probabilities < ops.convert_to_tensor(top_p)[:, None]
    last = ops.maximum(ops.sum(ops.cast(in_nucleus, "int32"), axis=-1) - 1, 0)
    drawn = uniform * ops.take_along_axis(reached, last[:, None], axis=-1)[:, 0]
    rank = ops.sum(ops.cast(reached <= drawn[:, None], "int32"), axis=-1)
    # Rounding may place a number close to 1 after the last token.
    chosen = ops.take_along_axis(tokens, ops.minimum(rank, last)[:, None], axis=-1)
    return ops.cast(chosen[:, 0], "int32")


def draw_samples(job: Job, task: Task, data: TaskData, model: Model) -> list[dict[str, str]]:
    """Return a sample of each method for each prompt of the task; none if the task has no prompts.

    A prompt with its sample is at most as long as the sequences of the training. All samples are
    rows of one batch. The seed of the cell decides them.
    """
    prompts = task.prompts(data.validation, data.spec)
    longest = max(map(len, prompts), default=0)
    count = min(MAX_TOKENS, job.cell.sequence_length - longest)
    if not prompts or count < 1:
        return []
    rows = [(prompt, method) for prompt in prompts for method in METHODS]
    rules = [
        Sampling(**METHODS[method], seed=(job.cell.seed, number))
        for number, (_, method) in enumerate(rows)
    ]
    samples = Sampler(model, xla=False).sample([prompt for prompt, _ in rows], rules, count)
    return [
        {
            "method": method,
            "prompt": printable(task.text(prompt, data.spec)),
            "sample": printable(task.text(tokens.tolist(), data.spec)),
        }
        for (prompt, method), tokens in zip(rows, samples, strict=True)
    ]


def printable(text: str) -> str:
    """Return a text with control characters replaced: a model of bytes may write any of them."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else "\ufffd"
        for character in text
    )
