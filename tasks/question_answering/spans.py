"""Encoding of questions with their contexts, and the best span of the context.

A sequence holds the start token, the question, the end token, and the beginning of the context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.api import Examples
from tasks.common.tokenization import END, START
from tasks.question_answering.scoring import normalize_answer

if TYPE_CHECKING:
    from tasks.common.subwords import SubwordTokenizer
    from tasks.question_answering.squad import Question

MAX_QUESTION_TOKENS = 64
MAX_ANSWER_TOKENS = 30
"""The longest question and answer, as in BERT's published code for SQuAD."""
GLOBAL_TOKENS = 16
"""The most global positions: the start token and the beginning of the question."""
MASKED_SCORE = -1e9


@dataclass(frozen=True, slots=True)
class EncodedQuestions:
    """Examples, and the numbers of questions, contexts and answers that the length cuts.

    `answers_unreachable` are the other questions of which no span of tokens is an answer: each
    begins or ends inside a token, or is longer than `MAX_ANSWER_TOKENS`.
    """

    examples: Examples
    questions_cut: int
    contexts_cut: int
    answers_cut: int
    answers_unreachable: int


def max_question_tokens(sequence_length: int) -> int:
    """Return the most tokens of a question that a sequence holds; the context gets half or more."""
    return min(MAX_QUESTION_TOKENS, sequence_length // 2 - 2)


def encode_questions(
    questions: Sequence[Question],
    tokenizer: SubwordTokenizer,
    length: int,
    *,
    training: bool,
) -> EncodedQuestions:
    """Encode questions; a context that does not fit loses its end.

    Training leaves out the questions whose answers are cut off. Evaluation keeps them, and no span
    can answer them. The cut never depends on the answer.

    Targets of all splits are `start` and `end` (examples,): the first and last position of an
    answer, or 0 and 0 for none. Evaluation also has `places` (examples, length, 2): the first
    character of the context that a position covers and the one after its last; `distance`
    (examples,): positions from the end of the question to the first answer of the uncut context,
    or 0 for none; `answer_cut` (examples,): whether all answers are cut off.
    """
    texts = list(dict.fromkeys(question.context for question in questions))
    contexts = dict(zip(texts, tokenizer.encode_with_places(texts), strict=True))
    most = max_question_tokens(length)
    asked_ids = tokenizer.encode([question.text for question in questions])
    kept = []
    questions_cut = contexts_cut = answers_cut = answers_unreachable = 0
    for question, asked in zip(questions, asked_ids, strict=True):
        ids, places = contexts[question.context]
        room = length - 2 - min(len(asked), most)
        spans = [_find_span(places, text, start) for text, start in question.answers]
        whole = [_is_whole(question, number, places, spans[number]) for number in range(len(spans))]
        fitting = [number for number, (_, last) in enumerate(spans) if last < room]
        chosen = max(fitting, key=whole.__getitem__, default=None)  # the first, if equal
        inside = None if chosen is None else spans[chosen]
        questions_cut += len(asked) > most
        contexts_cut += len(ids) > room
        is_cut = bool(spans) and inside is None
        answers_cut += is_cut
        answers_unreachable += chosen is not None and not whole[chosen]
        if not (training and is_cut):
            kept.append((asked[:most], ids[:room], places[:room], spans, inside))
    count = len(kept)
    features = {
        "token_ids": np.zeros((count, length), np.int32),
        "padding_mask": np.zeros((count, length), bool),
        "global_mask": np.zeros((count, length), bool),
    }
    targets = {name: np.zeros(count, np.int32) for name in ("start", "end")}
    if not training:
        targets["distance"] = np.zeros(count, np.int32)
        targets["answer_cut"] = np.zeros(count, bool)
        targets["places"] = np.zeros((count, length, 2), np.int32)
    for index, (asked, ids, places, spans, inside) in enumerate(kept):
        first = 2 + len(asked)
        stop = first + len(ids)
        features["token_ids"][index, 1:stop] = np.concatenate([asked, [END], ids])
        features["token_ids"][index, 0] = START
        features["padding_mask"][index, :stop] = True
        features["global_mask"][index, : min(GLOBAL_TOKENS, 1 + len(asked))] = True
        if inside is not None:
            targets["start"][index], targets["end"][index] = first + inside[0], first + inside[1]
        if not training:
            targets["distance"][index] = 1 + spans[0][0] if spans else 0
            targets["answer_cut"][index] = bool(spans) and inside is None
            targets["places"][index, first:stop] = places
    return EncodedQuestions(
        Examples(features, targets), questions_cut, contexts_cut, answers_cut, answers_unreachable
    )


def _find_span(places: np.ndarray, text: str, start: int) -> tuple[int, int]:
    """Return the first and last token that cover an answer."""
    first = int(np.searchsorted(places[:, 1], start, side="right"))
    last = int(np.searchsorted(places[:, 0], start + len(text), side="left")) - 1
    return first, max(first, last)


def _is_whole(question: Question, number: int, places: np.ndarray, span: tuple[int, int]) -> bool:
    """Return whether an answer equals the text of the tokens that cover it."""
    first, last = span
    covered = question.context[places[first, 0] : places[last, 1]]
    is_short = last - first < MAX_ANSWER_TOKENS
    return is_short and normalize_answer(covered) == normalize_answer(question.answers[number][0])


def mask_scores(outputs: Any, features: Any) -> Any:
    """Return the scores of starts and ends (batch, n, 2), very low where no answer can be.

    An answer is in the context. The scores of the first position are those of no answer (Devlin et
    al. 2019, section 4.3).
    """
    from keras import ops

    is_end = ops.cast(ops.equal(features["token_ids"], END), "int32")
    in_context = ops.greater(ops.cumsum(is_end, axis=1) - is_end, 0)
    is_first = ops.arange(outputs.shape[1]) == 0
    allowed = (in_context | is_first[None]) & features["padding_mask"]
    return ops.where(allowed[:, :, None], ops.cast(outputs, "float32"), MASKED_SCORE)


def best_spans(outputs: Any, features: Any) -> Any:
    """Return the best span of each example: (batch, 3) for scores (batch, n, 2).

    A span has at most `MAX_ANSWER_TOKENS` positions, all in the context. Its score is the sum of
    those of its start and its end. The result holds its first and last position, and 1 if the
    score of no answer is at least as high. Time and memory O(n · `MAX_ANSWER_TOKENS`).
    """
    from keras import ops

    scores = mask_scores(outputs, features)
    no_answer = scores[:, 0, 0] + scores[:, 0, 1]
    length, most = outputs.shape[1], min(MAX_ANSWER_TOKENS, outputs.shape[1] - 1)
    starts, ends = scores[:, 1:, 0], scores[:, 1:, 1]
    ends = ops.pad(ends, ((0, 0), (0, most - 1)), constant_values=MASKED_SCORE)
    sums = ops.stack(
        [starts + ends[:, offset : offset + length - 1] for offset in range(most)], axis=-1
    )
    flat = ops.reshape(sums, (-1, (length - 1) * most))
    best = ops.cast(ops.argmax(flat, axis=-1), "int32")
    first = 1 + best // most
    return ops.stack(
        [
            first,
            first + best % most,
            ops.cast(no_answer >= ops.max(flat, axis=-1), "int32"),
        ],
        axis=-1,
    )
