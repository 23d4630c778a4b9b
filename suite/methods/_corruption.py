"""Objectives of pretraining on encoded texts: the corrupted inputs, and the tokens to predict.

Each function takes token ids (batch, n) and their mask, and draws from a NumPy generator. A row's
real positions come first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from suite.api import MASKS

MASKED_SHARE, RANDOM_SHARE = 0.8, 0.1
"""The shares of chosen tokens that become the mask, or a random token; the others stay."""
NUM_SENTINELS = 100
"""The number of token ids for spans (Raffel et al. 2020)."""

Arrays = dict[str, np.ndarray]
Corrupt = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Returns the corrupted tokens of a text, and the tokens to predict."""


def mask_tokens(
    token_ids: np.ndarray,
    padding_mask: np.ndarray,
    share: float,
    vocabulary_size: int,
    generator: np.random.Generator,
) -> tuple[Arrays, Arrays]:
    """Return features and targets of masked language modelling (Devlin et al. 2019, section 3.1).

    A share of each text's real positions is chosen, at least one. Chosen tokens become the id
    `vocabulary_size`, random tokens, or stay, by `MASKED_SHARE` and `RANDOM_SHARE`.
    `masked_positions` (batch, k), `ids` and `scored` list the chosen ones: k is the share of n, and
    shorter texts have fewer, and 0 in their other columns.
    """
    positions, scored = _choose(padding_mask, share, generator)
    ids = np.take_along_axis(token_ids, positions, axis=1)
    fate = generator.random(ids.shape)
    drawn = generator.integers(vocabulary_size, size=ids.shape)
    changed = np.where(fate < MASKED_SHARE + RANDOM_SHARE, drawn, ids)
    changed = np.where(fate < MASKED_SHARE, vocabulary_size, changed)
    corrupted = np.array(token_ids)
    np.put_along_axis(corrupted, positions, np.where(scored, changed, ids), axis=1)
    # A batch of short texts is cut: what is not scored is read at a position that every text has.
    positions = np.where(scored, positions, 0).astype(np.int32)
    return (
        {"token_ids": corrupted, "padding_mask": padding_mask, "masked_positions": positions},
        {"ids": ids, "scored": scored},
    )


def mask_words(
    features: Mapping[str, np.ndarray],
    id_feature: str,
    hide: Callable[[Arrays, np.ndarray], Mapping[str, Any]],
    share: float,
    generator: np.random.Generator,
) -> tuple[Arrays, Arrays]:
    """Return features and targets of masked language modelling where words have several features.

    Words are chosen as `mask_tokens` chooses tokens. By the same shares, `hide` hides a chosen word
    (of features and positions, (batch, n)), the word takes the features of another position of the
    batch, or stays. `ids` are those of the feature `id_feature`.
    """
    mask = features["padding_mask"]
    positions, scored = _choose(mask, share, generator)
    ids = np.take_along_axis(features[id_feature], positions, axis=1)
    fate = generator.random(ids.shape)
    hidden, random = (np.zeros_like(mask) for _ in range(2))
    np.put_along_axis(hidden, positions, scored & (fate < MASKED_SHARE), axis=1)
    is_random = (fate >= MASKED_SHARE) & (fate < MASKED_SHARE + RANDOM_SHARE)
    np.put_along_axis(random, positions, scored & is_random, axis=1)
    others = generator.choice(np.flatnonzero(mask), size=int(random.sum()))
    changed = {name: np.array(values) for name, values in features.items()}
    for name, values in features.items():
        if name not in MASKS:
            changed[name][random] = values.reshape(-1, *values.shape[2:])[others]
    positions = np.where(scored, positions, 0).astype(np.int32)
    features = {**hide(changed, hidden), "masked_positions": positions}
    return features, {"ids": ids, "scored": scored}


def _choose(
    candidates: np.ndarray, share: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Choose a share of each row's candidates, (batch, n): their positions, and which count."""
    length = candidates.shape[1]
    num_columns = max(1, int(np.rint(share * length)))
    real = candidates.sum(axis=1)
    counts = np.minimum(np.maximum(np.rint(share * real), 1), real)
    order = np.where(candidates, generator.random(candidates.shape), 2.0).argsort(axis=1)
    return order[:, :num_columns], np.arange(num_columns) < counts[:, None]


def mask_pairs(
    token_ids: np.ndarray,
    padding_mask: np.ndarray,
    share: float,
    vocabulary_size: int,
    generator: np.random.Generator,
) -> tuple[Arrays, Arrays]:
    """Return features and targets of masked tokens and next-sentence prediction (`join_halves`).

    The joint has the id `vocabulary_size` + 1, and is not masked. Its position is the last column
    of `masked_positions`. `follows` says whether the second piece follows the first, and `paired`
    whether the text has two pieces: (batch,).
    """
    joint = vocabulary_size + 1
    joined, mask, targets = join_halves(token_ids, padding_mask, joint, generator)
    is_joint = mask & (joined == joint)
    masked, token_targets = mask_tokens(joined, mask & ~is_joint, share, vocabulary_size, generator)
    joints = is_joint.argmax(axis=1).astype(np.int32)
    positions = np.concatenate([masked["masked_positions"], joints[:, None]], axis=1)
    features = {**masked, "padding_mask": mask, "masked_positions": positions}
    return features, {**token_targets, **targets}


def join_halves(
    token_ids: np.ndarray, padding_mask: np.ndarray, joint: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, Arrays]:
    """Return pairs of pieces of texts: joined tokens, their mask, and `follows` and `paired`.

    A text is cut in the middle, however short it is. With probability 0.5, its first half is
    followed by its second half, else by that of another text of the batch (Devlin et al. 2019,
    section 3.1, who cut a corpus of documents). The token `joint` is between the two; a text that
    fills all positions loses its last token to it. A text of one token stays as it is.
    """
    batch, length = token_ids.shape
    real = np.minimum(padding_mask.sum(axis=1), length - 1)
    paired = real > 1
    texts = np.flatnonzero(paired)
    source = np.arange(batch)
    if len(texts) > 1:
        shifts = generator.integers(1, len(texts), size=len(texts))
        others = texts[(np.arange(len(texts)) + shifts) % len(texts)]
        source[texts] = np.where(generator.random(len(texts)) < 0.5, texts, others)
    joined, mask = np.zeros_like(token_ids), np.zeros_like(padding_mask)
    first = -(-real // 2)
    for row in range(batch):
        parts = [token_ids[row][padding_mask[row]]]
        if paired[row]:
            second = token_ids[source[row], first[source[row]] : real[source[row]]]
            parts = [token_ids[row, : first[row]], [joint], second]
        tokens = np.concatenate(parts)
        joined[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = True
    return joined, mask, {"follows": source == np.arange(batch), "paired": paired}


def next_tokens(token_ids: np.ndarray, padding_mask: np.ndarray) -> tuple[Arrays, Arrays]:
    """Return features and targets of next-token prediction: a text's last token has no target."""
    ids = np.pad(token_ids[:, 1:], ((0, 0), (0, 1)))
    scored = padding_mask & np.pad(padding_mask[:, 1:], ((0, 0), (0, 1)))
    return {"token_ids": token_ids, "padding_mask": padding_mask}, {"ids": ids, "scored": scored}


def corrupt_spans(
    tokens: np.ndarray,
    share: float,
    mean_span: float,
    vocabulary_size: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a text whose spans are sentinels, and the spans (Raffel et al. 2020, section 3.1.4).

    Spans and the texts between them are random partitions. Sentinel i is the id
    `vocabulary_size` + i. It replaces span i, and precedes the span in the tokens to predict, after
    which one more sentinel ends them. There are at most `NUM_SENTINELS` sentinels: spans of a long
    text are longer.
    """
    length = len(tokens)
    num_hidden = min(max(round(length * share), 1), length - 1)
    # The target is no longer than the text.
    most = min(num_hidden, length - num_hidden - 1, NUM_SENTINELS - 1)
    num_spans = min(max(round(num_hidden / mean_span), 1), most)
    if num_spans < 1:  # a text of one or two tokens
        return tokens, np.array([vocabulary_size])
    source: list[Any] = []
    target: list[Any] = []
    start = 0
    kept_sizes = _partition(length - num_hidden, num_spans, generator)
    hidden_sizes = _partition(num_hidden, num_spans, generator)
    for index, (kept, hidden) in enumerate(zip(kept_sizes, hidden_sizes, strict=True)):
        sentinel = [vocabulary_size + index]
        source += [tokens[start : start + kept], sentinel]
        target += [sentinel, tokens[start + kept : start + kept + hidden]]
        start += kept + hidden
    target.append([vocabulary_size + num_spans])
    return np.concatenate(source), np.concatenate(target)


def infill(
    tokens: np.ndarray,
    share: float,
    mean_span: float,
    vocabulary_size: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a text whose spans are one mask each, and the whole text (Lewis et al. 2020, 2.2).

    The sizes of spans follow Poisson's distribution. A span of size 0 inserts a mask, as long as
    the text does not become longer. The mask is the id `vocabulary_size`.
    """
    num_hidden = min(max(round(len(tokens) * share), 1), len(tokens))
    sizes: list[int] = []
    while (left := num_hidden - sum(sizes)) > 0:
        size = min(int(generator.poisson(mean_span)), left)
        if size or len(sizes) + left < num_hidden:  # at most as many masks as hidden tokens
            sizes.append(size)
    num_kept = len(tokens) - num_hidden
    cuts = np.sort(generator.integers(num_kept + 1, size=len(sizes)))
    source, start, taken = [], 0, 0
    for cut, size in zip(cuts, sizes, strict=True):
        source += [tokens[start : start + cut - taken], [vocabulary_size]]
        start += cut - taken + size
        taken = cut
    return np.concatenate([*source, tokens[start:]]), tokens


def fill_pairs(
    token_ids: np.ndarray, padding_mask: np.ndarray, start_id: int, corrupt: Corrupt
) -> tuple[Arrays, Arrays]:
    """Return features and targets of an encoder-decoder that predicts what `corrupt` returns."""
    source, next_ids = (np.zeros_like(token_ids) for _ in range(2))
    source_mask, target_mask = (np.zeros_like(padding_mask) for _ in range(2))
    for row, (ids, mask) in enumerate(zip(token_ids, padding_mask, strict=True)):
        pair = corrupt(ids[mask])
        for tokens, into, real in zip(
            pair, (source, next_ids), (source_mask, target_mask), strict=True
        ):
            into[row, : len(tokens)] = tokens
            real[row, : len(tokens)] = True
    shifted = np.pad(next_ids[:, :-1], ((0, 0), (1, 0)), constant_values=start_id)
    features = {
        "token_ids": source,
        "padding_mask": source_mask,
        "target_ids": np.where(target_mask, shifted, 0).astype(token_ids.dtype),
        "target_mask": target_mask,
    }
    return features, {"ids": next_ids, "scored": target_mask}


def _partition(total: int, parts: int, generator: np.random.Generator) -> list[Any]:
    """Return sizes of at least 1 with a given sum, uniformly drawn."""
    cuts = np.sort(generator.choice(total - 1, parts - 1, replace=False)) + 1
    return list(np.diff([0, *cuts, total]))
