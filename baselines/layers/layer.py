"""The base of all layers: registered with Keras, saved with plain arguments, aware of masks."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras.src.backend import get_keras_mask  # no public name: JAX's tensors hold no attributes

PACKAGE = "lengthwise"
"""The package under which Keras registers the layers, such as "lengthwise>FullAttention"."""


class Layer(keras.layers.Layer):
    """A Keras layer whose config holds the arguments of its constructor.

    A subclass stores each argument in an attribute of the same name. Arguments may be other layers
    or lists of them. Loading a saved model needs the class: import it first.

    A subclass whose `call` takes a `padding_mask` also uses the mask that Keras attaches to the
    input, such as that of `Embedding(mask_zero=True)`. A mask that the caller gives comes first.
    `_masked` returns the tensor whose mask it is.
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

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer; without a padding mask, use the mask that Keras attached, if any."""
        if len(args) == 1 and "padding_mask" not in kwargs:
            mask = get_keras_mask(self._masked(*args, **kwargs))
            if mask is not None and "padding_mask" in inspect.signature(self.call).parameters:
                kwargs["padding_mask"] = mask
        return super().__call__(*args, **kwargs)

    def add_float32_weight(
        self, shape: tuple[int, ...], initializer: Any, name: str, trainable: bool = True
    ) -> Any:
        """Create a weight that is kept and read in float32, whatever the dtype policy is."""
        return self.add_weight(
            shape, initializer, dtype="float32", trainable=trainable, autocast=False, name=name
        )

    def _masked(self, inputs: Any, **kwargs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor; layers among them as configs."""
        own = {name: getattr(self, name) for name in _arguments(type(self))}
        return {**super().get_config(), **keras.saving.serialize_keras_object(own)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Return a new layer with the arguments of a config."""
        return cls(**keras.saving.deserialize_keras_object(config))


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
    """Build a layer, unless it is None or built: loading a model builds its inner layers."""
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
