"""Word dropout: random tokens of the training batches become unknown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from suite.api import IDENTITY, SPELLING, Method, MethodContext, MethodRequest, Options, Stage
from suite.methods._options import at_least, check_options, from_0_to_1

SHARES = {IDENTITY: "share", SPELLING: "spelling_share"}
"""The option with the share of tokens that lose a part."""


class WordDropout(Method):
    """Random tokens of each training batch are replaced by the unknown one.

    The hidden tokens are drawn anew for each batch, from the real positions alone. The task says
    how it hides a token (`Task.hide_tokens`). Validation and test are unchanged.
    """

    version = 1
    title = "Word dropout"
    summary = "replace random tokens by the unknown token in training"
    paper = "Iyyer et al. 2015, Deep Unordered Composition Rivals Syntactic Methods for Text"
    stage = Stage.TRAIN
    options = {"share": 0.1, "spelling_share": 0.0, "span": 1}
    """`share`: the share of the tokens that lose their identity. `spelling_share`: the share that
    lose their spelling too, where a task has features of it, like a name that is absent from
    training. `span`: the number of adjacent tokens that are hidden together; 8 suits bytes and
    characters, because a single letter is easy to guess."""

    def check(self, options: Options) -> None:
        shares = (from_0_to_1(options, name) for name in SHARES.values())
        check_options(self, options, *shares, at_least(1, options, "span"))

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        hideable = request.task.hideable
        for part, option in SHARES.items():
            if request.options[option] and part not in hideable:
                return f"hides the {part} of tokens, which the task does not have; set {option}=0"
        return None

    def batches(self, batches: Iterator[Any], context: MethodContext) -> Iterator[Any]:
        if not any(context.options[option] for option in SHARES.values()):
            return batches
        return _with_hidden_tokens(batches, context)


def _with_hidden_tokens(batches: Iterator[Any], context: MethodContext) -> Iterator[Any]:
    import numpy as np

    generator = np.random.default_rng([context.cell.seed, 1])
    task, options = context.task, context.options
    for batch in batches:
        mask = batch.features["padding_mask"]
        hidden = {
            part: draw_hidden(mask, options[SHARES[part]], generator, options["span"])
            for part in task.hideable
        }
        yield replace(batch, features=task.hide_tokens(batch.features, hidden, context.spec))


def draw_hidden(padding_mask: Any, share: float, generator: Any, span: int = 1) -> Any:
    """Draw a random share of the real positions, in runs of `span`: (batch, n) in and out."""
    import numpy as np

    batch, length = padding_mask.shape
    drawn = generator.random((batch, -(-length // span))) < share
    return np.repeat(drawn, span, axis=1)[:, :length] & padding_mask


METHOD = WordDropout()
