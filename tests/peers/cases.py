"""The compared cases: sizes, lengths, and the required ratios of ours to theirs.

The ratios are those to the better of eager and compiled PyTorch. A required ratio is a goal, which
a processor may miss: the table then says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from suite.api import Form

TOKENS_PER_BATCH = 8_192
VOCABULARY_SIZE = 8_000
THREADS = 2
LEARNING_RATE = 1e-4
CLIP_NORM = 1.0


@dataclass(frozen=True)
class Case:
    """One row of the table, with the required ratios (ours over theirs) of speed and memory."""

    architecture: str
    theirs: str
    sequence_length: int
    inference_floor: float
    training_floor: float
    memory_ceiling: float
    num_layers: int = 4
    width: int = 256
    num_heads: int = 4
    feedforward_width: int = 1024
    form: Form = Form.ENCODER

    @property
    def name(self) -> str:
        """Return the name of the case on the command line."""
        return f"{self.architecture}-{self.sequence_length}"

    @property
    def batch_size(self) -> int:
        """Return the number of sequences per batch; an encoder-decoder has as many targets."""
        return TOKENS_PER_BATCH // self.sequence_length


CASES = {
    case.name: case
    for case in (
        Case("bert", "transformers BERT", 512, 1.0, 1.0, 1.0),
        Case("bert", "transformers BERT", 4096, 1.0, 1.0, 1.0),
        Case("longformer", "transformers Longformer", 4096, 5.5, 4.8, 0.65),
        Case("bigbird", "transformers BigBird", 4096, 4.0, 4.0, 0.7),
        Case("reformer", "transformers Reformer", 4096, 3.3, 2.5, 0.42),
        Case("vit", "transformers ViT", 64, 1.0, 1.0, 1.0, 6, 192, 4, 768),
        Case("gpt", "transformers GPT-2", 512, 1.0, 1.0, 1.0, form=Form.DECODER),
        Case("gpt", "transformers GPT-2", 4096, 1.0, 1.0, 1.0, form=Form.DECODER),
        Case("gpt", "transformers GPT-2", 8192, 1.0, 1.0, 1.0, form=Form.DECODER),
        Case("llama", "transformers Llama", 4096, 1.0, 1.0, 1.0, form=Form.DECODER),
        Case("t5", "transformers T5", 512, 1.0, 1.0, 1.0, form=Form.ENCODER_DECODER),
        # Two layers of the model size are four blocks.
        Case("mamba2", "transformers Mamba-2", 4096, 2.5, 2.2, 0.6, 2, form=Form.DECODER),
        Case("gated_deltanet", "Qwen3-Next's layers", 4096, 1.8, 1.5, 0.8, form=Form.DECODER),
        Case("hybrid", "transformers Qwen3-Next", 4096, 1.2, 1.5, 1.0, form=Form.DECODER),
        Case("kimi_delta", "Kimi Linear's layers", 4096, 1.2, 1.5, 1.0, form=Form.DECODER),
        Case("griffin", "transformers RecurrentGemma", 4096, 1.2, 1.5, 1.0, form=Form.DECODER),
        Case("xlstm", "transformers xLSTM", 4096, 1.2, 1.5, 1.0, form=Form.DECODER),
        Case("modernbert", "transformers ModernBERT", 4096, 1.0, 1.0, 1.0),
    )
}
CONTEXT, GENERATED = 1_024, 128
"""The context and the tokens of a call of a generation, at batch 1."""
GENERATIONS = {
    f"generate-{name}": Case(name, theirs, CONTEXT, 2.0, 0.0, 0.0, layers, form=Form.DECODER)
    for name, theirs, layers in (
        ("gpt", "transformers GPT-2", 4),
        ("mamba2", "transformers Mamba-2", 2),
    )
}
"""The cases of generation: `inference_floor` is that of tokens a second."""
IMAGE_SIZE = 32
PATCH_SIZE = 4
WINDOW = 256
LOCAL_WINDOW = 128
GRIFFIN_WINDOW = 1_024
BLOCK = 64
RANDOM_BLOCKS = 3
CHUNK = 64
HASHES = 2
STATE = 64
HEAD_SIZE = 64
SIDES: dict[str, tuple[str, dict[str, bool]]] = {
    "ours": ("tests.peers.ours", {}),
    "theirs": ("tests.peers.theirs", {}),
    "compiled": ("tests.peers.theirs", {"compiled": True}),
}
"""The module of each side, and the options of its `make`."""
