"""A Keras layer class for each architecture, made from its declaration."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Sequence
from typing import Any

import keras

from baselines.layers.architecture_arguments import (
    as_argument,
    as_arguments,
    check_option,
    default_form,
)
from baselines.layers.backbone import check_target, run_form
from baselines.layers.class_token import extend_mask
from baselines.layers.layer import Layer, build_once
from suite.api import Architecture, BuildRequest, Form, Inputs, ModelSize, Unsupported

UNKNOWN_LENGTH = 4096
"""The length that an architecture is built for if it extrapolates and the length is unknown."""
DOCUMENTED_SIZE = ModelSize("", num_layers=12, width=768, num_heads=12, feedforward_width=3_072)
"""The size whose costs are documented: its layers hold a whole pattern of mixers."""
KERAS_ARGUMENTS = ("name", "dtype", "trainable", "autocast", "activity_regularizer")


class ArchitectureLayer(Layer):
    """The backbone of an architecture as a Keras layer: hidden states in, hidden states out.

    Args:
        num_layers: Number of layers.
        width: Size of a hidden state, a multiple of `num_heads`.
        num_heads: Number of heads.
        feedforward_width: Width of the feed-forward networks; by default 4 · `width`. Some
            architectures make them wider or narrower, so that all have as many parameters.
        form: "encoder", "decoder" (causal) or "encoder_decoder".
        vocabulary_size: Number of token ids. With it, the inputs are token ids.
        max_length: Number of positions that the layer is built for; by default the length of the
            first inputs. Inputs may be shorter, and their length may be unknown. Without
            `max_length`, only architectures that extrapolate take inputs of unknown length.
        max_global_tokens: Greatest number of global positions of an example. Only architectures
            with global tokens take it.
        dropout: Share of the outputs of sub-layers that training sets to 0.

    In: embeddings (batch, n, width), or token ids (batch, n); an architecture for images takes
    patches (batch, n, patch size). The masks are (batch, n), True where a position is real or
    global. The mask that Keras attaches to the inputs replaces a missing padding mask. The
    encoder-decoder form also takes `target`, of the same kind as the inputs, and its mask.

    Out: hidden states (batch, n, width) of the inputs, or of the target if there is one.

    `encode`, `init_state` and `decode` compute a sequence in parts, such as token by token. They
    build the layer if no call did. `backbone` holds the layers, once they are built.

    Raises:
        TypeError: an argument is unknown.
        ValueError: an argument has an invalid value.
    """

    architecture: Architecture

    def __init__(
        self,
        num_layers: int,
        width: int,
        num_heads: int,
        *,
        feedforward_width: int | None = None,
        form: str | None = None,
        vocabulary_size: int | None = None,
        max_length: int | None = None,
        max_global_tokens: int = 0,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        self._check_names(kwargs)
        defaults = self.architecture.defaults(kwargs)
        super().__init__(**{name: kwargs[name] for name in kwargs.keys() - defaults.keys()})
        self.num_layers = num_layers
        self.width = width
        self.num_heads = num_heads
        self.feedforward_width = feedforward_width
        self.form = self._check_form(form)
        self.vocabulary_size = vocabulary_size
        self.max_length = max_length
        self.max_global_tokens = max_global_tokens
        self.dropout = dropout
        self.options = {
            name: check_option(name, kwargs.get(name, default), default)
            for name, default in defaults.items()
        }
        sizes = {name: getattr(self, name) for name in ("num_layers", "width", "num_heads")}
        if any(type(size) is not int or size < 1 for size in sizes.values()):
            raise ValueError(
                "The sizes are whole numbers of at least 1. "
                f"Received: {as_arguments(sizes)}. Change them."
            )
        self.backbone: Any = None

    def _check_form(self, form: str | None) -> Form:
        if form is None:
            return default_form(self.architecture)
        if form not in self.architecture.forms:
            forms = ", ".join(sorted(self.architecture.forms))
            raise ValueError(
                f"{type(self).__name__} has the forms {forms}. Received: form={form!r}. Choose one."
            )
        return Form(form)

    def _check_names(self, given: dict[str, Any]) -> None:
        known = {*inspect.signature(type(self)).parameters, *KERAS_ARGUMENTS} - {"kwargs"}
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f" Did you mean '{near[0]}'?" if near else ""
                raise TypeError(f"{type(self).__name__} has no argument '{name}'.{hint}")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the backbone for `max_length` positions, by default those of the inputs."""
        self.backbone = self._assemble(input_shape)
        if self._builds_backbone():
            build_once(self.backbone, input_shape)

    def _assemble(self, input_shape: Sequence[int | None]) -> Any:
        """Return a backbone for inputs of a shape; its layers have the dtype policy of this one."""
        self._check_length(input_shape)
        length = self.max_length or input_shape[1] or UNKNOWN_LENGTH
        try:
            backbone = self.architecture.build(self._request(length))
        except Unsupported as error:
            raise ValueError(f"{error} Change the arguments of the layer.") from error
        if self.max_global_tokens and not getattr(backbone, "takes_global_mask", False):
            raise ValueError(
                f"{type(self).__name__} has no global tokens. "
                f"Received: max_global_tokens={self.max_global_tokens}. Leave it out."
            )
        default = keras.config.dtype_policy()
        for layer in backbone._flatten_layers():
            if layer.dtype_policy == default:
                layer.dtype_policy = self.dtype_policy
        return backbone

    def _check_length(self, shape: Sequence[int | None]) -> None:
        """Raise a ValueError if the architecture needs to know a length that a shape lacks."""
        if shape[1] is not None or self.max_length is not None:
            return
        if reason := self.architecture.fixed_length_reason(self._request(UNKNOWN_LENGTH)):
            raise ValueError(
                f"{type(self).__name__} {reason}. Received: inputs of unknown length, of shape "
                f"{tuple(shape)}. Give the layer max_length, or the inputs a length."
            )

    def _builds_backbone(self) -> bool:
        """Return whether the backbone creates its weights in `build`, not in its first call."""
        return type(self.backbone).build is not keras.layers.Layer.build

    def _request(self, length: int) -> BuildRequest:
        size = ModelSize(
            "custom",
            self.num_layers,
            self.width,
            self.num_heads,
            self.feedforward_width or 4 * self.width,
        )
        inputs = Inputs.EMBEDDINGS
        if self.vocabulary_size is not None:
            inputs = Inputs.TOKEN_IDS
        elif inputs not in self.architecture.inputs:
            inputs = Inputs.PATCHES
        return BuildRequest(
            self.form,
            inputs,
            size,
            length,
            self.options,
            self.dropout,
            self.vocabulary_size,
            self.max_global_tokens,
        )

    def call(
        self,
        inputs: Any,
        target: Any = None,
        padding_mask: Any = None,
        target_mask: Any = None,
        global_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        """Return the hidden states of the inputs, or of the target if there is one."""
        if global_mask is not None and not self.max_global_tokens:
            raise ValueError(
                "A global mask needs global tokens. Received: a global mask and max_global_tokens="
                "0. Give max_global_tokens to the layer."
            )
        for given in (inputs, target):
            if given is not None:
                self._check_length(given.shape)
        masks = (padding_mask, target_mask, global_mask)
        return run_form(self.backbone, self.form, inputs, target, *masks, training=training)

    def encode(
        self,
        inputs: Any,
        padding_mask: Any = None,
        global_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        """Return the hidden states of the encoder, which `decode` takes as `encoder_output`."""
        self._build_for(inputs.shape, without=Form.DECODER)
        masks = {"padding_mask": padding_mask, "global_mask": global_mask}
        return self.backbone.encode(inputs, training=training, **masks)[0]

    def init_state(self, batch_size: int, max_length: int) -> Any:
        """Return the state of a decoding before its first position.

        A state that holds keys and values has places for `max_length` positions; decoding past them
        is an error. A state of fixed size, such as that of a recurrent layer, a convolution, linear
        attention or a segment memory, has no limit: decoding past `max_length` is exact.
        """
        self._build_for((batch_size, max_length, self.width), without=Form.ENCODER)
        return self.backbone.init_state(batch_size, max_length)

    def decode(self, target: Any, state: Any = None, position: Any = 0, **given: Any) -> Any:
        """Return the hidden states of the target, and the state after it.

        Without a state, the target has all positions. With a state, from `init_state` or from an
        earlier call, the target continues at `position`. `given` are `encoder_output` and
        `encoder_mask` in the encoder-decoder form, `padding_mask` and `training`.
        """
        self._build_for(target.shape, without=Form.ENCODER)
        return self.backbone.decode(target, state=state, position=position, **given)

    def _build_for(self, shape: Sequence[int | None], without: Form) -> None:
        """Build the layer for inputs of a shape; a ValueError if its form is `without`."""
        if self.form is without:
            part = "a decoder" if without is Form.ENCODER else "an encoder"
            raise ValueError(
                f"The layer has no such part. Received: form={self.form}. Use a form with {part}."
            )
        if not self.built:
            self.build(tuple(shape[:2]) if self.vocabulary_size else tuple(shape))

    def compute_output_spec(
        self, inputs: Any, target: Any = None, *masks: Any, **others: Any
    ) -> Any:
        """Return the shape and type of the hidden states; this avoids tracing the backbone."""
        check_target(self.form, target)
        if self.built and not self._builds_backbone():
            return keras.Operation.compute_output_spec(self, inputs, target, *masks, **others)
        shape = self.compute_output_shape(inputs.shape, getattr(target, "shape", None))
        return keras.KerasTensor(shape, self.compute_dtype)

    def compute_output_shape(
        self, inputs_shape: Sequence[int | None], target_shape: Sequence[int | None] | None = None
    ) -> Any:
        """Return the shape of the hidden states of the inputs, or of the target if there is one."""
        backbone = self.backbone
        if backbone is None:
            backbone = self._assemble(inputs_shape)
        batch, length = (target_shape or inputs_shape)[:2]
        if length is not None:
            length += getattr(backbone, "extra_positions", 0)
        return batch, length, self.width

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the mask of the inputs' hidden states; `call` attaches that of a target."""
        if self.form is Form.ENCODER_DECODER:
            return None
        return extend_mask(previous_mask, getattr(self.backbone, "extra_positions", 0))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor, and the version of the architecture."""
        return {**super().get_config(), **self.options, "version": self.architecture.version}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Return a new layer with the arguments of a config.

        Raises:
            ValueError: another version of the architecture wrote the config.
        """
        config = dict(config)
        version = config.pop("version", cls.architecture.version)
        if version != cls.architecture.version:
            raise ValueError(
                f"{cls.__name__} computes other values since version {cls.architecture.version}. "
                f"Received: a layer of version {version}. Load it with the code of that version."
            )
        return super().from_config(config)


def layer_class(architecture: Architecture) -> type[ArchitectureLayer]:
    """Return the Keras class of an architecture: its options become keyword arguments."""
    name = type(architecture).__name__
    return type(
        name,
        (ArchitectureLayer,),
        {
            "__module__": "baselines",
            "__doc__": _document(architecture),
            "__signature__": _signature(architecture),
            "architecture": architecture,
        },
    )


def _signature(architecture: Architecture) -> inspect.Signature:
    """Return the arguments of the class of an architecture, with its own defaults."""
    given = inspect.signature(ArchitectureLayer.__init__).parameters.values()
    *common, keywords = [part for part in given if part.name != "self"]
    common = [
        part.replace(default=default_form(architecture).value) if part.name == "form" else part
        for part in common
    ]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=as_argument(default))
        for name, default in architecture.options.items()
    ]
    return inspect.Signature([*common, *options, keywords])


def _document(architecture: Architecture) -> str:
    """Return the documentation of the class of an architecture."""
    parts = [inspect.getdoc(architecture), architecture.paper + "."]
    if architecture.options:
        defaults = {name: as_argument(value) for name, value in architecture.options.items()}
        parts.append(f"Options with their defaults: {as_arguments(defaults)}.")
    parts += [_costs(architecture), inspect.getdoc(ArchitectureLayer)]
    return "\n\n".join(part for part in parts if part)


def _costs(architecture: Architecture) -> str:
    """Return the claimed costs of the default form with the default options, as a sentence."""
    form, inputs = default_form(architecture), min(architecture.inputs)
    options = architecture.defaults({})
    request = BuildRequest(form, inputs, DOCUMENTED_SIZE, UNKNOWN_LENGTH, options)
    claims = architecture.claimed_costs(request)
    time, memory = (f"O({claim.replace('^2', '²')})" for claim in claims)
    return f"Claimed costs of the {form} for n positions: time {time}, memory {memory}."
