"""Backbones of keras-hub, at a model size with random weights, or from a preset folder.

Watson et al. 2024, "KerasHub".
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs

AUTO = "auto"


@dataclass(frozen=True)
class Kind:
    """The properties of a backbone of keras-hub.

    `feedforward` is the width of its feed-forward network relative to the model size's. Gated ones
    have three matrices, and are narrower to keep parity. With rotary positions, the head size must
    be a multiple of `head_multiple`. `learned_positions` end at the training length.
    """

    form: Form
    feedforward: float = 1.0
    head_multiple: int = 1
    learned_positions: bool = False


ENCODER = Kind(Form.ENCODER, learned_positions=True)
DECODER = Kind(Form.DECODER)
LEARNED_DECODER = Kind(Form.DECODER, learned_positions=True)
GATED_DECODER = Kind(Form.DECODER, 2 / 3, head_multiple=2)
BACKBONES: Mapping[str, Kind] = {
    "albert": ENCODER,
    "bert": ENCODER,
    "deberta_v3": ENCODER,
    "distil_bert": ENCODER,
    "electra": ENCODER,
    "roberta": ENCODER,
    "xlm_roberta": ENCODER,
    "bloom": DECODER,
    "falcon": DECODER,
    "gpt2": LEARNED_DECODER,
    "opt": LEARNED_DECODER,
    "gpt_neo_x": Kind(Form.DECODER, head_multiple=8),  # it rotates a quarter of a head
    "gemma": Kind(Form.DECODER, 4 / 3, head_multiple=2),  # a gate has half of the width
    "llama": GATED_DECODER,
    "llama3": GATED_DECODER,
    "mistral": GATED_DECODER,
    "phi3": GATED_DECODER,
    "qwen": GATED_DECODER,
    "qwen3": GATED_DECODER,
}
DEFAULTS = {Form.ENCODER: "bert", Form.DECODER: "llama3"}
REMEDY = "install it with `pip install -e '.[hub]'`"


class KerasHub(Architecture):
    """A backbone of keras-hub: keras-hub's own layers, call and initial values.

    `backbone` names one of `BACKBONES`. The default `auto` is BERT as an encoder, and Llama 3 as a
    decoder. It has the model size and random weights, and as many key and value heads as query
    heads. ALBERT shares the weights of its layers, and so has fewer parameters than `vanilla`.

    `preset` is a folder that keras-hub's `save_to_preset` wrote. Its configuration and weights
    replace the model size. Its vocabulary must be at least as large as the task's. A task that has
    the option `preset` too encodes its texts with the tokenizer of this folder.

    Scores of all pairs are in memory. While decoding, each token computes all positions again.
    """

    version = 2
    title = "KerasHub"
    paper = "Watson et al. 2024, KerasHub"
    forms = frozenset({Form.ENCODER, Form.DECODER})
    inputs = frozenset({Inputs.TOKEN_IDS})
    claimed_time = "n^2"
    claimed_memory = "n^2"
    options = {"backbone": AUTO, "preset": ""}
    probe_only = True

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why backbone or preset cannot be used, or None. This does not load keras-hub."""
        if importlib.util.find_spec("keras_hub") is None:
            return f"needs keras-hub; received: an environment without it; {REMEDY}"
        name, folder = request.options["backbone"], request.options["preset"]
        if name not in (AUTO, *BACKBONES):
            return f"has the backbones {', '.join((AUTO, *BACKBONES))}; received: {name}"
        if folder:
            return _preset_problem(Path(folder).expanduser(), name, request)
        kind = BACKBONES[_name(request)]
        if kind.form is not request.form:
            fitting = [key for key, other in BACKBONES.items() if other.form is request.form]
            return (
                f"needs a backbone of the form {request.form}: {', '.join(fitting)}; "
                f"received: backbone={name}, of the form {kind.form}"
            )
        size, multiple = request.model_size, kind.head_multiple
        if size.width // size.num_heads % multiple:
            return (
                f"needs a head size that is a multiple of {multiple} for its rotary positions; "
                f"received: width={size.width}, num_heads={size.num_heads}"
            )
        return None

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return all parts: the layers are those of keras-hub."""
        from suite.api import Part

        return tuple(Part)

    def fixed_length_reason(self, request: BuildRequest) -> str | None:
        """Return why the positions end at the training length, or None if they extrapolate."""
        if request.options["preset"]:
            return "keeps to the training length with a preset, whose positions may end there"
        if BACKBONES[_name(request)].learned_positions:
            return f"builds the positions of {_name(request)} for its training length alone"
        return None

    def mixing_operations(self, request: BuildRequest) -> float | None:
        """Return the operations of full attention; None for a preset, which has its own size."""
        from baselines.layers.flops import full_attention_operations

        return None if request.options["preset"] else full_attention_operations(request)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the tokens (int32): each step computes all positions again."""
        return 4 * max_length

    def import_libraries(self) -> None:
        """Import keras-hub, which takes more memory than a small model."""
        import keras_hub  # noqa: F401

    def assemble(self, request: BuildRequest) -> Any:
        """Build the backbone, or load the preset."""
        from baselines.layers.hub_backbone import _HubBackbone, build_shape, load_preset

        if folder := request.options["preset"]:
            return _HubBackbone(load_preset(folder))
        name, size = _name(request), request.model_size
        shape: dict[str, Any] = dict.fromkeys(
            ("vocabulary_size", "vocab_size"), request.vocabulary_size
        )
        heads = ("num_heads", "num_attention_heads", "num_query_heads", "num_key_value_heads")
        shape |= dict.fromkeys(heads, size.num_heads)
        shape |= dict.fromkeys(("hidden_dim", "embedding_dim"), size.width)
        dropouts = ("dropout", "attention_dropout_rate", "feedforward_dropout_rate")
        shape |= dict.fromkeys(dropouts, request.dropout)
        shape |= {
            "num_layers": size.num_layers,
            "head_dim": size.width // size.num_heads,
            "intermediate_dim": round(size.feedforward_width * BACKBONES[name].feedforward),
            "max_sequence_length": request.sequence_length,
            "tie_word_embeddings": True,  # or there would be weights that no hidden state needs
        }
        return _HubBackbone(build_shape(name, shape))


def _name(request: BuildRequest) -> str:
    name = str(request.options["backbone"])
    return DEFAULTS[request.form] if name == AUTO else name


def _preset_problem(folder: Path, backbone: str, request: BuildRequest) -> str | None:
    """Return why a folder cannot be used as a preset for the request, or None."""
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        found, config = content["class_name"], content["config"]
    except (OSError, ValueError, KeyError, TypeError):
        return (
            "needs a preset folder, as keras-hub's `save_to_preset` writes it, with a config.json; "
            f"received: preset={folder}"
        )
    classes = {f"{name.replace('_', '')}backbone": name for name in BACKBONES}
    name = classes.get(str(found).lower())
    if name is None or backbone not in (AUTO, name):
        wanted = ", ".join(BACKBONES) if backbone == AUTO else backbone
        return f"needs a preset of {wanted}; received: preset={folder}, a {found}"
    if BACKBONES[name].form is not request.form:
        return f"needs a preset of the form {request.form}; received: preset={folder}, a {found}"
    longest = config.get("max_sequence_length", request.sequence_length)
    if longest < request.sequence_length:
        return (
            f"needs a preset of at least {request.sequence_length} positions; "
            f"received: preset={folder} with {longest}"
        )
    words = config.get("vocabulary_size", config.get("vocab_size", 0))
    if words < (request.vocabulary_size or 0):
        return (
            f"needs a preset with a vocabulary of at least {request.vocabulary_size}; "
            f"received: preset={folder} with {words}; save the tokenizer of the same model, or "
            "lower the task's option vocabulary"
        )
    return None


ARCHITECTURE = KerasHub()
