"""A model of Hugging Face as a Keras layer on PyTorch, with its cache of keys and values.

No remote code is run: a configuration that names code of its own is refused.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import torch
import transformers
from transformers import AutoConfig, DynamicCache
from transformers.cache_utils import DynamicLayer

from suite.api import RequestError

LOADING = {"dtype": torch.float32, "trust_remote_code": False}
WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


def import_modules(place: str) -> None:
    """Import the modules of the model of a folder or a config.json, and load no weights."""
    settings, auto = _choose_class(place)
    with torch.device("meta"):  # weights without memory
        auto.from_config(settings, **LOADING)


def load(place: str) -> Any:
    """Return the module of a folder or a config.json; without a file of weights, they are random.

    The weights are float32, although most configurations name bfloat16: cards compare in float32.

    Raises:
        RequestError: the configuration is of no known kind, of no model that reads one sequence of
            tokens, or needs code of its own.
    """
    settings, auto = _choose_class(place)
    folder = Path(place)
    if folder.is_dir() and any(next(folder.glob(name), None) for name in WEIGHTS):
        return auto.from_pretrained(folder, local_files_only=True, **LOADING)
    return auto.from_config(settings, **LOADING)


def _choose_class(place: str) -> tuple[Any, Any]:
    """Return the configuration of a folder or a config.json, and the class that makes its model.

    Raises:
        RequestError: as for `load`.
    """
    file = Path(place)
    config = json.loads((file / "config.json" if file.is_dir() else file).read_text())
    if "auto_map" in config:
        raise RequestError(
            "The model needs code from its repository, and remote code is never run",
            received=f"auto_map in {Path(place).name}",
            remedy="Load the model in a function of your own: FILE.py:function",
        )
    kind = str(config.get("model_type"))
    if kind not in transformers.CONFIG_MAPPING:
        raise RequestError(
            "The configuration is of a kind that transformers does not know",
            received=f"model_type {kind}",
        )
    settings = AutoConfig.for_model(**{**config, "model_type": kind})
    auto = _auto_class(settings, config)
    if not hasattr(settings, "vocab_size"):
        raise RequestError(
            "The configuration has no vocabulary of tokens", received=f"model_type {kind}"
        )
    if settings.is_encoder_decoder and auto is not transformers.AutoModelForCausalLM:
        raise RequestError(
            "A card of a model of Hugging Face is that of an encoder or a decoder",
            received=f"model_type {kind}, an encoder-decoder",
            remedy="`bench list` names architectures with this form",
        )
    return settings, auto


def _auto_class(settings: Any, config: Mapping[str, Any]) -> Any:
    """Return the class that the configuration names, or else that of its kind."""
    names = " ".join(config.get("architectures") or ())
    causal = type(settings) in transformers.MODEL_FOR_CAUSAL_LM_MAPPING
    masked = type(settings) in transformers.MODEL_FOR_MASKED_LM_MAPPING
    if causal and ("CausalLM" in names or "LMHead" in names or not (masked or names)):
        return transformers.AutoModelForCausalLM
    if masked and ("MaskedLM" in names or not names):
        return transformers.AutoModelForMaskedLM
    return transformers.AutoModel


class HuggingFaceModel(keras.layers.Layer):
    """The logits or hidden states of a module, (batch, n, width), and decoding with its cache.

    In: "input_ids" and "attention_mask", (batch, n) each. Time and memory are those of the module.
    The decoding state holds the keys and values of each layer, which grow with the position.
    """

    def __init__(self, module: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.wrapped = keras.layers.TorchModuleWrapper(module)

    @property
    def module(self) -> Any:
        """The module of PyTorch."""
        return self.wrapped.module

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the outputs at all positions of {"input_ids", "attention_mask"}."""
        self.module.train(bool(training))
        outputs = self.module(**inputs, **({"use_cache": False} if self.caches_may_exist else {}))
        return outputs.logits if "logits" in outputs else outputs.last_hidden_state

    @property
    def caches_may_exist(self) -> bool:
        """Whether the configuration has a cache to switch off."""
        return hasattr(self.module.config, "use_cache")

    def caches(self) -> bool:
        """Return whether a cache holds the keys and values of all positions, and nothing else."""
        if not self.caches_may_exist:
            return False
        with torch.no_grad():
            outputs = self.module(input_ids=torch.zeros((1, 2), dtype=torch.long), use_cache=True)
        layers = getattr(outputs.get("past_key_values"), "layers", ())
        return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)

    def init_state(self, batch_size: int, max_length: int) -> Any:
        """Return the keys and values of no positions, for each layer."""
        with torch.no_grad():
            tokens = torch.zeros((batch_size, 1), dtype=torch.long)
            cache = self.module(input_ids=tokens, use_cache=True).past_key_values
        return [(layer.keys[:, :, :0], layer.values[:, :, :0]) for layer in cache.layers]

    def decode(
        self, target: Any, state: Any, position: int, *, last_alone: bool = False
    ) -> tuple[Any, Any]:
        """Return the outputs at the positions from `position` on, and the state after them.

        With `last_alone`, a model that can leaves out the scores of all positions but the last.
        """
        held = [tuple(part[:, :, :position] for part in pair) for pair in state]
        cache = DynamicCache(ddp_cache_data=held) if position else DynamicCache()
        given = {"input_ids": target.long(), "past_key_values": cache, "use_cache": True}
        if last_alone and "logits_to_keep" in inspect.signature(self.module.forward).parameters:
            given["logits_to_keep"] = 1
        outputs = self.module(**given)
        new = [(layer.keys, layer.values) for layer in outputs.past_key_values.layers]
        return (outputs.logits if "logits" in outputs else outputs.last_hidden_state), new
