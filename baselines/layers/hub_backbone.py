"""A backbone of keras-hub behind the methods of this package's backbones."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
from keras import ops

from baselines.layers.backbone import Backbone, check_unmasked
from baselines.layers.places import require_places
from suite.api import Unsupported


def build_shape(name: str, shape: Mapping[str, Any]) -> Any:
    """Return the backbone `name` of keras-hub with random weights.

    `shape` maps names of arguments to values; those that the backbone does not take are left out.
    """
    import keras_hub

    backbones = {key.lower(): value for key, value in vars(keras_hub.models).items()}
    backbone = backbones[f"{name.replace('_', '')}backbone"]
    taken = inspect.signature(backbone).parameters
    return backbone(**{key: value for key, value in shape.items() if key in taken})


def load_preset(folder: str) -> Any:
    """Return the backbone of a preset folder with its weights."""
    import keras_hub

    # A bare name could be that of a preset to download.
    return keras_hub.models.Backbone.from_preset(str(Path(folder).expanduser().resolve()))


class _HubBackbone(Backbone):
    """Hidden states of a keras-hub backbone, (batch, n, width), as an encoder or a decoder.

    Only the parts that the hidden states depend on are kept: BERT's pooler is not among them. Time
    and memory are those of keras-hub's own call. The decoding state holds the tokens so far, 4
    bytes each. Each step computes all positions again, in O(`max_length`²), because the caches of
    keras-hub belong to its models with heads.
    """

    embed = None  # type: ignore[assignment]  # keras-hub's call takes token ids alone

    def __init__(self, hub: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        output = hub.output
        if isinstance(output, Mapping):
            output = output["sequence_output"]
        self.model = keras.Model(hub.input, output)

    def compute_output_shape(
        self, inputs_shape: tuple[int | None, ...], target_shape: Any = None
    ) -> Any:
        """Return the shape of the hidden states."""
        return (*inputs_shape[:2], self.model.output.shape[-1])

    def encode(
        self,
        inputs: Any,
        padding_mask: Any = None,
        state: Any = None,
        global_mask: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, Any]:
        """Return the hidden states of the input, and None: there is no state."""
        return self._run(inputs, padding_mask, training), None

    def decode(
        self,
        target: Any,
        encoder_output: Any = None,
        encoder_mask: Any = None,
        padding_mask: Any = None,
        state: Any = None,
        position: Any = 0,
        training: bool | None = None,
    ) -> tuple[Any, Any]:
        """Return the hidden states of the target, and the state with its tokens.

        With a state, the target has the positions from `position` on; otherwise it has all
        positions.

        Raises:
            ValueError: the state has no place for a position; see `require_places`.
        """
        if state is None:
            return self._run(target, padding_mask, training), None
        check_unmasked(padding_mask)
        target = ops.cast(target, "int32")
        tokens = ops.slice_update(state, (0, position), target)
        batch, length = target.shape
        known = ops.arange(tokens.shape[1]) < position + length
        known = ops.broadcast_to(known[None, :], tokens.shape)
        hidden_states = self._run(tokens, known, training)
        hidden_states = require_places(hidden_states, position, length, tokens.shape[1])
        newest = (batch, length, hidden_states.shape[-1])
        return ops.slice(hidden_states, (0, position, 0), newest), tokens

    def init_state(self, batch_size: int, max_length: int) -> Any:
        """Return zeros for the tokens of `max_length` positions: (batch, max_length), int32."""
        return ops.zeros((batch_size, max_length), "int32")

    def tie_embeddings(self) -> Any:
        """Raise `Unsupported`: the tables of presets have no rows for added token ids."""
        raise Unsupported("A backbone of keras-hub shares its token embedding with no head.")

    @property
    def embedding_layers(self) -> list[Any]:
        """The embeddings of tokens and positions, which parameter parity leaves out."""
        return [layer for layer in self.model.layers if "Embedding" in type(layer).__name__]

    def _run(self, token_ids: Any, padding_mask: Any, training: bool | None) -> Any:
        """Return the hidden states; all segments are the first, as in single sentences."""
        token_ids = ops.cast(token_ids, "int32")
        if padding_mask is None:
            padding_mask = ops.ones_like(token_ids)
        given = {
            "token_ids": token_ids,
            "padding_mask": ops.cast(padding_mask, "int32"),
            "segment_ids": ops.zeros_like(token_ids),
        }
        return self.model({key: given[key] for key in self.model.input}, training=training)
