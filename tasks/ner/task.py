"""The named entity recognition task: tag names of persons, places, organisations and others.

A position is a word. An example of length N is a window of consecutive sentences of a stream of
documents. At every length, each word of a split is in exactly one window, so a longer length adds
context and loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.api import (
    IDENTITY,
    SPELLING,
    ChangeWords,
    ExamplePrediction,
    Examples,
    Form,
    Inputs,
    Metric,
    Options,
    Recipe,
    RequestError,
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

    from tasks.ner.tagged_text import Corpus, TaggedText, Windows
    from tasks.ner.word_features import WordTables

NUM_SHOWN_WORDS = 1_000
"""The number of test words that `spec["shown"]` keeps."""
SPEC_OPTIONS = ("neighbour_convolution", "tag_chain")
"""The options that `spec` keeps."""

CONLL_CITATION = (
    "Tjong Kim Sang and De Meulder 2003, Introduction to the CoNLL-2003 Shared Task: "
    "Language-Independent Named Entity Recognition"
)


class NamedEntityRecognition(FolderReader, Task):
    """Tag words in IOB2; scored by entities, by the rules of conlleval."""

    version = 3
    title = "Named entity recognition"
    summary = "finds names in running text and their types"
    form = Form.ENCODER
    inputs = Inputs.EMBEDDINGS
    position = "a word"
    default_lengths = (128, 256, 512)
    primary_metric = Metric("entity_f1", share=True)
    default_source = "synthetic"
    sources = {
        "synthetic": Source(
            summary="generated documents; some types depend on a cue 1 to 960 words away",
            licence="Apache-2.0",
            citation="Lengthwise",
            redistributable=True,
        ),
        "tfds": Source(
            summary="CoNLL-2003 English, from prepared TensorFlow Datasets",
            licence="Reuters corpus: research use, no redistribution",
            citation=CONLL_CITATION,
            redistributable=False,
        ),
        "files": Source(
            summary="your own column files: train, validation, test; a word and its tag per line",
            licence="your own",
            citation="your own",
            redistributable=False,
            argument="DIR",
            argument_required=True,
        ),
    }
    options = {"neighbour_convolution": False, "tag_chain": False, "columns": False}
    """`neighbour_convolution`: whether the embedding of a word has a convolution over two words on
    either side. `tag_chain`: whether the head is a conditional random field instead of a linear
    layer. `columns`: whether a source's further annotations of a word, such as part of speech,
    become features."""
    open_options = frozenset(options)
    hideable = (IDENTITY, SPELLING)
    recipe = Recipe(learning_rate=1e-3)

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Check the options and the user's files or the prepared data set; return a digest."""
        own = task_options(self, options)
        if request.kind == "files":
            from tasks.ner.columns import check_columns, read_column_folder

            content = read_column_folder(folder_of(request))
            if own["columns"]:
                check_columns(content, folder_of(request))
            return digest_paths(self.list_files(folder_of(request), own))
        if request.kind == "tfds":
            from tasks.common.tfds import digest_prepared
            from tasks.ner.conll import NAME

            return digest_prepared(NAME, request)
        if own["columns"]:
            raise RequestError(
                "The option 'columns' needs a source with columns between word and tag",
                received="columns=True and generated words",
            )
        return f"synthetic-{self.version}"

    def list_files(self, folder: Path, options: Options) -> list[Path]:
        """Return the file of each split."""
        from tasks.ner.columns import find_column_files

        return list(find_column_files(folder).values())

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the corpus and cut its splits into windows."""
        from tasks.ner.word_features import assign_column_ids, build_word_tables

        own = task_options(self, options)
        corpus = _read_corpus(request, own["columns"])
        tables = build_word_tables(corpus.words, corpus.splits["train"].words)
        sizes = tables.sizes
        columns = {
            name: text.columns for name, text in corpus.splits.items() if text.columns is not None
        }
        if columns:
            columns, sizes["columns"] = assign_column_ids(columns)
        encoded = {
            name: _encode(text, tables, sequence_length, columns.get(name))
            for name, text in corpus.splits.items()
        }
        source = self.sources[request.kind]
        shown = corpus.splits["test"].words[:NUM_SHOWN_WORDS].tolist()
        return TaskData(
            **{name: examples for name, (examples, _) in encoded.items()},
            spec={
                "sizes": sizes,
                "names": dict(tables.names),
                "tags": list(corpus.tags),
                "shown": [corpus.words[word] for word in shown],
                **{name: own[name] for name in SPEC_OPTIONS},
            },
            sealed_spec={"shown": []},
            facts={
                "fingerprint": corpus.fingerprint(),
                "words": {name: len(text.words) for name, text in corpus.splits.items()},
                "examples": {
                    name: len(text.sentence_lengths) for name, text in corpus.splits.items()
                },
                "shared_with_train": corpus.count_shared_with_train(),
                "windows": {name: windows.num_windows for name, (_, windows) in encoded.items()},
                "sentences_cut": {
                    name: windows.split_sentences for name, (_, windows) in encoded.items()
                },
                "licence": source.licence,
                "citation": source.citation,
                "redistributable": source.redistributable,
                **corpus.facts,
                **self.count_left_out(request, own),
            },
        )

    def disturbance_reason(self, options: Options) -> str | None:
        """Return None: the spelling of a word is among its features."""
        return None

    def disturb(self, examples: Examples, change: ChangeWords, spec: Mapping[str, Any]) -> Examples:
        """Return windows with other words; a word of more than 16 characters lacks its middle."""
        from tasks.ner.raw_words import disturb_words

        return disturb_words(examples, change, spec["names"])

    def encode_raw(
        self, texts: Sequence[str], sequence_length: int, spec: Mapping[str, Any]
    ) -> Examples:
        """Encode sentences whose words are separated by spaces.

        Raises:
            Unsupported: the model reads columns, which a text lacks.
        """
        from tasks.ner.raw_words import encode_sentences

        if "columns" in spec["sizes"]:
            raise Unsupported("a model with columns=true does not tag plain words")
        sentences = [text.split() for text in texts]
        return encode_sentences(sentences, sequence_length, spec["names"])

    def readable(
        self, texts: Sequence[str], examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[Any]:
        """Return the tag of each word of each sentence."""
        import numpy as np

        found = []
        for index in range(len(texts)):
            rows = np.flatnonzero(examples.targets["text"] == index)
            real = examples.features["padding_mask"][rows]
            found.append([str(spec["tags"][tag]) for tag in predictions[rows][real].tolist()])
        return found

    def token_ids_of(self, spec: Mapping[str, Any]) -> tuple[str, int]:
        """Return the feature of a word's identity, and the number of words."""
        return "word_ids", spec["sizes"]["words"]

    def hide_tokens(
        self, features: Mapping[str, Any], hidden: Mapping[str, Any], spec: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Hide the identity of words. Without its spelling, a word has its shape and columns."""
        from tasks.common.hidden_tokens import replace_hidden
        from tasks.ner.word_features import UNKNOWN

        spelling = hidden[SPELLING]
        return {
            **features,
            "word_ids": replace_hidden(features["word_ids"], hidden[IDENTITY] | spelling, UNKNOWN),
            "affix_ids": replace_hidden(features["affix_ids"], spelling, UNKNOWN),
            "character_ids": replace_hidden(features["character_ids"], spelling, UNKNOWN),
        }

    def build_embedding(self, spec: Mapping[str, Any], width: int) -> Any:
        """Build an embedding of a word's identity, shape, affixes and characters."""
        from tasks.ner.word_embedding import WordEmbedding

        return WordEmbedding(spec["sizes"], width, neighbours=spec["neighbour_convolution"])

    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Build a linear layer that scores the tags of each word, or a chain of tags."""
        if not spec["tag_chain"]:
            from tasks.common.heads import PositionHead

            return PositionHead(len(spec["tags"]), name="tags")
        from tasks.ner.scoring import OUTSIDE
        from tasks.ner.tag_chain import TagChain

        return TagChain(len(spec["tags"]), spec["tags"].index(OUTSIDE), name="tags")

    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the negative log-likelihood of the gold tags per real word."""
        from keras import ops

        from tasks.common.losses import mean_where

        real = features["padding_mask"]
        if not _is_chain(outputs):
            losses = ops.sparse_categorical_crossentropy(targets["tags"], outputs, from_logits=True)
            return mean_where(real, losses)
        from tasks.ner.tag_chain import log_normalizer, path_score

        losses = log_normalizer(outputs) - path_score(outputs, targets["tags"], real)
        return ops.sum(losses) / ops.maximum(ops.sum(ops.cast(real, losses.dtype)), 1.0)

    def unclassed_reason(self, options: Options) -> str | None:
        """Return that a chain of tags has no classes of single words."""
        chain = "a chain of tags scores whole sequences; omit tag_chain"
        return chain if options["tag_chain"] else None

    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the most likely tag of each word, or the most likely sequence of tags."""
        from keras import ops

        if not _is_chain(outputs):
            return ops.argmax(outputs, axis=-1)
        from tasks.ner.tag_chain import best_path

        return best_path(outputs)

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Score entities over the stream that the windows form."""
        from tasks.ner.scoring import score_tags

        return score_tags(examples, predictions, spec)

    def predict_trivial(self, train: Examples, examples: Examples, spec: Mapping[str, Any]) -> Any:
        """Return no entity at all."""
        import numpy as np

        from tasks.ner.scoring import OUTSIDE

        return np.full(examples.targets["tags"].shape, spec["tags"].index(OUTSIDE))

    def show(
        self, examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[ExamplePrediction]:
        """Return the first test sentences, with the tag of each tagged word."""
        from tasks.ner.scoring import show_sentences

        return show_sentences(examples, predictions, spec)


def _is_chain(outputs: Any) -> bool:
    """Return whether outputs are the potentials of a chain, not the scores of single tags."""
    return len(outputs.shape) == 4


def _read_corpus(request: SourceRequest, with_columns: bool) -> Corpus:
    if request.kind == "files":
        from tasks.ner.columns import read_column_folder
        from tasks.ner.tagged_text import build_corpus

        folder = read_column_folder(folder_of(request))
        return build_corpus(
            folder.sentences,
            {**folder.facts, "neighbours": "sentences in the files' own order"},
            folder.columns if with_columns else None,
        )
    if request.kind == "tfds":
        from tasks.ner.conll import read_conll

        return read_conll(request, with_columns)
    from tasks.ner.synthetic_corpus import build_synthetic_corpus

    return build_synthetic_corpus()


def _encode(
    text: TaggedText, tables: WordTables, sequence_length: int, column_ids: np.ndarray | None
) -> tuple[Examples, Windows]:
    """Cut a split into windows; return its features and targets, and the windows."""
    from tasks.ner.tagged_text import pack_sentences, sentence_starts

    windows = pack_sentences(text.sentence_lengths, sequence_length)
    starts = windows.fill(sentence_starts(text.sentence_lengths))
    features = {
        "word_ids": windows.fill(tables.words[text.words]),
        "shape_ids": windows.fill(tables.shapes[text.words]),
        "affix_ids": windows.fill(tables.affixes[text.words]),
        "character_ids": windows.fill(tables.characters[text.words]),
        "sentence_starts": starts,
        "padding_mask": windows.mask(),
    }
    if column_ids is not None:
        features["column_ids"] = windows.fill(column_ids)
    targets = {"tags": windows.fill(text.tags), "sentence_starts": starts}
    if text.cue_distance is not None:
        targets["cue_distance"] = windows.fill(text.cue_distance)
    return Examples(features, targets), windows


TASK = NamedEntityRecognition()
