"""A stack of layers with learned vectors before its input: prompt tuning.

Lester et al. 2021, "The Power of Scale for Parameter-Efficient Prompt Tuning".
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.layers.class_token import extend_mask
from baselines.layers.initialization import added_vectors
from baselines.layers.layer import Layer, build_once


class PrefixedStack(Layer):
    """Puts `length` learned vectors before the input of a stack, and leaves them out after it.

    Lester et al. 2021, section 2. The vectors come after positions are added, so that those of the
    input stay the same. Attention sees them as real positions before the first one, and never as
    global ones. They start with the standard deviation `stddev`, which should be that of the
    embeddings.

    A decoding state starts after the vectors. A context, for cross-attention, is not supported.

    In and out: (batch, n, width). Time and memory are those of the stack for n + `length`
    positions.

    Example:
        >>> stack = TransformerStack([TransformerLayer(FullAttention(num_heads=4), 64)])
        >>> layer = PrefixedStack(stack, length=3)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(self, stack: Any, length: int, stddev: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stack = stack
        self.length = length
        self.stddev = stddev

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the vectors: (length, width)."""
        shape = (self.length, input_shape[-1])
        self.vectors = self.add_weight(shape, added_vectors(self.stddev), name="vectors")
        build_once(self.stack, input_shape)

    def call(
        self,
        hidden_states: Any,
        training: bool | None = None,
        padding_mask: Any = None,
        global_mask: Any = None,
        **masks: Any,
    ) -> Any:
        """Return the stack's output at the positions of the input."""
        if global_mask is not None:
            masks["global_mask"] = ops.pad(global_mask, ((0, 0), (self.length, 0)))
        before = self._before(ops.shape(hidden_states)[0], hidden_states.dtype)
        hidden_states = self.stack(
            ops.concatenate([before, hidden_states], axis=1),
            training=training,
            padding_mask=extend_mask(padding_mask, self.length),
            **masks,
        )
        return hidden_states[:, self.length :]

    def init_state(self, batch_size: int, max_length: int) -> Any:
        """Return the state of the stack after the vectors."""
        state = self.stack.init_state(batch_size, max_length + self.length)
        before = self._before(batch_size, self.compute_dtype)
        return self.stack.decode_step(before, state, 0, None, None, False)[1]

    def decode_step(
        self,
        hidden_states: Any,
        state: Any,
        position: Any,
        context: Any = None,
        context_mask: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, Any]:
        """Return the output for the newest positions only, and the new state."""
        after = position + self.length
        found: tuple[Any, Any] = self.stack.decode_step(
            hidden_states, state, after, context, context_mask, training
        )
        return found

    def _before(self, batch_size: Any, dtype: Any) -> Any:
        """Return the vectors for each example: (batch, length, width)."""
        vectors = ops.cast(ops.convert_to_tensor(self.vectors), dtype)
        return ops.broadcast_to(vectors[None], (batch_size, *self.vectors.shape))
