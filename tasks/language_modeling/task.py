"""Language modelling: what comes next?

A position is a character; with the options `units=bytes` or `units=subwords` it is one of those. A
split is one stream, cut into windows of the length without overlap, every token predicted once.
Rows of a batch go on from batch to batch, so an architecture with a memory has use of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.api import (
    Examples,
    Form,
    Inputs,
    Metric,
    Options,
    PresetOverride,
    Recipe,
    Score,
    Source,
    SourceRequest,
    Task,
    TaskData,
    task_options,
)

if TYPE_CHECKING:
    import numpy as np

    from tasks.common.text_units import Units

DEFAULT_TFDS_NAME = "tiny_shakespeare"
HELD_OUT_SHARE = 0.05
"""Of a single text, the part that validates and the part that tests."""
EFFECTIVE_MARGIN = 0.01
"""A context is long enough where what is beyond it lowers the loss by less than this share."""


class LanguageModeling(Task):
    """The next token at every position."""

    version = 1
    title = "Language modelling"
    summary = "predicts the next character of a text"
    form = Form.DECODER
    inputs = Inputs.TOKEN_IDS
    position = "a character (or a byte, or a subword token)"
    default_lengths = (64, 256, 512, 1_024)
    primary_metric = Metric("bits_per_character", higher_is_better=False)
    other_metrics = (
        Metric("nats_per_token", higher_is_better=False),
        Metric("perplexity", higher_is_better=False),
        Metric("effective_context_length"),
    )
    default_source = "synthetic"
    sources = {
        "synthetic": Source(
            summary="a generated language; each document has names of its own that come again",
            licence="Apache-2.0",
            citation="Lengthwise",
            redistributable=True,
        ),
        "tfds": Source(
            summary="a prepared data set with a feature 'text' (tiny_shakespeare where none named)",
            licence="the data set's own; tiny_shakespeare is in the public domain",
            citation="as the data set says; Karpathy 2015 for tiny_shakespeare",
            redistributable=False,
            argument="NAME",
        ),
        "files": Source(
            summary="your own: one text file, or a folder with train, validation and test",
            licence="your own",
            citation="your own",
            redistributable=False,
            argument="PATH",
            argument_required=True,
        ),
    }
    options = {"units": "characters", "vocabulary": 8_192}
    recipe = Recipe(learning_rate=2e-3, dropout=0.1, weight_decay=0.1, validations=6)
    contiguous = True
    preset_overrides = {
        "smoke": PresetOverride(budget=65_536, tokens_per_batch=1_024),
        "quick": PresetOverride(budget=393_216, tokens_per_batch=2_048, lengths=(64, 256)),
        # As many characters as nanoGPT's setting for a CPU: 2,000 steps of 12 × 64.
        "standard": PresetOverride(
            budget=1_536_000, tokens_per_batch=2_048, lengths=(64, 256, 1_024)
        ),
        "reach": PresetOverride(
            budget=6_000_000, tokens_per_batch=2_048, lengths=(256,), model_size="mini"
        ),
    }

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Read a user's texts to the end, look for a prepared data set, or do nothing."""
        from tasks.common.text_units import check_units

        check_units(task_options(self, options))
        if request.kind == "files":
            from suite.api.files import digest_paths
            from tasks.common.sources import read_text
            from tasks.language_modeling.plain_text import find_texts

            paths = find_texts(Path(request.argument).expanduser())
            for path in paths.values():
                read_text(path)
            return digest_paths(paths.values())
        if request.kind == "tfds":
            from tasks.common.tfds import digest_prepared

            return digest_prepared(request.argument or DEFAULT_TFDS_NAME, request)
        return f"synthetic-{self.version}"

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the texts, learn the units from train, cut the streams into windows."""
        from tasks.common.sources import describe
        from tasks.common.text_units import find_units

        options = task_options(self, options)
        texts, facts = _read(request)
        units = find_units(options["units"], [texts["train"]], request, options["vocabulary"])
        about = {
            "units": options["units"],
            "vocabulary_size": units.vocabulary_size,
            "vocabulary_fingerprint": units.fingerprint,
            "characters": {split: len(text) for split, text in texts.items()},
            **facts,
        }
        return TaskData(
            **{split: _encode(text, units, sequence_length) for split, text in texts.items()},
            spec={"vocabulary_size": units.vocabulary_size},
            facts=describe(
                self.sources[request.kind], {split: [text] for split, text in texts.items()}, about
            ),
        )

    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Score the next token at every position."""
        from tasks.common.heads import PositionHead

        return PositionHead(spec["vocabulary_size"])

    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Average the cross-entropy over the real tokens."""
        from keras import ops

        losses = self.predict(outputs, targets, features)
        real = ops.cast(features["padding_mask"], losses.dtype)
        return ops.sum(losses * real) / ops.maximum(ops.sum(real), 1.0)

    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Say how unlikely each next token was thought, in nats."""
        from keras import ops

        losses = ops.sparse_categorical_crossentropy(targets["next_ids"], outputs, from_logits=True)
        return ops.cast(losses, "float32")

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Average over the whole stream, and over each position of the window."""
        import numpy as np

        real = np.asarray(examples.features["padding_mask"])
        nats = np.where(real, predictions, 0.0).astype(np.float64)
        per_token = nats.sum() / real.sum()
        characters = int(np.asarray(examples.targets["characters"])[real].sum())
        by_position = nats.sum(axis=0) / np.maximum(real.sum(axis=0), 1)
        spans = _spans(by_position)
        return Score(
            {
                "bits_per_character": float(nats.sum() / np.log(2) / max(1, characters)),
                "nats_per_token": float(per_token),
                "perplexity": float(np.exp(min(per_token, 100.0))),
                "effective_context_length": float(_effective(spans)),
            },
            {"nats_by_position": spans, "scored_tokens": int(real.sum())},
        )


def _spans(by_position: np.ndarray) -> dict[str, float]:
    """Average the loss over positions 0, 1, 2 to 3, 4 to 7, …: how much is seen doubles."""
    found = {}
    low, high = 0, 1
    while low < len(by_position):
        last = min(high, len(by_position)) - 1
        name = f"{low}-{last}" if last > low else f"{low}"
        found[name] = float(by_position[low:high].mean())
        low, high = high, 2 * high
    return found


def _effective(spans: Mapping[str, float]) -> int:
    """Return the fewest tokens of context that do as well as all, but for a small share."""
    starts = [int(name.split("-")[0]) for name in spans]
    losses = list(spans.values())
    enough = losses[-1] * (1 + EFFECTIVE_MARGIN)
    for index, start in enumerate(starts):
        if all(loss <= enough for loss in losses[index:]):
            return start
    return starts[-1]


def _read(request: SourceRequest) -> tuple[dict[str, str], dict[str, Any]]:
    """Return each split as one text, and facts."""
    if request.kind == "synthetic":
        from tasks.common.synthetic_language import draw_texts

        return draw_texts(), {}
    if request.kind == "tfds":
        from tasks.common.tfds import describe_prepared, open_prepared, read_prepared

        name = request.argument or DEFAULT_TFDS_NAME
        builder = open_prepared(name, request)
        texts = {
            split: "\n".join(
                example["text"].decode("utf-8", "replace")
                for example in read_prepared(builder, split)
            )
            for split in ("train", "validation", "test")
            if split in builder.info.splits
        }
        return _complete(texts, dict(describe_prepared(name, request)))
    from tasks.common.sources import read_text
    from tasks.language_modeling.plain_text import find_texts

    paths = find_texts(Path(request.argument).expanduser())
    return _complete({split: read_text(path) for split, path in paths.items()}, {})


def _complete(
    texts: dict[str, str], facts: dict[str, Any]
) -> tuple[dict[str, str], dict[str, Any]]:
    """Cut the splits that a source lacks off the end of train."""
    for split in ("test", "validation"):
        if split not in texts:
            held = max(1, round(HELD_OUT_SHARE * len(texts["train"])))
            texts[split] = texts["train"][-held:]
            texts["train"] = texts["train"][:-held]
            facts[split] = f"the last {held:,} characters of train"
    return texts, facts


def _encode(text: str, units: Units, length: int) -> Examples:
    """Cut a stream into windows; the first token of all is only seen."""
    import numpy as np

    stream = units.encode([text])[0]
    characters = units.characters_of(stream)
    num_windows = max(1, -(-(len(stream) - 1) // length))
    room = num_windows * length

    def windows(values: np.ndarray) -> np.ndarray:
        laid = np.zeros(room, values.dtype)
        laid[: len(values)] = values
        return laid.reshape(num_windows, length)

    features = {
        "token_ids": windows(stream[:-1]),
        "padding_mask": windows(np.ones(len(stream) - 1, bool)),
    }
    return Examples(
        features, {"next_ids": windows(stream[1:]), "characters": windows(characters[1:])}
    )


TASK = LanguageModeling()
