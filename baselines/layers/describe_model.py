"""Finds out which inputs a given model has: a program that writes its facts as JSON.

The arguments of `main` are the kind of the model, its place, the form or "", and the file. The file
has the facts, or a `problem`. For a function, `imported` has the modules beside its file that it
imports.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from baselines.layers.given_backbone import (
    GivenBackbone,
    call_model,
    embeddings_of,
    load_model,
)
from suite.api import Form, RequestError
from suite.api.errors import LengthwiseError
from suite.api.files import atomic_write_bytes

LENGTH, CHANGED = 48, 17
"""The positions of a pass, and how many of the last tokens another pass changes.

The first changed position, 31, is in the midst of a block of any usual size: a model that mixes the
positions of a block alone would else be taken for a decoder.
"""
DEFAULT_WIDTH, DEFAULT_VOCABULARY = 64, 256
"""The inputs of a layer that does not state them."""
SAME = 2e-6
"""The relative error of float32 within which outputs are the same.

Later tokens change earlier outputs of a small encoder with random weights by only 3e-5.
"""


def describe(kind: str, place: str, form: str) -> dict[str, Any]:
    """Return the facts about a model.

    Raises:
        RequestError: the model cannot be loaded, or has no length axis.
    """
    model = load_model(kind, place)
    facts: dict[str, Any] = {"form": "encoder", "caches": False, "width": 0, "structure": "single"}
    facts |= {"longest": _longest(model), "vocabulary": _vocabulary(model)}
    if kind == "huggingface":
        config = model.module.config
        facts |= {"vocabulary": config.vocab_size, "structure": "dict", "caches": model.caches()}
        facts["inputs"] = {"input_ids": ("tokens", "int64"), "attention_mask": ("mask", "int64")}
        if model.module.base_model_prefix != "" and (table := _table_of_positions(model.module)):
            # RoBERTa numbers its positions from the one after that of padding.
            unused = 0 if table.padding_idx is None else table.padding_idx + 1
            facts["longest"] = config.max_position_embeddings - unused
            facts["first_token"] = unused  # an id of padding among the others would shift them
    elif getattr(model, "inputs", None):
        facts |= _inputs_of(model)
    else:
        facts |= _tried_inputs(model)
    longest = facts["longest"]
    if longest is not None and longest < LENGTH:
        raise RequestError(
            "The model has too few positions for a card",
            received=f"{longest} positions",
            remedy=f"A card needs a model of at least {LENGTH} positions",
        )
    try:
        outputs = [_run(model, facts, seed) for seed in (0, 1)]
    except Exception as error:
        raise RequestError(
            f"The model does not take its inputs, with tokens below {facts['vocabulary']}",
            received=_in_short(error),
            remedy="Give a model whose inputs of tokens all have the vocabulary of the first",
        ) from None
    if outputs[0].ndim not in (2, 3):
        raise _no_length_axis(f"an output of shape {outputs[0].shape}")
    pooled = outputs[0].ndim == 2 and not _has_a_score_each(model, facts, outputs[0])
    if not pooled and outputs[0].shape[1] != LENGTH:
        raise _no_length_axis(f"{outputs[0].shape[1]} outputs of {LENGTH} positions")
    if np.isnan(outputs[0]).any():
        raise RequestError("The outputs of the model are not numbers", received="NaN")
    facts["form"] = form or _form(model, facts, outputs, pooled)
    facts["caches"] = bool(facts["caches"] and facts["form"] == Form.DECODER)
    weights = model.trainable_weights + model.non_trainable_weights
    facts["parameters"] = sum(math.prod(weight.shape) for weight in weights)
    facts["mixing"] = facts["parameters"] - _embedding_parameters(model)
    facts["pooled"] = pooled
    facts["one_score"] = not pooled and outputs[0].ndim == 2
    facts["trainable"] = bool(model.trainable_weights)
    facts["precision"] = _precision(model)
    return facts


def _has_a_score_each(model: Any, facts: dict[str, Any], outputs: np.ndarray) -> bool:
    """Return whether outputs (batch, n) have a score for each position, and not n classes."""
    if outputs.shape[1] != LENGTH:
        return False
    return bool(_run(model, facts, 0, LENGTH - 1).shape[1] == LENGTH - 1)


def _form(model: Any, facts: dict[str, Any], outputs: Sequence[np.ndarray], pooled: bool) -> str:
    """Return the form of a model, from its outputs with the last tokens and with others.

    Raises:
        RequestError: outputs of the same tokens differ, so that nobody can tell.
    """
    if not pooled and not _are_same(outputs[0], _run(model, facts, 0)):
        raise RequestError(
            "The form of the model is unknown",
            received="two passes of the same tokens, whose outputs differ",
            remedy="Give --form encoder or --form decoder, or make the model repeatable",
        )
    start = LENGTH - CHANGED
    causal = not pooled and _are_same(*(each[:, :start] for each in outputs))
    return str(Form.DECODER if causal else Form.ENCODER)


def _precision(model: Any) -> str:
    """Return the dtype policy of most weights; quantized ones have that of their sums."""
    counts: Counter[str] = Counter({"float32": 0})
    for layer in getattr(model, "_flatten_layers", list)():
        policy = layer.dtype_policy
        compute, variable = policy.compute_dtype, policy.variable_dtype
        name = compute if compute in ("float32", variable) else f"mixed_{compute}"
        counts[name] += sum(math.prod(weight.shape) for weight in layer._trainable_variables)
    return counts.most_common(1)[0][0]


def _are_same(first: np.ndarray, second: np.ndarray) -> bool:
    return float(np.abs(first - second).max()) <= SAME * float(np.abs(first).max())


def _run(model: Any, facts: dict[str, Any], seed: int, length: int = LENGTH) -> np.ndarray:
    """Return the outputs of a pass; with a seed above 0, the last tokens are others."""
    tokens = np.random.default_rng(0).integers(1, 60, size=(1, length)).astype("int32")
    tokens[:, LENGTH - CHANGED :] += seed
    backbone = GivenBackbone(model, {**facts, "caches": False})
    inputs = backbone._inputs(ops.convert_to_tensor(tokens), None)
    with _without_gradients():
        outputs = call_model(model, inputs, facts["structure"])
        found: np.ndarray = ops.convert_to_numpy(outputs)
        return found


def _without_gradients() -> AbstractContextManager[Any]:
    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch

    without: AbstractContextManager[Any] = torch.no_grad()
    return without


def _inputs_of(model: Any) -> dict[str, Any]:
    """Return the inputs of a functional model."""
    given = model.input
    tensors = model.inputs
    structure = "single" if len(tensors) == 1 else "list"
    names = [tensor.name for tensor in tensors]
    if isinstance(given, dict):
        structure, names, tensors = "dict", list(given), list(given.values())
    inputs, width = {}, 0
    for name, tensor in zip(names, tensors, strict=True):
        shape, dtype = tensor.shape, str(tensor.dtype)
        if len(shape) < 2 or len(shape) > 3 or (len(shape) == 2 and shape[1] is not None):
            raise _no_length_axis(f"the input {name} of shape {tuple(shape)}")
        if shape[1] is not None:
            raise _no_length_axis(f"{shape[1]} positions alone in the input {name}")
        if len(shape) == 3:
            role, width = "vectors", shape[2]
        elif "mask" in name:
            role = "mask"
        elif any(part in name for part in ("segment", "type", "position")):
            role = "zeros"
        else:
            role = "tokens"
        inputs[name] = role, dtype
    if not {"tokens", "vectors"} & {role for role, _ in inputs.values()}:
        # The name of the only input says nothing: "event_types" may be tokens.
        name = next((name for name, (role, _) in inputs.items() if role == "zeros"), names[0])
        inputs[name] = "tokens", inputs[name][1]
    return {"inputs": inputs, "width": width, "structure": structure}


def _tried_inputs(model: Any) -> dict[str, Any]:
    """Return the inputs of a model or layer that does not state them: the first that it takes."""
    spec = model.input_spec
    axes = getattr(spec, "axes", None) or {}
    width = axes.get(-1) or DEFAULT_WIDTH
    errors = []
    for facts in (
        {"inputs": {"inputs": ("vectors", "float32")}, "width": width},
        {"inputs": {"inputs": ("tokens", "int32")}, "width": 0},
    ):
        if embeddings_of(model) and facts["width"]:
            continue
        try:
            _run(model, {"structure": "single", "vocabulary": _vocabulary(model), **facts}, 0)
        except Exception as error:
            errors.append(_in_short(error))
            continue
        return facts
    raise RequestError(
        "The model takes neither tokens nor vectors",
        received=errors[0] if errors else "no input",
        remedy="Give its inputs a shape: a functional model with keras.Input((None,))",
    )


def _in_short(error: Exception, most: int = 160) -> str:
    return " ".join(str(error).split())[:most]


def _vocabulary(model: Any) -> int:
    """Return the rows of the first table that is not one of positions."""
    for layer in embeddings_of(model):
        rows = getattr(layer, "input_dim", None)
        if rows and not _is_of_positions(layer):
            return int(rows)
    return DEFAULT_VOCABULARY


def _longest(model: Any) -> int | None:
    """Return the positions of a table of positions; None without one."""
    for layer in embeddings_of(model):
        if _is_of_positions(layer):
            rows = getattr(layer, "sequence_length", None) or getattr(layer, "input_dim", None)
            if rows:
                return int(rows)
    return None


def _is_of_positions(layer: Any) -> bool:
    """Return whether a table has a row for each position; one of distances may have fewer."""
    text = f"{type(layer).__name__} {layer.name}".lower()
    return "position" in text and "relative" not in text and "Token" not in type(layer).__name__


def _table_of_positions(module: Any) -> Any:
    """Return the table of positions of a module of Hugging Face; None without one."""
    names = ("wpe", "position_embeddings", "embed_positions")
    tables = (
        part
        for name, part in module.named_modules()
        if name.rpartition(".")[2] in names and hasattr(part, "num_embeddings")
    )
    return next(tables, None)


def _embedding_parameters(model: Any) -> int:
    if hasattr(model, "module"):
        tables = {id(part.weight): part.weight.numel() for part in model.module.modules()
                  if type(part).__name__ == "Embedding"}  # fmt: skip
        return sum(tables.values())
    weights = {id(w): math.prod(w.shape) for layer in embeddings_of(model) for w in layer.weights}
    return sum(weights.values())


def _no_length_axis(received: str) -> RequestError:
    return RequestError(
        "The model has no length axis",
        received=received,
        remedy="A model takes (batch, length) or (batch, length, width) of any length",
    )


def imported_beside(path: Path) -> list[str]:
    """Return the files of the imported modules that lie beside a file or below its folder."""
    installed = [Path(sys.prefix), Path(sys.base_prefix)]
    own = {"suite", "tasks", "baselines"}
    files = set()
    for name, module in list(sys.modules.items()):
        file = Path(getattr(module, "__file__", None) or path)
        is_installed = "site-packages" in file.parts or any(
            each in file.parents for each in installed
        )
        if path.parent in file.parents and not is_installed and name.partition(".")[0] not in own:
            files.add(str(file))
    return sorted(files - {str(path)})


def main(kind: str, place: str, form: str, file: str | Path) -> None:
    """Write the facts about a model to a file, or the problem with it."""
    try:
        with redirect_stdout(sys.stderr):  # a function may print
            content = describe(kind, place, form)
            if kind == "function":
                content["imported"] = imported_beside(Path(place.rpartition(":")[0]))
    except LengthwiseError as error:
        content = {"problem": str(error)}
    except Exception as error:
        received = f"{type(error).__name__}: {_in_short(error, 300)}"
        content = {"problem": f"The model cannot be called. Received: {received}"}
    atomic_write_bytes(Path(file), json.dumps(content).encode())
