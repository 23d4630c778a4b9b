"""Samples of a trained language model, as a report of its record."""

from __future__ import annotations

from suite.api import Job, Task, TaskData
from suite.worker.sampler import Sampler, Sampling
from suite.worker.steps import Model

MAX_TOKENS = 100
"""The most tokens in a sample."""
METHODS = {
    "greedy": {"top_p": 0.0},
    "temperature 0.9": {"temperature": 0.9},
    "top-p 0.95": {"top_p": 0.95},
}
"""The settings of table 1 of Holtzman et al. 2020."""


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
    found = Sampler(model, xla=False).sample([prompt for prompt, _ in rows], rules, count)
    return [
        {
            "method": method,
            "prompt": printable(task.text(prompt, data.spec)),
            "sample": printable(task.text(tokens.tolist(), data.spec)),
        }
        for (prompt, method), tokens in zip(rows, found, strict=True)
    ]


def printable(text: str) -> str:
    """Return a text with control characters replaced: a model of bytes may write any of them."""
    return "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in text)
