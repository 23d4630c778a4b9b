"""Cases of published implementations, and how their weights are read."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from keras import ops

from suite.api import BuildRequest, Form, Inputs, ModelSize
from suite.worker.conformance.gradients import tensors
from tests.architectures import ARCHITECTURES
from tests.builders.steps import part_stops

Weights = Mapping[str, np.ndarray]
TOLERANCE, LAYER_TOLERANCE, RELATIVE = 1e-4, 1e-3, 5e-5
"""The differences of outputs and of layers' outputs or states, and the least share of a value."""


PROJECTIONS = {
    "query": "q_proj", "key": "k_proj", "value": "v_proj", "output_projection": "o_proj"
}  # fmt: skip
NORMS = {"attention_norm": "input_layernorm", "feedforward_norm": "post_attention_layernorm"}
"""The usual names of the parts of attention, and of the norms before the parts of a layer."""


PREFIXES = (
    *("bert_encoder_", "bigbird_attention_", "encoder_decoder_", "gated_deltanet_"),
    *("gated_linear_attention_", "gpt_decoder_", "jamba_decoder_", "kimi_delta_attention_"),
    *("latent_attention_", "latent_decoder_", "linear_attention_", "linformer_", "llama_"),
    *("longformer_attention_", "mamba2_", "mamba3_", "mlstm_cell_", "modernbert_encoder_"),
    *("olmo_hybrid_decoder_", "performer_", "qwen3_next_decoder_", "recurrent_gemma_decoder_"),
    *("reformer_lsh_attention_", "rg_lru_block_", "rwkv7_decoder_", "rwkv7_time_mixing_", "t5_"),
    *("transformer_xl_", "vit_encoder_", "xlstm_decoder_"),
)
"""The beginnings of the names of all files, each of which a test reads."""


class Case(Mapping[str, np.ndarray]):
    """The arrays and settings of a file, and the names of those that were read."""

    def __init__(self, path: Path) -> None:
        self._arrays, self.read = dict(np.load(path)), set[str]()

    def __getitem__(self, name: str) -> np.ndarray:
        self.read.add(name)
        return self._arrays[name]

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


def cases(folder: Path, prefix: str) -> Iterator[tuple[str, Case]]:
    """Yield the cases of a prefix; a test must read all entries of a case before the next."""
    assert prefix in PREFIXES, f"add {prefix} to PREFIXES"
    paths = sorted(folder.glob(f"{prefix}*.npz"))
    assert paths, f"{folder} has no {prefix}*.npz"
    for path in paths:
        case = Case(path)
        yield path.name, case
        unread = sorted(case.keys() - case.read)
        assert not unread, f"{path.name} holds what no reader uses or compares: {unread}"


def replaced(case: Weights, **changes: object) -> Weights:
    """Return a case with other values of some names."""
    return ChainMap({name: np.asarray(value) for name, value in changes.items()}, case)


def require(case: Weights, path: str, **expected: object) -> None:
    """Fail if a setting has a value that our layer cannot express."""
    for name, value in expected.items():
        received = case[name].tolist()
        assert received == value, f"{path}: our layer has {name}={value} alone, not {received}"


def head_size(kernel: np.ndarray, num_heads: int) -> int:
    """Return the channels of a head, given the kernel of all heads: (all channels, in)."""
    assert len(kernel) % num_heads == 0, f"{len(kernel)} channels for {num_heads} heads"
    return len(kernel) // num_heads


def require_usual_heads(kernel: np.ndarray, path: str) -> None:
    """Fail unless all heads together are as wide as the model, as the published code requires."""
    inputs, outputs = kernel.shape
    assert inputs == outputs, f"{path}: our heads share the width of {inputs}, not {outputs}"


def count_layers(case: Weights, pattern: str) -> int:
    return sum(1 for index in range(99) if pattern.format(index) in case)


def assign(part, case: Weights, name: str, plus: float = 0.0, *, transposed: bool = True) -> None:
    """Assign the kernel of a dense layer or the γ of a norm, and a bias that both have."""
    weight, bias = case[f"{name}/weight"], f"{name}/bias"
    own = getattr(part, "bias" if hasattr(part, "kernel") else "beta", None)
    if hasattr(part, "kernel"):
        part.kernel.assign(weight.T if transposed else weight)
    else:
        part.gamma.assign(weight + plus)
    if own is not None and bias in case:
        own.assign(case[bias])


def assign_all(owner, case: Weights, at: str, plus: float = 0.0, **names: str) -> None:
    """Assign the parts of a layer, each from another name."""
    for ours, theirs in names.items():
        assign(getattr(owner, ours), case, f"{at}/{theirs}", plus)


def assemble(name: str, case: Weights, words: np.ndarray, num_layers: int, *,
             form: Form = Form.DECODER, wide: int | None = None, **options: object):  # fmt: skip
    """Return a model with the sizes of a case, which parity need not allow."""
    architecture, width = ARCHITECTURES[name], words.shape[1]
    request = BuildRequest(
        form,
        Inputs.TOKEN_IDS,
        ModelSize("case", num_layers, width, int(case["num_heads"]), wide or 4 * width),
        case["token_ids"].shape[1],
        {**architecture.defaults(options), **options},
        vocabulary_size=len(words),
    )
    return architecture.assemble(request)


def assign_convolution(convolution, case: Weights, at: str) -> None:
    """Assign the taps of each channel, of which the last is that of the position itself."""
    convolution.kernel.assign(case[f"{at}/weight"][:, 0].T)
    if convolution.bias is not None:
        convolution.bias.assign(case[f"{at}/bias"])


def assign_gates(network, case: Weights, at: str, names: str = "gate_proj up_proj") -> None:
    """Assign a layer whose gates and values have one kernel."""
    kernels = [case[f"{at}/{name}/weight"].T for name in names.split()]
    network.up_projection.kernel.assign(np.concatenate(kernels, axis=1))


def finish(
    model, case: Weights, final_norm: str = "norm", feedforward: str = "mlp", plus: float = 0.0
):
    """Build a decoder, whose mixers have their sizes, and assign what all its layers have."""
    stack = model.decoder
    for index, layer in enumerate(stack.layers):
        layer.gated.width = len(case[f"weights/layers/{index}/{feedforward}/up_proj/weight"])
        for norm in (layer.attention_norm, layer.feedforward_norm, stack.final_norm):
            norm.epsilon = float(case["norm_epsilon"])
    model.build(case["token_ids"].shape)
    model.decoder_embedding.tokens.embeddings.assign(case["weights/embed_tokens/weight"])
    assign(stack.final_norm, case, f"weights/{final_norm}", plus)
    for index, layer in enumerate(stack.layers):
        at = f"weights/layers/{index}/{feedforward}"
        assign_gates(layer.gated, case, at)
        assign(layer.gated.down_projection, case, f"{at}/down_proj")
    return stack.layers


def compare(found, expected: np.ndarray, name: str, mask=..., atol=TOLERANCE, rtol=RELATIVE):
    """Compare arrays, where a mask is true."""
    found = ops.convert_to_numpy(found)[mask]
    np.testing.assert_allclose(found, expected[mask], atol=atol, rtol=rtol, err_msg=name)


def compare_decoder(model, case: Weights, path: str) -> None:
    """Compare the outputs of each layer and of the model, at once and in steps."""
    ids = case["token_ids"].astype("int32")
    mask = np.ones(ids.shape, bool)
    if "padding_mask" in case:
        mask = case["padding_mask"].astype(bool)
    token_ids, padding = tensors(ids, mask)
    states = model.decoder_embedding(token_ids)
    for index, layer in enumerate(model.decoder.layers):
        states = layer(states, padding_mask=padding)
        expected, name = case["layer_outputs"][index], f"{path}, layer {index}"
        compare(states, expected, name, mask, LAYER_TOLERANCE)
    outputs, _ = model.decode(token_ids, padding_mask=padding)
    for found, name in (
        (model.decoder.final_norm(states), "layer by layer"),
        (outputs, "at once"),
        (decode_in_parts(model, ids), "in parts"),
    ):
        compare(found, case["outputs"], f"{path}, {name}", mask)


def compare_logits(outputs, kernel: np.ndarray, case: Weights, name: str, bias=0.0) -> None:
    """Compare the scores of tokens, which a head without a norm of its own has from outputs."""
    scores = ops.convert_to_numpy(outputs) @ kernel + bias
    if "logit_soft_cap" in case:
        cap = float(case["logit_soft_cap"])
        scores = cap * np.tanh(scores / cap)
    mask = np.ones(scores.shape[:2], bool)
    if "padding_mask" in case:
        mask = case["padding_mask"].astype(bool)
    np.testing.assert_allclose(
        scores[mask], case["logits"][mask], atol=1e-3, rtol=5e-5, err_msg=f"{name}, logits"
    )


def compare_matrix_memory(state, case: Weights, which: str, name: str) -> None:
    """Compare the state of an mLSTM: its memory beside its normaliser, and their scale."""
    memory, scale = state
    for found, part in (
        (memory[..., :-1], "memory"),
        (memory[..., -1], "normalizer"),
        (scale, "maximum"),
    ):
        expected = case[f"{which}_{part}"]
        compare(found, expected, f"{name}, {part}", atol=LAYER_TOLERANCE)


def decode_in_parts(model, token_ids, **encoded) -> np.ndarray:
    """Return the output of a decoder in parts."""
    batch, length = token_ids.shape
    state, found = model.init_state(batch, length), []
    for start, stop in pairwise([0, *part_stops(length)]):
        newest = ops.convert_to_tensor(token_ids[:, start:stop])
        states, state = model.decode(newest, state=state, position=start, **encoded)
        found.append(ops.convert_to_numpy(states))
    return np.concatenate(found, axis=1)


def assign_rg_lru(mixer, case: Weights, at: str) -> None:
    """Assign the weights of a recurrent block of Griffin."""
    for name, theirs in (("kernel", "weight"), ("bias", "bias")):
        parts = [case[f"{at}/linear_{part}/{theirs}"].T for part in "xy"]
        getattr(mixer.input_projection, name).assign(np.concatenate(parts, axis=-1))
    assign(mixer.output_projection, case, f"{at}/linear_out")
    assign_convolution(mixer.convolution, case, f"{at}/conv_1d")
    for ours, theirs in ((mixer.gate_kernel, "weight"), (mixer.gate_bias, "bias")):
        parts = [case[f"{at}/rg_lru/{gate}_gate_{theirs}"] for gate in ("input", "recurrent")]
        ours.assign(np.concatenate(parts, axis=-1))
    mixer.decay_bias.assign(case[f"{at}/rg_lru/recurrent_param"])
