"""Loads a given model, and puts it behind the methods of this package's backbones."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from baselines.layers.backbone import Backbone
from baselines.layers.hub_backbone import _HubBackbone, load_preset
from suite.api import RequestError

NUM_VECTORS = 512
"""The number of random vectors, one for each token, for a model that takes vectors."""
SEQUENCE_OUTPUTS = ("logits", "sequence_output", "last_hidden_state")
"""The outputs of models with several, in the order in which one is chosen."""


class GivenBackbone(_HubBackbone):
    """The outputs of a given model as hidden states: (batch, n, width).

    In: token ids (batch, n); a model that takes vectors gets a random one for each id. A pooled
    output stands at every position. Time and memory are those of the model. While decoding, each
    token computes all positions again, unless the model is one of Hugging Face with a cache of keys
    and values.
    """

    def __init__(self, model: Any, facts: Mapping[str, Any], **kwargs: Any) -> None:
        Backbone.__init__(self, **kwargs)
        self.model = model
        self.facts = facts
        self.own_head = ModelScores()
        if facts["width"]:
            generator = np.random.default_rng(0)
            vectors = generator.normal(size=(NUM_VECTORS, facts["width"]))
            self.vectors = ops.convert_to_tensor(vectors.astype("float32"))

    @property
    def embedding_layers(self) -> list[Any]:
        """The tables of tokens and positions."""
        return embeddings_of(self.model)

    def init_state(self, batch_size: int, max_length: int) -> Any:
        """Return the state before the first position: the tokens, or the empty cache."""
        if self.facts["caches"]:
            return self.model.init_state(batch_size, max_length)
        return super().init_state(batch_size, max_length)

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
        """Return the outputs of the target, and the state with it."""
        if state is None or not self.facts["caches"]:
            encoder = encoder_output, encoder_mask
            return super().decode(target, *encoder, padding_mask, state, position, training)
        states: tuple[Any, Any] = self.model.decode(self._tokens(target), state, int(position))
        return states

    def read_context(self, tokens: Any, state: Any) -> tuple[Any, Any]:
        """Return the outputs of a context, at its end at least, and the state with it."""
        if not self.facts["caches"]:
            return self.decode(tokens, state=state, position=0, training=False)
        read: tuple[Any, Any] = self.model.decode(self._tokens(tokens), state, 0, last_alone=True)
        return read

    def _run(self, token_ids: Any, padding_mask: Any, training: bool | None) -> Any:
        outputs = call_model(
            self.model, self._inputs(token_ids, padding_mask), self.facts["structure"], training
        )
        if self.facts.get("one_score"):
            outputs = outputs[:, :, None]
        elif len(outputs.shape) == 2:
            outputs = ops.repeat(outputs[:, None], token_ids.shape[1], axis=1)
        if outputs.shape[-1] == 1:  # a single score is that of the second of two classes
            outputs = ops.concatenate([ops.zeros_like(outputs), outputs], axis=-1)
        return outputs

    def _tokens(self, token_ids: Any) -> Any:
        """Return ids of the model's vocabulary, without those that it takes for padding."""
        first = self.facts.get("first_token", 0)
        return ops.mod(token_ids, self.facts["vocabulary"] - first) + first

    def _inputs(self, token_ids: Any, padding_mask: Any) -> dict[str, Any]:
        """Return the inputs of the model by name, each in its role."""
        token_ids = ops.cast(token_ids, "int32")
        if padding_mask is None:
            padding_mask = ops.ones_like(token_ids)
        given = {}
        for name, (role, dtype) in self.facts["inputs"].items():
            if role == "tokens":
                given[name] = ops.cast(self._tokens(token_ids), dtype)
            elif role == "vectors":
                given[name] = ops.take(self.vectors, ops.mod(token_ids, NUM_VECTORS), axis=0)
            elif role == "mask":
                given[name] = ops.cast(padding_mask, dtype)
            else:
                given[name] = ops.zeros(token_ids.shape, dtype)
        return given


class ModelScores(keras.layers.Layer):
    """A head that returns the outputs of the model, (batch, n, scores), at no cost."""

    def call(self, hidden_states: Any, features: Any = None) -> Any:
        """Return the outputs."""
        return hidden_states


def call_model(
    model: Any, inputs: Mapping[str, Any], structure: str, training: bool | None = False
) -> Any:
    """Return the output of a model; of several, that of the positions."""
    given = {"dict": dict(inputs), "list": list(inputs.values())}
    argument = given.get(structure, next(iter(inputs.values())))
    outputs = model(argument, training=training)
    if isinstance(outputs, Mapping):
        name = next((name for name in SEQUENCE_OUTPUTS if name in outputs), next(iter(outputs)))
        return outputs[name]
    return outputs[0] if isinstance(outputs, list | tuple) else outputs


def embeddings_of(model: Any) -> list[Any]:
    """Return the layers of a Keras model that look up tokens or positions."""
    flatten = getattr(model, "_flatten_layers", list)
    return [layer for layer in flatten() if "Embedding" in type(layer).__name__]


def load_model(kind: str, place: str) -> Any:
    """Return the model of a kind at a place, as a Keras model or layer.

    Raises:
        RequestError: the model cannot be loaded.
    """
    try:
        return {
            "keras": _load_file,
            "function": _call_function,
            "preset": load_preset,
            "huggingface": _load_huggingface,
        }[kind](place)
    except RequestError:
        raise
    except BaseException as error:  # a function may exit
        if isinstance(error, KeyboardInterrupt):
            raise
        text = " ".join(str(error).split())[:200]
        raise RequestError(
            "The model cannot be loaded", received=f"{type(error).__name__}: {text}"
        ) from error


def _load_file(path: str) -> Any:
    if not zipfile.is_zipfile(path):
        raise RequestError("The file is not one that Keras 3 saved", received=Path(path).name)
    try:
        return keras.models.load_model(path, compile=False)
    except (TypeError, ValueError) as error:
        text = " ".join(str(error).split())
        if "custom" in text or "locate class" in text or "unsafe" in text:
            raise RequestError(
                "The file has a class or a function that Keras does not know",
                received=text[:160],
                remedy="Give FILE.py:function instead, whose function loads the file",
            ) from error
        raise


def _call_function(place: str) -> Any:
    path, _, name = place.rpartition(":")
    folder = str(Path(path).parent)
    sys.path.insert(0, folder)  # as in a script, the modules beside the file come first
    try:
        return _result_of(path, name)
    finally:
        sys.path.remove(folder)
        sys.path.append(folder)  # for imports within a call, after the modules of this package


def _result_of(path: str, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"given_{Path(path).stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise RequestError("The file has no such function", received=name)
    needed = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if needed:
        raise RequestError(
            "The function is called without arguments",
            received=f"{name}({', '.join(needed)})",
            remedy="Give its parameters defaults, or write a function without any",
        )
    try:
        model = function()
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise RequestError(
            "The function raised an exception", received=f"{type(error).__name__}: {text}"
        ) from error
    if not isinstance(model, keras.layers.Layer):
        raise RequestError(
            "The function must return a Keras model or layer", received=type(model).__name__
        )
    return model


def _load_huggingface(place: str) -> Any:
    from baselines.layers.huggingface_model import HuggingFaceModel, load

    return HuggingFaceModel(load(place))
