"""The language modelling task: predict the next token.

A position is a character, or with `units=bytes` or `units=subwords` a byte or a subword. With
`units=preset` it is a token of a keras-hub preset, whose folder the option `preset` names. Each
split is one stream, cut into windows of the sequence length without overlap, so that every token is
predicted once. Each row of a batch continues the same row of the batch before. With the recipe
option `carry_state`, an architecture that can carries its state from batch to batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.api import (
    IDENTITY,
    Examples,
    Form,
    Inputs,
    Metric,
    Options,
    Recipe,
    Score,
    Source,
    SourceRequest,
    Task,
    TaskData,
    Unsupported,
    digest_paths,
    task_options,
)

if TYPE_CHECKING:
    import numpy as np

DEFAULT_TFDS_NAME = "tiny_shakespeare"
HELD_OUT_SHARE = 0.05
"""The share of a single text that becomes the validation split, and likewise the test split."""
CONTEXT_MARGIN = 0.01
"""A context is long enough if a longer one lowers the loss by less than this share."""


class LanguageModeling(Task):
    """Predict the next token at every position."""

    version = 2
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
            summary="a generated language; each document has its own, recurring names",
            licence="Apache-2.0",
            citation="Lengthwise",
            redistributable=True,
        ),
        "tfds": Source(
            summary="a prepared data set with a feature 'text' (default: tiny_shakespeare)",
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
    options = {"units": "characters", "vocabulary": 8_192, "preset": ""}
    """`preset`: the folder of the keras-hub preset whose tokens are the units `preset`."""
    open_options = frozenset({"preset"})
    recipe = Recipe(learning_rate=2e-3, weight_decay=0.1, validations=6)
    """Weight decay as in Brown et al. 2020, "Language Models are Few-Shot Learners", appendix B."""
    contiguous = True
    evaluation_lengths_supported = True
    hideable = (IDENTITY,)

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Check the options and the user's texts or the prepared data set; return a digest."""
        from tasks.common.preset_tokenizer import check_spaces_are_kept, digest_with_preset
        from tasks.common.tokenization import check_tokenizer_options

        own = task_options(self, options)
        check_tokenizer_options(own)
        if own["units"] == "preset":
            check_spaces_are_kept(own["preset"])
        return digest_with_preset(self._inspect_source(request), own)

    def _inspect_source(self, request: SourceRequest) -> str | None:
        """Check the user's texts or the prepared data set; return a digest."""
        if request.kind == "files":
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
        """Read the texts, build the tokenizer from train and cut the streams into windows."""
        from tasks.common.sources import collect_facts
        from tasks.common.tokenization import build_tokenizer, describe_tokenizer
        from tasks.language_modeling.windows import cut_windows

        options = task_options(self, options)
        texts, source_facts = _read_texts(request)
        tokenizer = build_tokenizer(options, [texts["train"]], request)
        facts = {
            "units": options["units"],
            "vocabulary_size": tokenizer.vocabulary_size,
            "vocabulary_fingerprint": tokenizer.fingerprint,
            "characters": {split: len(text) for split, text in texts.items()},
            **source_facts,
        }
        raw = {split: [text] for split, text in texts.items()}
        return TaskData(
            **{
                split: cut_windows(text, tokenizer, sequence_length)
                for split, text in texts.items()
            },
            spec={
                "vocabulary_size": tokenizer.vocabulary_size,
                "unknown_id": tokenizer.unknown_id,
                # JSON has no bytes: each becomes the character of its number.
                "tokenizer": describe_tokenizer(tokenizer, options),
                "pieces": [piece.decode("latin-1") for piece in tokenizer.pieces()],
            },
            facts=collect_facts(self.sources[request.kind], raw, facts, tokenizer.given),
        )

    def load_evaluation(
        self,
        request: SourceRequest,
        sequence_length: int,
        options: Options,
        spec: Mapping[str, Any],
    ) -> Mapping[str, Examples]:
        """Cut validation and test into windows of an evaluation length.

        The tokenizer is built from train as for the training.

        Raises:
            Unsupported: a split is shorter than one window.
        """
        from tasks.common.tokenization import build_tokenizer
        from tasks.language_modeling.windows import cut_windows

        texts, _ = _read_texts(request)
        tokenizer = build_tokenizer(task_options(self, options), [texts["train"]], request)
        found = {
            split: cut_windows(texts[split], tokenizer, sequence_length)
            for split in ("validation", "test")
        }
        for split, examples in found.items():
            if examples.num_tokens < sequence_length:
                raise Unsupported(
                    f"the text of {split} has {examples.num_tokens:,} tokens, fewer than one "
                    f"window of {sequence_length:,}"
                )
        return found

    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Build a head that scores the next token at every position."""
        from tasks.common.heads import PositionHead

        return PositionHead(spec["vocabulary_size"])

    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the mean cross-entropy over real positions."""
        from tasks.common.losses import mean_where

        return mean_where(features["padding_mask"], self.predict(outputs, targets, features))

    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the cross-entropy of each next token, in nats."""
        from keras import ops

        losses = ops.sparse_categorical_crossentropy(targets["next_ids"], outputs, from_logits=True)
        return ops.cast(losses, "float32")

    def predict_trivial(self, train: Examples, examples: Examples, spec: Mapping[str, Any]) -> Any:
        """Return the nats of each next token by the frequencies of tokens in `train`.

        Each token counts once more, so that an unseen one has a probability.
        """
        import numpy as np

        seen = np.asarray(train.targets["next_ids"])[np.asarray(train.features["padding_mask"])]
        counts = np.bincount(seen, minlength=spec["vocabulary_size"]) + 1
        return -np.log(counts / counts.sum())[np.asarray(examples.targets["next_ids"])]

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Average the loss over the stream, and over each range of positions in the window."""
        import numpy as np

        real = np.asarray(examples.features["padding_mask"])
        nats = np.where(real, predictions, 0.0).astype(np.float64)
        per_token = nats.sum() / real.sum()
        characters = np.where(real, examples.targets["characters"], 0).sum(axis=0)
        by_position = nats.sum(axis=0) / np.maximum(real.sum(axis=0), 1)
        by_range = _average_ranges(by_position)
        bits = {
            name: float(nats[:, low:high].sum() / np.log(2) / max(1, characters[low:high].sum()))
            for name, low, high in _ranges(len(by_position))
        }
        return Score(
            {
                "bits_per_character": float(nats.sum() / np.log(2) / max(1, characters.sum())),
                "nats_per_token": float(per_token),
                "perplexity": float(np.exp(min(per_token, 100.0))),
                "effective_context_length": float(_effective_context_length(by_range)),
            },
            {
                "nats_by_position": by_range,
                "bits_per_character_by_position": bits,
                "scored_tokens": int(real.sum()),
            },
        )

    def encode_raw(
        self, texts: Sequence[str], sequence_length: int, spec: Mapping[str, Any]
    ) -> Examples:
        """Cut each text into windows; `targets["text"]` is the index of a window's text.

        Raises:
            DataError: a text has fewer than two tokens, so that none has another before it.
        """
        from tasks.common.tokenization import tokenizer_of
        from tasks.language_modeling.windows import cut_texts

        return cut_texts(texts, tokenizer_of(spec["tokenizer"]), sequence_length)

    def readable(
        self, texts: Sequence[str], examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[Any]:
        """Return the scores of each text: how well the model predicts it from its first token."""
        from tasks.language_modeling.windows import windows_of

        names = ("bits_per_character", "nats_per_token", "perplexity")
        found = []
        for index in range(len(texts)):
            windows, rows = windows_of(examples, index)
            metrics = self.score(windows, predictions[rows], spec).metrics
            found.append({name: metrics[name] for name in names})
        return found

    def prompts(self, examples: Examples, spec: Mapping[str, Any]) -> list[Sequence[int]]:
        """Return a long and a short prompt, one from the start and one from the middle."""
        from tasks.language_modeling.windows import choose_prompts

        return choose_prompts(examples)

    def text(self, token_ids: Sequence[int], spec: Mapping[str, Any]) -> str:
        """Return the text of token ids; bytes that make no character are replaced."""
        pieces = "".join(spec["pieces"][token] for token in token_ids)
        return pieces.encode("latin-1").decode("utf-8", "replace")


def _ranges(length: int) -> Iterator[tuple[str, int, int]]:
    """Yield name, start and end of the positions 0, 1, 2 to 3, 4 to 7, …: the context doubles."""
    low, high = 0, 1
    while low < length:
        last = min(high, length) - 1
        yield f"{low}-{last}" if last > low else f"{low}", low, high
        low, high = high, 2 * high


def _average_ranges(by_position: np.ndarray) -> dict[str, float]:
    """Average the loss over each range of positions."""
    ranges = _ranges(len(by_position))
    return {name: float(by_position[low:high].mean()) for name, low, high in ranges}


def _effective_context_length(by_range: Mapping[str, float]) -> int:
    """Return the smallest context whose loss is within `CONTEXT_MARGIN` of the full context's."""
    starts = [int(name.split("-")[0]) for name in by_range]
    losses = list(by_range.values())
    threshold = losses[-1] * (1 + CONTEXT_MARGIN)
    for index, start in enumerate(starts):
        if all(loss <= threshold for loss in losses[index:]):
            return start
    return starts[-1]


def _read_texts(request: SourceRequest) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the text of each split, and facts about the source."""
    if request.kind == "synthetic":
        from tasks.language_modeling.synthetic_language import draw_texts

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
        return _hold_out_splits(texts, dict(describe_prepared(name, request)))
    from tasks.common.sources import read_text
    from tasks.language_modeling.plain_text import find_texts

    paths = find_texts(Path(request.argument).expanduser())
    return _hold_out_splits({split: read_text(path) for split, path in paths.items()}, {})


def _hold_out_splits(
    texts: dict[str, str], facts: dict[str, Any]
) -> tuple[dict[str, str], dict[str, Any]]:
    """Cut missing splits off the end of train."""
    for split in ("test", "validation"):
        if split not in texts:
            length = max(1, round(HELD_OUT_SHARE * len(texts["train"])))
            texts[split] = texts["train"][-length:]
            texts["train"] = texts["train"][:-length]
            facts[split] = f"the last {length:,} characters of train"
    return texts, facts


TASK = LanguageModeling()
