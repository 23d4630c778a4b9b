"""The extractive question answering task: find the answer to a question in a context.

A position is a subword token. One sequence holds the question and the context, and every position
of the context is scored as the start and as the end of the answer. A context that does not fit
loses its end, whatever the answer. Training leaves out the questions whose answers are cut off;
evaluation counts them as wrong and reports their share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.api import (
    DataError,
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
    digest_paths,
    task_options,
)
from tasks.common.user_folders import FolderReader, folder_of

if TYPE_CHECKING:
    from tasks.question_answering.squad import Question, Questions

NUM_SHOWN = 200
MIN_LENGTH = 32
MIN_DISTANCE = 64
"""The least distance at which eight statements have room."""
MIN_TRAIN_EXAMPLES = 100
MAX_PEOPLE = 32


class QuestionAnswering(FolderReader, Task):
    """Mark the answer in the context; scored by exact match and F1 as SQuAD."""

    version = 1
    title = "Question answering"
    summary = "finds the answer to a question in a context"
    form = Form.ENCODER
    inputs = Inputs.TOKEN_IDS
    position = "a subword token"
    default_lengths = (128, 512, 2_048, 4_096)
    primary_metric = Metric("f1", share=True)
    other_metrics = (Metric("exact_match", share=True),)
    default_source = "synthetic"
    sources = {
        "synthetic": Source(
            summary="generated articles as long as the sequence, with statements anywhere in them",
            licence="Apache-2.0",
            citation="Lengthwise",
            redistributable=True,
            drawn_for_length=True,
        ),
        "tfds": Source(
            summary="a prepared data set with the features of squad (default: squad/v1.1)",
            licence="the data set's own; SQuAD's is CC BY-SA 4.0",
            citation="Rajpurkar et al. 2016, SQuAD: 100,000+ Questions for Machine Comprehension "
            "of Text; Rajpurkar et al. 2018, Know What You Don't Know",
            redistributable=False,
            argument="NAME",
        ),
        "files": Source(
            summary="your own: train*.json and dev*.json or test*.json in SQuAD's format",
            licence="your own",
            citation="your own",
            redistributable=False,
            argument="DIR",
            argument_required=True,
        ),
    }
    options = {"vocabulary": 16_384, "people": 2, "distance": 0, "train_examples": 4_096}
    """`people`: the number of people that a generated context tells about. `distance`: the least
    number of words between the question and a statement's answer in generated data; the most is
    less than twice as many, and 0 means any. `train_examples`: the number of generated ones."""
    raw_example = "a\ta"
    offers_all_classes = False  # the classes are the positions of a context
    recipe = Recipe(learning_rate=1e-3)
    """Trials on validation, `tiny`, seed 0, 128 positions, 128 steps of 16 examples: `vanilla` had
    an F1 of 0.48 with 1e-3 and 0.50 with 3e-3; `identity` had 0.11 with 1e-3."""
    scored_unit = "examples"
    max_global_tokens = 16

    def unsupported_reason(self, sequence_length: int, options: Options) -> str | None:
        """Reject lengths that hold no question with its context, or end before the distance."""
        if sequence_length < MIN_LENGTH:
            return f"needs lengths of at least {MIN_LENGTH}, for a question and its context"
        distance = options["distance"]
        if not distance:
            return None
        from tasks.question_answering.synthetic_articles import context_words  # imports NumPy

        if 2 * distance > context_words(sequence_length):
            longer = 2 * distance + sequence_length - context_words(sequence_length)
            return (
                f"needs lengths of at least {longer:,} for answers {distance:,} to "
                f"{2 * distance - 1:,} words after the question; lower `distance`, or choose a "
                "longer length"
            )
        return None

    def inspect(self, request: SourceRequest, options: Options) -> str | None:
        """Check the options and the user's files or the prepared data set; return a digest."""
        from tasks.common.options import check_range
        from tasks.common.units import check_tokenizer_options

        own = task_options(self, options)
        check_tokenizer_options(own)
        check_range(own, "people", 1, MAX_PEOPLE)
        check_range(own, "train_examples", MIN_TRAIN_EXAMPLES)
        if own["distance"] and own["distance"] < MIN_DISTANCE:
            raise RequestError(
                f"The option 'distance' must be 0 (any) or at least {MIN_DISTANCE}",
                received=own["distance"],
            )
        if request.kind == "files":
            from tasks.question_answering.squad import read_squad_folder

            folder = folder_of(request)
            read_squad_folder(folder)
            return digest_paths(self.list_files(folder, own))
        if request.kind == "tfds":
            from tasks.common.tfds import digest_prepared
            from tasks.question_answering.squad import DEFAULT_NAME

            return digest_prepared(request.argument or DEFAULT_NAME, request)
        return f"synthetic-{self.version}"

    def list_files(self, folder: Path, options: Options) -> list[Path]:
        """Return the file of each split."""
        from tasks.question_answering.squad import find_squad_files

        return list(find_squad_files(folder).values())

    def load(self, request: SourceRequest, sequence_length: int, options: Options) -> TaskData:
        """Read the questions, learn subwords from train, and encode.

        Raises:
            DataError: no answer of the training split fits into the sequence length.
        """
        from tasks.common.sources import collect_facts
        from tasks.common.subwords import learn_subwords
        from tasks.common.tokenization import Purpose
        from tasks.question_answering.spans import encode_questions

        own = task_options(self, options)
        questions, source_facts = _read_questions(request, sequence_length, own)
        train = questions["train"]
        texts = [*dict.fromkeys(question.context for question in train)]
        texts += [question.text for question in train]
        tokenizer = learn_subwords(texts, own["vocabulary"], request, Purpose.MARK)
        encoded = {
            split: encode_questions(asked, tokenizer, sequence_length, training=split == "train")
            for split, asked in questions.items()
        }
        if not encoded["train"].examples.num_examples:
            raise DataError(
                "At least one answer of train must be within the sequence length",
                received=f"a length of {sequence_length:,}, which cuts off all "
                f"{len(train):,} answers",
                remedy="Choose a longer length",
            )
        facts = {
            "vocabulary_size": tokenizer.vocabulary_size,
            "vocabulary_fingerprint": tokenizer.fingerprint,
            "unanswerable": {
                split: sum(not question.answers for question in asked)
                for split, asked in questions.items()
            },
            **{
                name: {split: getattr(part, name) for split, part in encoded.items()}
                for name in (
                    *("questions_cut", "contexts_cut"),
                    *("answers_cut", "answers_unreachable"),
                )
            },
            **source_facts,
            **self.count_left_out(request, own),
        }
        raw = {split: [question.raw for question in asked] for split, asked in questions.items()}
        evaluated = questions["validation"] + questions["test"]
        contexts = _contexts(evaluated)
        golds = [[text for text, _ in question.answers] for question in evaluated]
        of_validation = {
            "contexts": _contexts(questions["validation"]),
            "gold_answers": golds[: len(questions["validation"])],
        }
        return TaskData(
            encoded["train"].examples,
            _number(encoded["validation"].examples, questions["validation"], contexts, 0),
            _number(
                encoded["test"].examples,
                questions["test"],
                contexts,
                len(questions["validation"]),
            ),
            spec={
                "vocabulary_size": tokenizer.vocabulary_size,
                "tokenizer": tokenizer.state(),
                "unanswerable": any(facts["unanswerable"].values()),
                "contexts": contexts,
                "gold_answers": golds,
                "shown": [question.text for question in questions["test"][:NUM_SHOWN]],
            },
            sealed_spec={**of_validation, "shown": []},
            facts=collect_facts(self.sources[request.kind], raw, facts),
        )

    def raw_text(self, row: Mapping[str, Any], options: Options) -> str | None:
        """Return the columns `question` and `context` with a tab between them, or the text."""
        columns = {name.lower(): value for name, value in row.items()}
        asked, context = columns.get("question"), columns.get("context")
        if isinstance(asked, str) and isinstance(context, str):
            # The first tab ends the question.
            return asked.replace("\t", " ") + "\t" + context
        return super().raw_text(row, options)

    def encode_raw(
        self, texts: Sequence[str], sequence_length: int, spec: Mapping[str, Any]
    ) -> Examples:
        """Encode texts that are a question, a tab, and the context.

        Raises:
            DataError: a text is not a question and a context with a tab between them.
        """
        from tasks.common.subwords import SubwordTokenizer
        from tasks.question_answering.spans import encode_questions
        from tasks.question_answering.squad import split_raw

        questions = [split_raw(text, f"text {number}") for number, text in enumerate(texts, 1)]
        tokenizer = SubwordTokenizer.from_json(spec["tokenizer"])
        encoded = encode_questions(questions, tokenizer, sequence_length, training=False)
        return _number(encoded.examples, questions, _contexts(questions), 0)

    def readable(
        self, texts: Sequence[str], examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[Any]:
        """Return the answer to each question, "" for none."""
        from tasks.question_answering.scoring import extract_answers
        from tasks.question_answering.squad import split_raw

        contexts = _contexts(split_raw(text, "") for text in texts)
        return extract_answers(examples, predictions, {**spec, "contexts": contexts})

    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Build a linear layer that scores each position as the start and as the end."""
        from tasks.common.heads import PositionHead

        return PositionHead(2, name="span")

    def class_logits(self, outputs: Any, features: Mapping[str, Any]) -> Any:
        """Return the scores of the positions: (2 · batch, n), all starts before all ends."""
        from keras import ops

        from tasks.question_answering.spans import mask_scores

        scores = mask_scores(outputs, features)
        return ops.concatenate([scores[:, :, 0], scores[:, :, 1]], axis=0)

    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the mean cross-entropy of the start and of the end among the positions.

        Positions of the question and padding are no candidates.
        """
        from keras import ops

        from tasks.question_answering.spans import mask_scores

        scores = mask_scores(outputs, features)
        losses = [
            ops.sparse_categorical_crossentropy(
                targets[name], scores[:, :, index], from_logits=True
            )
            for index, name in enumerate(("start", "end"))
        ]
        return ops.mean(ops.stack(losses))

    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the best span of each example, and whether there is no answer: (batch, 3)."""
        from tasks.question_answering.spans import best_spans

        return best_spans(outputs, features)

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Score the text of each span by exact match and F1."""
        from tasks.question_answering.scoring import score_answers

        return score_answers(examples, predictions, spec)

    def predict_trivial(self, train: Examples, examples: Examples, spec: Mapping[str, Any]) -> Any:
        """Return no answer for each question."""
        import numpy as np

        return np.tile(np.array([0, 0, 1], np.int32), (examples.num_examples, 1))

    def show(
        self, examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[ExamplePrediction]:
        """Return the first test questions, without their contexts."""
        from tasks.question_answering.scoring import show_answers

        return show_answers(examples, predictions, spec)


def _read_questions(
    request: SourceRequest, sequence_length: int, options: Options
) -> tuple[Questions, dict[str, Any]]:
    """Return the questions of each split, and facts about the source."""
    if request.kind == "synthetic":
        from tasks.question_answering.synthetic_articles import draw_questions

        drawn = (options[name] for name in ("train_examples", "people", "distance"))
        return draw_questions(sequence_length, *drawn), {}
    if request.kind == "tfds":
        from tasks.question_answering.squad import read_data_set

        return read_data_set(request)
    from tasks.common.sources import replace_surrogates
    from tasks.question_answering.squad import read_squad_folder

    return replace_surrogates(read_squad_folder(folder_of(request)))


def _contexts(questions: Iterable[Question]) -> list[str]:
    """Return the contexts of questions, each once."""
    return list(dict.fromkeys(question.context for question in questions))


def _number(
    examples: Examples, questions: Sequence[Question], contexts: Sequence[str], first: int
) -> Examples:
    """Add the numbers of the questions, from `first` on, and those of their contexts."""
    import numpy as np

    numbers = {context: number for number, context in enumerate(contexts)}
    targets = {
        **examples.targets,
        "question": np.arange(first, first + len(questions), dtype=np.int32),
        "context": np.array([numbers[question.context] for question in questions], np.int32),
    }
    return Examples(examples.features, targets)


TASK = QuestionAnswering()
