"""The base of mixers that read a sequence by a recurrence, from its start or from its end."""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.layer import Layer, zero_padding


class DirectedMixer(Layer):
    """A recurrence of the subclass; with `backward` it reads the sequence from its end.

    A subclass defines `init_state` and `_run`. Padded positions are zeros when it runs.

    In: hidden states (batch, n, d); the padding mask (batch, n), True where real. Out: (batch, n,
    d). Time and memory are those of the recurrence.
    """

    has_attention_heads = False
    """Heads of a recurrence have states, which no method removes."""

    def __init__(self, backward: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.backward = backward

    def call(self, hidden_states: Any, padding_mask: Any = None) -> Any:
        """Return the mixed positions."""
        hidden_states = zero_padding(hidden_states, padding_mask)
        if self.backward:
            hidden_states = ops.flip(hidden_states, axis=1)
            padding_mask = None if padding_mask is None else ops.flip(padding_mask, axis=1)
        mixed, _ = self._run(hidden_states, padding_mask, None)
        return ops.flip(mixed, axis=1) if self.backward else mixed

    def init_state(self, batch_size: int, max_length: int) -> Any:
        """Return the state before the first position."""
        raise NotImplementedError

    def decode_step(self, hidden_states: Any, state: Any, position: Any) -> tuple[Any, Any]:
        """Return the output for the newest positions, (batch, m, d), and the state after them.

        It equals that of `call` on all positions so far. Time O(m).
        """
        mixed, state = self._run(hidden_states, None, state)
        return mixed, state

    def _run(self, hidden_states: Any, padding_mask: Any, state: Any) -> tuple[Any, Any]:
        """Return the outputs, and the state after the last position.

        Without a `state`, the sequence begins.
        """
        raise NotImplementedError
