"""Their side of a case: a model of transformers in eager PyTorch, as its users run it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from tests.peers.cases import (
    BLOCK,
    CHUNK,
    CLIP_NORM,
    HASHES,
    IMAGE_SIZE,
    LEARNING_RATE,
    PATCH_SIZE,
    RANDOM_BLOCKS,
    THREADS,
    VOCABULARY_SIZE,
    WINDOW,
    Case,
)


def make(case: Case, features: dict[str, np.ndarray], labels: np.ndarray) -> tuple[Any, Any]:
    """Build the model; return functions for one inference step and one training step."""
    torch.manual_seed(0)
    torch.set_num_threads(THREADS)
    model = BUILDERS[case.architecture](case)
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


class _Tokens(nn.Module):
    """A transformers encoder with two classes per position."""

    def __init__(self, encoder: Any, width: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(width, 2)

    def forward(self, inputs: Any) -> Any:
        given = {"input_ids": inputs["token_ids"].long()}
        if "global_mask" in inputs:
            given["global_attention_mask"] = inputs["global_mask"].long()
        return self.head(self.encoder(**given).last_hidden_state)


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


BUILDERS = {
    "bert": _bert,
    "bigbird": _bigbird,
    "longformer": _longformer,
    "reformer": _reformer,
    "vit": _Images,
}
