"""The base of all layers: registered with Keras, saved with plain arguments, aware of masks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import keras
from keras import ops

PACKAGE = "lengthwise"
"""The package under which Keras registers the layers, such as "lengthwise>FullAttention"."""


class Layer(keras.layers.Layer):
    """A Keras layer whose config holds the arguments of its constructor.

    A subclass stores each argument in an attribute of the same name. Arguments may be other layers
    or lists of them. Loading a saved model needs the class: import it first.

    A subclass whose `call` takes a `padding_mask` also uses the mask that Keras attaches to the
    input, such as that of `Embedding(mask_zero=True)`, or `mask`, the mask of the first argument as
    in Keras's layers. If `call` takes a `context` without a mask of its own, the padding mask is
    that of the context, where there is one. A padding mask that the caller gives comes first.

    The output has the shape and the mask of the first argument, unless a subclass says otherwise.
    If `call` takes a `target_mask`, the output has the mask of the target where there is a target.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Register the subclass with Keras, whose names are unique in a package."""
        super().__init_subclass__(**kwargs)
        known = keras.saving.get_registered_object(f"{PACKAGE}>{cls.__name__}")
        if known is not None and known.__module__ != cls.__module__:
            raise TypeError(
                "Two layers of a package have different names. Received: "
                f"{cls.__name__} in {known.__module__} and in {cls.__module__}. Rename either."
            )
        keras.saving.register_keras_serializable(PACKAGE)(cls)
        if "call" in vars(cls):
            cls.call = _with_keras_masks(cls.call)  # type: ignore[method-assign]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Return the shape of the output for that of the first argument; it may lack a length."""
        return tuple(input_shape)

    def add_float32_weight(
        self, shape: tuple[int, ...], initializer: Any, name: str, trainable: bool = True
    ) -> Any:
        """Create a weight that is kept and read in float32, whatever the dtype policy is."""
        return self.add_weight(
            shape, initializer, dtype="float32", trainable=trainable, autocast=False, name=name
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor; layers among them as configs."""
        own = {name: getattr(self, name) for name in _arguments(type(self))}
        return {**super().get_config(), **keras.saving.serialize_keras_object(own)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Return a new layer with the arguments of a config."""
        return cls(**keras.saving.deserialize_keras_object(config))


def _with_keras_masks(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a `call` that also takes the masks which Keras passes by the names of its arguments.

    Keras reads the mask of a tensor and passes it to a call that has an argument for it: `mask` if
    a single tensor is given, and otherwise the name of the tensor's argument with `_mask`.
    """
    signature = inspect.signature(call)
    parameters = list(signature.parameters.values())
    known = list(signature.parameters)
    if "padding_mask" not in known:
        return call
    attends = "context" in known and "context_mask" not in known
    has_target = "target_mask" in known
    of_first = "mask", f"{known[1]}_mask"
    added = [*of_first, *(["context_mask"] if attends else [])]

    @wraps(call)
    def masked(self: Any, *args: Any, **kwargs: Any) -> Any:
        passed = {name: kwargs.pop(name, None) for name in added}
        given = signature.bind(self, *args, **kwargs)
        has_context = attends and given.arguments.get("context") is not None
        names = ["context_mask"] if has_context else of_first
        masks = given.arguments.get("padding_mask"), *(passed[name] for name in names)
        # For a tuple of tensors, such as projected keys and values, Keras passes a tuple of None.
        found = (mask for mask in masks if mask is not None and not isinstance(mask, tuple))
        given.arguments["padding_mask"] = next(found, None)
        outputs = call(*given.args, **given.kwargs)
        if not has_target:
            return outputs
        mask = given.arguments.get("target_mask")
        if given.arguments.get("target") is None:
            mask = self.compute_mask(given.arguments[known[1]], given.arguments["padding_mask"])
        if mask is not None:
            outputs = _Masked(name="mask", autocast=False)(ops.copy(outputs), mask=mask)
        return outputs

    extra = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in added
    ]
    end = len(parameters) - (parameters[-1].kind is inspect.Parameter.VAR_KEYWORD)
    taken = [*parameters[:end], *extra, *parameters[end:]]
    masked.__signature__ = signature.replace(parameters=taken)  # type: ignore[attr-defined]
    return masked


class _Masked(keras.layers.Layer):
    """Returns its input with a mask: Keras attaches the argument `mask` to a layer's output."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, states: Any, mask: Any = None) -> Any:
        return states


def zero_padding(states: Any, padding_mask: Any) -> Any:
    """Return states (…, n, …) with zeros at padded positions, even in place of NaN.

    The mask is (…, n), or None. A product with it would keep NaN, which is NaN times 0 too.
    """
    if padding_mask is None:
        return states
    axes = [None] * (len(states.shape) - len(padding_mask.shape))
    return ops.where(ops.cast(padding_mask, "bool")[(..., *axes)], states, 0.0)


def finite_padding(inputs: Any, padding_mask: Any) -> Any:
    """Return inputs (batch, n, …) with zeros in place of NaN and infinity at padded positions.

    The gradient of a weight sums over positions. A padded position adds 0 to it, but 0 · NaN.
    """
    dtype = keras.backend.standardize_dtype(inputs.dtype)
    if padding_mask is None or not keras.backend.is_float_dtype(dtype) or len(inputs.shape) < 3:
        return inputs
    real = ops.cast(padding_mask, "bool")[:, :, None]
    return ops.where(ops.logical_or(real, ops.isfinite(inputs)), inputs, 0.0)


def _arguments(layer_class: type) -> list[str]:
    """Return the names of a constructor's arguments, with those that it passes on to its bases."""
    found: list[str] = []
    for base in layer_class.__mro__[: layer_class.__mro__.index(Layer)]:
        parameters = inspect.signature(base.__init__).parameters.values()  # type: ignore[misc]
        named = [part for part in parameters if part.kind is not part.VAR_KEYWORD]
        found += [part.name for part in named[1:] if part.name not in found]
        if len(named) == len(parameters):
            break
    return found


def build_once(part: Any, input_shape: Any) -> None:
    """Build a layer that is neither None nor built: loading a model builds its inner layers."""
    if part is not None and not part.built:
        part.build(input_shape)


@contextmanager
def extended(layer: Any) -> Iterator[None]:
    """Let a built layer get further parts; Keras's own `enable_lora` does the same."""
    layer._tracker.unlock()
    try:
        yield
    finally:
        layer._tracker.lock()
