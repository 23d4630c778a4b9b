"""The language modelling task: predict the next token.

A position is a character, or with `units=bytes` or `units=subwords` a byte or a subword. With
`units=preset` it is a token of a keras-hub preset, whose folder the option `preset` names. Each
split is one stream, cut into windows of the sequence length without overlap, so that every token is
predicted once. Each row of a batch continues the same row of the batch before. With the recipe
option `carry_state`, an architecture that can carries its state from batch to batch.

With the option `stretch`, a text is a set of documents instead of a stream. An update then sees the
same stretches of them at every sequence length: `tasks.language_modeling.stretches`.
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
from tasks.common.user_folders import FolderReader, folder_of

if TYPE_CHECKING:
    import numpy as np

    from tasks.common.tokenization import Tokenizer

DEFAULT_TFDS_NAME = "tiny_shakespeare"
HELD_OUT_SHARE = 0.05
"""The share of a single text that becomes the validation split, and likewise the test split."""
CONTEXT_MARGIN = 0.01
"""A context is long enough if a longer one lowers the loss by less than this share."""


class LanguageModeling(FolderReader, Task):
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
        "code": Source(
            summary="the Python files of eight pinned packages, fetched with pip",
            licence="the packages' own: Apache-2.0, BSD and MIT",
            citation="Django, mpmath, networkx, nltk, Pygments, SQLAlchemy, sympy, Twisted",
            redistributable=False,
        ),
        "files": Source(
            summary="your own: a text file, a folder of them, or one with train, validation, test",
            licence="your own",
            citation="your own",
            redistributable=False,
            argument="PATH",
            argument_required=True,
        ),
    }
    options = {"units": "characters", "vocabulary": 8_192, "preset": "", "stretch": 0}
    """`preset`: the folder of the keras-hub preset whose tokens are the units `preset`. `stretch`:
    the tokens of a document that every length sees in the same update; 0 for one stream."""
    open_options = frozenset({"preset"})
    recipe = Recipe(learning_rate=2e-3, weight_decay=0.1, validations=6)
    """Weight decay as in Brown et al. 2020, "Language Models are Few-Shot Learners", appendix B."""
    contiguous = True
    evaluation_lengths_supported = True
    hideable = (IDENTITY,)

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Check the options and the user's texts or the prepared data set; return a digest."""
        from tasks.common.options import check_range
        from tasks.common.preset_tokenizer import check_spaces_are_kept, digest_with_preset
        from tasks.common.units import check_tokenizer_options

        own = task_options(self, options)
        check_tokenizer_options(own)
        if own["units"] == "preset":
            check_spaces_are_kept(own["preset"])
        check_range(own, "stretch", 0)
        return digest_with_preset(self._inspect_source(request, own["stretch"]), own)

    def _inspect_source(self, request: SourceRequest, stretch: int) -> str | None:
        """Check the user's texts, the wheels or the prepared data set; return a digest."""
        if request.kind == "files":
            from tasks.language_modeling.documents import read_documents
            from tasks.language_modeling.stretches import hold_out_documents

            texts, _ = read_documents(request, DEFAULT_TFDS_NAME)
            if stretch:
                hold_out_documents(texts, stretch)
            return digest_paths(self.list_files(folder_of(request), {}))
        if request.kind == "code":
            from tasks.language_modeling.code_wheels import digest_wheels

            return digest_wheels(request)
        if request.kind == "tfds":
            from tasks.common.tfds import digest_prepared

            return digest_prepared(request.argument or DEFAULT_TFDS_NAME, request)
        return f"synthetic-{self.version}"

    def list_files(self, folder: Path, options: Options) -> list[Path]:
        """Return the documents of all splits."""
        from tasks.language_modeling.documents import find_texts

        return [path for paths in find_texts(folder).values() for path in paths]

    def unsupported_reason(self, sequence_length: int, options: Options) -> str | None:
        """Return that windows of this length do not fill a stretch, or None."""
        stretch = options["stretch"]
        if stretch and stretch % sequence_length:
            return f"cuts stretches of {stretch:,} tokens into windows, whose length must divide it"
        return None

    def unsupported_batch_reason(
        self, batch_size: int, sequence_length: int, options: Options
    ) -> str | None:
        """Return that a batch holds no whole number of stretches, or None."""
        stretch = options["stretch"]
        if stretch and batch_size * sequence_length % stretch:
            return f"draws whole stretches of {stretch:,} tokens, which must divide a batch"
        return None

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the texts, build the tokenizer from train and cut windows."""
        from tasks.common.sources import collect_facts
        from tasks.common.units import describe_tokenizer

        options = task_options(self, options)
        documents, source_facts = _read_splits(request, options["stretch"])
        tokenizer = _build_tokenizer(options, documents, request)
        splits = {
            split: _cut(split, documents, tokenizer, sequence_length, options)
            for split in ("train", "validation", "test")
        }
        facts = {
            "units": options["units"],
            "vocabulary_size": tokenizer.vocabulary_size,
            "vocabulary_fingerprint": tokenizer.fingerprint,
            "characters": {split: sum(map(len, texts)) for split, texts in documents.items()},
            **source_facts,
            **self.count_left_out(request, options),
        }
        if options["stretch"]:
            facts["stretches"] = {
                split: examples.num_tokens // options["stretch"]
                for split, examples in splits.items()
            }
            facts["documents_with_a_stretch"] = {
                split: int(examples.targets["document"].max()) + 1
                for split, examples in splits.items()
            }
        return TaskData(
            **splits,
            spec={
                "vocabulary_size": tokenizer.vocabulary_size,
                "unknown_id": tokenizer.unknown_id,
                # JSON has no bytes: each becomes the character of its number.
                "tokenizer": describe_tokenizer(tokenizer, options),
                "pieces": [piece.decode("latin-1") for piece in tokenizer.pieces()],
            },
            facts=collect_facts(self.sources[request.kind], documents, facts, tokenizer.given),
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
        options = task_options(self, options)
        documents, _ = _read_splits(request, options["stretch"])
        tokenizer = _build_tokenizer(options, documents, request)
        found = {
            split: _cut(split, documents, tokenizer, sequence_length, options)
            for split in ("validation", "test")
        }
        for split, examples in found.items():
            if examples.num_tokens < sequence_length:
                raise Unsupported(
                    f"the text of {split} has {examples.num_tokens:,} tokens, fewer than one "
                    f"window of {sequence_length:,}"
                )
        return found

    def draw_updates(
        self, train: Examples, batch_size: int, generator: np.random.Generator
    ) -> Iterator[np.ndarray] | None:
        """Yield the rows of each update if train is cut from stretches, as at every length."""
        if "stretch" not in train.targets:
            return None
        from tasks.language_modeling.stretches import draw_updates

        return draw_updates(train.targets, batch_size, generator)

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
        counts = real.sum(axis=0)
        by_position = nats.sum(axis=0) / np.maximum(counts, 1)
        # A split shorter than a window has no token at the last positions.
        seen = counts > 0
        ranges = [part for part in _ranges(len(seen)) if seen[part[1] : part[2]].any()]
        by_range = {
            name: float(by_position[low:high][seen[low:high]].mean()) for name, low, high in ranges
        }
        bits = {
            name: float(nats[:, low:high].sum() / np.log(2) / max(1, characters[low:high].sum()))
            for name, low, high in ranges
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
                **_score_recurrences(examples.targets, nats),
            },
        )

    def encode_raw(
        self, texts: Sequence[str], sequence_length: int, spec: Mapping[str, Any]
    ) -> Examples:
        """Cut each text into windows; `targets["text"]` is the index of a window's text.

        Raises:
            DataError: a text has fewer than two tokens, so there is no token to predict.
        """
        from tasks.common.units import tokenizer_of
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


def _score_recurrences(targets: Mapping[str, Any], nats: np.ndarray) -> dict[str, Any]:
    """Return the bits per character after tokens that recur from afar, and after all others."""
    import numpy as np

    if "after_far_recurrence" not in targets:
        return {}
    far, characters = np.asarray(targets["after_far_recurrence"]), targets["characters"]
    groups = {"after_far_recurrence": far, "others": ~far}
    return {
        "bits_per_character_by_recurrence": {
            name: float(nats[group].sum() / np.log(2) / max(1, characters[group].sum()))
            for name, group in groups.items()
        },
        "share_after_far_recurrence": float(far.mean()),
    }


def _effective_context_length(by_range: Mapping[str, float]) -> int:
    """Return the smallest context whose loss is within `CONTEXT_MARGIN` of the full context's."""
    starts = [int(name.split("-")[0]) for name in by_range]
    losses = list(by_range.values())
    threshold = losses[-1] * (1 + CONTEXT_MARGIN)
    for index, start in enumerate(starts):
        if all(loss <= threshold for loss in losses[index:]):
            return start
    return starts[-1]


def _read_splits(
    request: SourceRequest, stretch: int
) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Return the documents of all three splits, and facts about the source.

    Without stretches, the documents of a split are joined to one.
    """
    from tasks.language_modeling.documents import join, read_documents
    from tasks.language_modeling.stretches import hold_out_documents

    documents, facts = read_documents(request, DEFAULT_TFDS_NAME)
    if stretch:
        for split in ("validation", "test"):
            if split not in documents:
                facts[split] = "documents of train, drawn by their contents"
        return hold_out_documents(documents, stretch), facts
    texts = _hold_out_splits(join(documents), facts)
    return {split: [text] for split, text in texts.items()}, facts


def _build_tokenizer(
    options: Options, documents: Mapping[str, Sequence[str]], request: SourceRequest
) -> Tokenizer:
    from tasks.common.units import build_tokenizer

    return build_tokenizer(options, documents["train"], request)


def _cut(
    split: str,
    documents: Mapping[str, Sequence[str]],
    tokenizer: Tokenizer,
    length: int,
    options: Options,
) -> Examples:
    """Cut a split into windows of a length."""
    if not (stretch := options["stretch"]):
        from tasks.language_modeling.windows import cut_windows

        return cut_windows(documents[split][0], tokenizer, length)
    from tasks.language_modeling.stretches import MOST_HELD_OUT, cut_stretches, encode_documents

    return cut_stretches(
        encode_documents(split, documents[split], tokenizer, stretch),
        tokenizer,
        stretch,
        length,
        None if split == "train" else MOST_HELD_OUT,
        marks_recurrences=split != "train",
    )


def _hold_out_splits(texts: dict[str, str], facts: dict[str, Any]) -> dict[str, str]:
    """Cut missing splits off the end of train."""
    for split in ("test", "validation"):
        if split not in texts:
            length = max(1, round(HELD_OUT_SHARE * len(texts["train"])))
            texts[split] = texts["train"][-length:]
            texts["train"] = texts["train"][:-length]
            facts[split] = f"the last {length:,} characters of train"
    return texts


TASK = LanguageModeling()
