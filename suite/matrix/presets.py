"""The grids, model sizes and budgets: the choices of `--preset` and `--model-size`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suite.api import ModelSize
from suite.api.errors import unknown_name

MODEL_SIZES: Mapping[str, ModelSize] = {
    size.name: size
    for size in (
        ModelSize("tiny", num_layers=2, width=128, num_heads=4, feedforward_width=512),
        ModelSize("mini", num_layers=4, width=128, num_heads=4, feedforward_width=512),
        ModelSize("small", num_layers=4, width=256, num_heads=4, feedforward_width=1024),
        ModelSize("base", num_layers=12, width=768, num_heads=12, feedforward_width=3072),
    )
}


@dataclass(frozen=True, slots=True)
class Preset:
    """A named grid and budget.

    A preset uses the first `num_lengths` of a task's default lengths, or all if it is None. A batch
    holds `tokens_per_batch` tokens at every length. `training_tokens` is the budget of a train
    cell. `time_limit_seconds` only serves to stop a cell that hangs.
    """

    name: str
    summary: str
    model_size: str
    num_lengths: int | None
    training_tokens: int
    tokens_per_batch: int
    seeds: tuple[int, ...]
    probe_lengths: tuple[int, ...]
    probe_tokens_per_batch: int
    probe_rounds: int
    time_limit_seconds: int


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="smoke",
            summary="one short length, seconds a cell: does everything work?",
            model_size="tiny",
            num_lengths=1,
            training_tokens=16_384,
            tokens_per_batch=1_024,
            seeds=(0,),
            probe_lengths=(128,),
            probe_tokens_per_batch=512,
            probe_rounds=1,
            time_limit_seconds=120,
        ),
        Preset(
            name="quick",
            summary="the task's lengths, one seed, under half a minute a cell: a first look",
            model_size="tiny",
            num_lengths=None,
            training_tokens=131_072,
            tokens_per_batch=2_048,
            seeds=(0,),
            probe_lengths=(128, 512, 2_048, 8_192),
            probe_tokens_per_batch=8_192,
            probe_rounds=3,
            time_limit_seconds=300,
        ),
        Preset(
            name="standard",
            summary="the task's lengths, three seeds, two to fifteen minutes a cell on one core",
            model_size="tiny",
            num_lengths=None,
            training_tokens=3_145_728,
            tokens_per_batch=2_048,
            seeds=(0, 1, 2),
            probe_lengths=(128, 256, 512, 1_024, 2_048, 4_096, 8_192),
            probe_tokens_per_batch=8_192,
            probe_rounds=3,
            time_limit_seconds=3_600,
        ),
        Preset(
            name="reach",
            summary="as good as a task gets on two cores: one or two lengths, minutes a cell",
            model_size="tiny",
            num_lengths=1,
            training_tokens=12_582_912,
            tokens_per_batch=4_096,
            seeds=(0, 1, 2),
            probe_lengths=(1_024, 4_096, 16_384),
            probe_tokens_per_batch=16_384,
            probe_rounds=5,
            time_limit_seconds=3_600,
        ),
    )
}
DEFAULT_PRESET = "quick"


def find_preset(name: str) -> Preset:
    """Return a preset.

    Raises:
        RequestError: the name is unknown.
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return PRESETS[name]


def find_model_size(name: str) -> ModelSize:
    """Return a model size.

    Raises:
        RequestError: the name is unknown.
    """
    if name not in MODEL_SIZES:
        raise unknown_name("model size", name, MODEL_SIZES)
    return MODEL_SIZES[name]
