"""Their side of a case: a model of transformers in PyTorch, eager or by `torch.compile`."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.peers.cases import (
    BLOCK,
    CHUNK,
    CLIP_NORM,
    GENERATED,
    GRIFFIN_WINDOW,
    HASHES,
    HEAD_SIZE,
    IMAGE_SIZE,
    LEARNING_RATE,
    LOCAL_WINDOW,
    PATCH_SIZE,
    RANDOM_BLOCKS,
    STATE,
    THREADS,
    VOCABULARY_SIZE,
    WINDOW,
    Case,
)


def make(
    case: Case, features: dict[str, np.ndarray], labels: np.ndarray, compiled: bool = False
) -> tuple[Any, Any]:
    """Build the model; return functions for one inference step and one training step.

    The optimizer is PyTorch's fused kernel, which `torch.compile` would not make faster.
    """
    torch.manual_seed(0)
    torch.set_num_threads(THREADS)
    model = BUILDERS[case.architecture](case)
    if compiled:
        model.compile(dynamic=False)
    inputs = {name: torch.from_numpy(value) for name, value in features.items()}
    answers = torch.from_numpy(labels.astype("int64"))
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, weight_decay=0.01, fused=True
    )

    def predict() -> Any:
        model.eval()
        with torch.inference_mode():
            return model(inputs).numpy()

    def train() -> float:
        model.train()
        optimizer.zero_grad(set_to_none=True)
        outputs = model(inputs)
        loss = nn.functional.cross_entropy(outputs.reshape(-1, 2), answers.reshape(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimizer.step()
        return float(loss)

    return predict, train


def make_generation(case: Case, context: np.ndarray) -> Any:
    """Build the model; return a function that times `GENERATED` tokens after a context, in seconds.

    `generate` reads the context in each call. The time of a call that generates one token is
    therefore subtracted from that of a call with `GENERATED` more.
    """
    torch.manual_seed(0)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", THREADS)))
    model = GENERATORS[case.architecture](case).eval()
    tokens = torch.from_numpy(context).long()

    def seconds_of(count: int) -> float:
        started = time.perf_counter()
        with torch.inference_mode():
            model.generate(
                tokens,
                attention_mask=torch.ones_like(tokens),
                max_new_tokens=count,
                min_new_tokens=count,
                do_sample=False,
                use_cache=True,
                pad_token_id=0,
            )
        return time.perf_counter() - started

    return lambda: seconds_of(GENERATED + 1) - seconds_of(1)


class _Tokens(nn.Module):
    """A model of transformers with two classes per position, or per position of the target."""

    def __init__(self, model: Any, width: int) -> None:
        super().__init__()
        self.model = model
        self.head = nn.Linear(width, 2)

    def forward(self, inputs: Any) -> Any:
        given = {"input_ids": inputs["token_ids"].long()}
        if "global_mask" in inputs:
            given["global_attention_mask"] = inputs["global_mask"].long()
        if "target_ids" in inputs:
            given["decoder_input_ids"] = inputs["target_ids"].long()
        return self.head(self.model(**given).last_hidden_state)


def _common(case: Case) -> dict[str, Any]:
    return {
        "vocab_size": VOCABULARY_SIZE,
        "hidden_size": case.width,
        "num_hidden_layers": case.num_layers,
        "num_attention_heads": case.num_heads,
        "intermediate_size": case.feedforward_width,
        "max_position_embeddings": case.sequence_length,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }


def _bert(case: Case) -> nn.Module:
    from transformers import BertConfig, BertModel

    config = BertConfig(**_common(case), attn_implementation="sdpa")
    return _Tokens(BertModel(config, add_pooling_layer=False), case.width)


def _longformer(case: Case) -> nn.Module:
    from transformers import LongformerConfig, LongformerModel

    common = _common(case)
    common["max_position_embeddings"] += 2  # their position ids start after the padding id
    config = LongformerConfig(**common, attention_window=[WINDOW] * case.num_layers)
    return _Tokens(LongformerModel(config, add_pooling_layer=False), case.width)


def _bigbird(case: Case) -> nn.Module:
    from transformers import BigBirdConfig, BigBirdModel

    config = BigBirdConfig(
        **_common(case),
        attention_type="block_sparse",
        block_size=BLOCK,
        num_random_blocks=RANDOM_BLOCKS,
    )
    return _Tokens(BigBirdModel(config, add_pooling_layer=False), case.width)


def _reformer(case: Case) -> nn.Module:
    from transformers import ReformerConfig, ReformerModel

    side = int(case.sequence_length**0.5)
    config = ReformerConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=case.width,
        num_attention_heads=case.num_heads,
        attention_head_size=case.width // case.num_heads,
        feed_forward_size=case.feedforward_width,
        attn_layers=["lsh"] * case.num_layers,
        lsh_attn_chunk_length=CHUNK,
        num_hashes=HASHES,
        num_buckets=2 * case.sequence_length // CHUNK,
        axial_pos_shape=(side, side),
        axial_pos_embds_dim=(case.width // 2, case.width // 2),
        max_position_embeddings=case.sequence_length,
        hidden_dropout_prob=0.0,
        lsh_attention_probs_dropout_prob=0.0,
        is_decoder=False,
    )
    return _Tokens(ReformerModel(config), 2 * case.width)


def _gpt2_config(case: Case, use_cache: bool = False) -> Any:
    from transformers import GPT2Config

    return GPT2Config(
        vocab_size=VOCABULARY_SIZE,
        n_positions=case.sequence_length + (GENERATED + 1 if use_cache else 0),
        n_embd=case.width,
        n_layer=case.num_layers,
        n_head=case.num_heads,
        n_inner=case.feedforward_width,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        use_cache=use_cache,
        attn_implementation="sdpa",
    )


def _gpt2(case: Case) -> nn.Module:
    from transformers import GPT2Model

    return _Tokens(GPT2Model(_gpt2_config(case)), case.width)


def _gpt2_generator(case: Case) -> Any:
    from transformers import GPT2LMHeadModel

    return GPT2LMHeadModel(_gpt2_config(case, use_cache=True))


def _llama(case: Case) -> nn.Module:
    from transformers import LlamaConfig, LlamaModel

    config = LlamaConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=case.width,
        intermediate_size=round(case.feedforward_width * 2 / 3),
        num_hidden_layers=case.num_layers,
        num_attention_heads=case.num_heads,
        max_position_embeddings=case.sequence_length,
        use_cache=False,
        attn_implementation="sdpa",
    )
    return _Tokens(LlamaModel(config), case.width)


def _t5(case: Case) -> nn.Module:
    from transformers import T5Config, T5Model

    config = T5Config(
        vocab_size=VOCABULARY_SIZE,
        d_model=case.width,
        d_kv=case.width // case.num_heads,
        d_ff=case.feedforward_width,
        num_layers=case.num_layers,
        num_decoder_layers=case.num_layers,
        num_heads=case.num_heads,
        dropout_rate=0.0,
        use_cache=False,
    )
    return _Tokens(T5Model(config), case.width)


def _mamba2_config(case: Case, use_cache: bool = False) -> Any:
    from transformers import Mamba2Config

    return Mamba2Config(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=case.width,
        num_hidden_layers=2 * case.num_layers,
        expand=2,
        num_heads=2 * case.width // HEAD_SIZE,
        head_dim=HEAD_SIZE,
        state_size=STATE,
        n_groups=1,
        use_cache=use_cache,
    )


def _mamba2(case: Case) -> nn.Module:
    from transformers import Mamba2Model

    return _Tokens(Mamba2Model(_mamba2_config(case)), case.width)


def _mamba2_generator(case: Case) -> Any:
    from transformers import Mamba2ForCausalLM

    return Mamba2ForCausalLM(_mamba2_config(case, use_cache=True))


def _qwen3_next(case: Case, layer_types: list[str], intermediate_size: int) -> nn.Module:
    """Qwen3-Next with dense feed-forward networks, and our sizes."""
    from transformers import Qwen3NextConfig, Qwen3NextModel

    assert (case.width, case.feedforward_width) == (256, 1024)  # ours are then as wide as these
    config = Qwen3NextConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=case.width,
        intermediate_size=intermediate_size,
        num_hidden_layers=case.num_layers,
        num_attention_heads=case.num_heads,
        num_key_value_heads=case.num_heads,
        head_dim=case.width // case.num_heads,
        linear_key_head_dim=64,
        linear_value_head_dim=128,
        linear_num_key_heads=3,
        linear_num_value_heads=3,
        num_experts=0,
        layer_types=layer_types,
        use_cache=False,
        attn_implementation="sdpa",
    )
    return _Tokens(Qwen3NextModel(config), case.width)


def _gated_deltanet(case: Case) -> nn.Module:
    """The linear layers alone."""
    return _qwen3_next(case, ["linear_attention"] * case.num_layers, 510)


def _hybrid(case: Case) -> nn.Module:
    """Three linear layers to one of attention; ours are 510, 510, 510 and 597 wide."""
    return _qwen3_next(case, ["linear_attention"] * 3 + ["full_attention"], 532)


def _kimi_delta(case: Case) -> nn.Module:
    """The linear layers of Kimi Linear alone, dense feed-forward networks, and our sizes."""
    from transformers import KimiLinearConfig, KimiLinearModel

    assert (case.width, case.feedforward_width) == (256, 1024)  # ours are then as wide as these
    config = KimiLinearConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=case.width,
        intermediate_size=596,
        num_hidden_layers=case.num_layers,
        num_attention_heads=case.num_heads,
        num_key_value_heads=case.num_heads,
        linear_head_dim=HEAD_SIZE,
        linear_num_heads=case.width // HEAD_SIZE,
        layer_types=["linear_attention"] * case.num_layers,
        mlp_layer_types=["dense"] * case.num_layers,
        use_cache=False,
        **_no_special_tokens(),
    )
    return _Tokens(KimiLinearModel(config), case.width)


def _griffin(case: Case) -> nn.Module:
    from transformers import RecurrentGemmaConfig, RecurrentGemmaModel

    assert (case.width, case.feedforward_width) == (256, 1024)
    config = RecurrentGemmaConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=case.width,
        intermediate_size=2 * 747,  # halved by the model; ours are 725, 725, 811 and 725 wide
        num_hidden_layers=case.num_layers,
        num_attention_heads=case.num_heads,
        num_key_value_heads=1,
        attention_window_size=GRIFFIN_WINDOW,
        use_cache=False,
        attn_implementation="sdpa",
    )
    return _Tokens(RecurrentGemmaModel(config), case.width)


def _xlstm(case: Case) -> nn.Module:
    from transformers import xLSTMConfig, xLSTMModel

    assert (case.width, case.feedforward_width) == (256, 1024)
    config = xLSTMConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=case.width,
        num_hidden_layers=case.num_layers,
        num_heads=case.num_heads,
        ffn_proj_factor=680 / case.width,  # ours are as wide
        ffn_round_up_to_multiple_of=8,
        mode="train",
        autocast_kernel_dtype="float32",
        use_cache=False,
    )
    return _Tokens(xLSTMModel(config), case.width)


def _modernbert(case: Case) -> nn.Module:
    from transformers import ModernBertConfig, ModernBertModel

    config = ModernBertConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=case.width,
        intermediate_size=round(case.feedforward_width * 2 / 3),
        num_hidden_layers=case.num_layers,
        num_attention_heads=case.num_heads,
        max_position_embeddings=case.sequence_length,
        local_attention=LOCAL_WINDOW,
        attn_implementation="sdpa",
        **_no_special_tokens(),
        cls_token_id=0,
        sep_token_id=0,
    )
    return _Tokens(ModernBertModel(config), case.width)


def _no_special_tokens() -> dict[str, int]:
    """Return ids within the vocabulary, where those of a published tokenizer are beyond it."""
    return dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), 0)


class _Images(nn.Module):
    """The ViT of transformers with two classes, read from the class token."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        from transformers import ViTConfig, ViTModel

        config = ViTConfig(
            image_size=IMAGE_SIZE,
            patch_size=PATCH_SIZE,
            hidden_size=case.width,
            num_hidden_layers=case.num_layers,
            num_attention_heads=case.num_heads,
            intermediate_size=case.feedforward_width,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            attn_implementation="sdpa",
        )
        self.encoder = ViTModel(config, add_pooling_layer=False)
        self.head = nn.Linear(case.width, 2)

    def forward(self, inputs: Any) -> Any:
        patches = inputs["patches"]  # (batch, rows · columns, height · width · channels)
        side = IMAGE_SIZE // PATCH_SIZE
        grid = patches.reshape(-1, side, side, PATCH_SIZE, PATCH_SIZE, 3)
        images = grid.permute(0, 5, 1, 3, 2, 4).reshape(-1, 3, IMAGE_SIZE, IMAGE_SIZE)
        return self.head(self.encoder(images).last_hidden_state[:, 0])


GENERATORS = {"gpt": _gpt2_generator, "mamba2": _mamba2_generator}
BUILDERS = {
    "bert": _bert,
    "bigbird": _bigbird,
    "gated_deltanet": _gated_deltanet,
    "gpt": _gpt2,
    "griffin": _griffin,
    "hybrid": _hybrid,
    "kimi_delta": _kimi_delta,
    "llama": _llama,
    "longformer": _longformer,
    "mamba2": _mamba2,
    "modernbert": _modernbert,
    "reformer": _reformer,
    "t5": _t5,
    "vit": _Images,
    "xlstm": _xlstm,
}
