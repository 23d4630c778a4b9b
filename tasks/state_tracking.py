"""The state tracking task: follow a state through a sequence of its changes.

Four problems after Grazzi et al. 2025, "Unlocking State-Tracking in Linear RNNs Through Negative
Eigenvalues", section 5:

- `parity`: whether the number of ones among the bits so far is odd (section 5.1).
- `modular_arithmetic`: the value modulo 5 of digits joined by +, − and ×, without brackets, where ×
  binds more tightly (section 5.1; Delétang et al. 2023, "Neural Networks and the Chomsky
  Hierarchy", appendix A). The sign = asks for the value.
- `s3` and `s5`: the product of permutations of 3 or 5 objects (after section 5.2; Merrill et al.
  2024, "The Illusion of State in State-Space Models", section 5). A symbol is a permutation, and
  the state is their product, the latest on the left.

As in the paper, training mixes lengths from 3 up to the sequence length, 40; arithmetic has even
lengths, from 2. Training asks for every state, in arithmetic for the value before each sign. The
paper does so for the products. It asks for the last state alone in parity and arithmetic, in 20,000
steps of 256 sequences; the option `asked` selects that. Evaluation asks for the last state alone,
and its sequences have the full length, in arithmetic the largest even one. The paper mixes lengths
from 40 to 256 in one figure, and trains the products at up to 32 symbols. A position is a symbol.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import TYPE_CHECKING, Any

from suite.api import Examples, Metric, Options, Recipe, RequestError, Score
from tasks.common.generated import UNSCORED, Drawn, GeneratedSequences, published

if TYPE_CHECKING:
    import numpy as np

PROBLEMS = ("parity", "modular_arithmetic", "s3", "s5")
ASKED = ("every", "last")
SHORTEST = 3
MODULUS = 5
PLUS, MINUS, TIMES, EQUALS = range(MODULUS + 1, MODULUS + 5)
"""The token ids after those of the digits; 0 is padding."""


class StateTracking(GeneratedSequences):
    """Answer with the state after the last symbol."""

    version = 1
    title = "State tracking, up to 40 symbols"
    summary = "follows a state: parity, arithmetic, products of permutations"
    default_lengths = (40, 80)
    other_metrics = (Metric("scaled_accuracy"),)
    sources = published("Grazzi et al. 2025, Unlocking State-Tracking in Linear RNNs")
    options = {"problem": "parity", "asked": "every", "train_examples": 65_536}
    """`problem`: "parity", "modular_arithmetic", "s3" or "s5". `asked`: the states that training
    asks for, "every" or "last"."""
    recipe = Recipe(learning_rate=2e-3, dropout=0.0, weight_decay=0.0, validations=8)
    """Trials on validation, seed 0, `tiny`, parity at 40 symbols, 64 sequences a step. With every
    state asked, `lstm` (3e-3) reached 1.00 after 200 steps (27 s on one core), and 1.00 at 256
    symbols. `gated_deltanet` with negative eigenvalues (1e-3) reached 1.00 after 250 steps (62 s),
    and scored 0.97 at 80 and 0.51 at 256 symbols. With the last state alone, `lstm` stayed at
    chance for 300 steps of 128 sequences. The rate lies between those tried."""
    scored_unit = "examples"
    data_seed = 20_261_129

    def unsupported_reason(self, sequence_length: int, options: Options) -> str | None:
        """Reject lengths below the shortest sequence."""
        return None if sequence_length >= SHORTEST else f"needs lengths of at least {SHORTEST}"

    def check_options(self, options: Options) -> None:
        """Check the problem and the states that are asked for."""
        for name, choices in (("problem", PROBLEMS), ("asked", ASKED)):
            if options[name] not in choices:
                raise RequestError(
                    f"The option '{name}' must be one of {', '.join(choices)}",
                    received=options[name],
                )

    def describe(self, options: Options) -> dict[str, Any]:
        """Return the symbols of the problem and its states."""
        problem = options["problem"]
        if problem == "parity":
            symbols, classes = ["0", "1"], ["even", "odd"]
        elif problem == "modular_arithmetic":
            classes = [str(digit) for digit in range(MODULUS)]
            symbols = [*classes, "+", "−", "×", "="]
        else:
            symbols = classes = ["".join(map(str, element)) for element in group_of(problem)]
        return {
            "vocabulary_size": len(symbols) + 1,
            "symbols": ["_", *symbols],
            "classes": classes,
        }

    def draw(
        self,
        generator: np.random.Generator,
        count: int,
        sequence_length: int,
        options: Options,
        *,
        training: bool,
    ) -> Drawn:
        """Draw symbols, and the states after each; only training has shorter sequences."""
        import numpy as np

        problem = options["problem"]
        shortest = SHORTEST if training else sequence_length
        lengths = generator.integers(shortest, sequence_length + 1, size=count)
        if problem == "modular_arithmetic":
            lengths -= lengths % 2  # digits and signs alternate, up to the sign =
        token_ids, states = _draw_states(generator, count, sequence_length, problem)
        places = np.arange(sequence_length)[None, :]
        last = places == lengths[:, None] - 1
        if problem == "modular_arithmetic":
            token_ids[last] = EQUALS
        mask = places < lengths[:, None]
        asked = mask if training and options["asked"] == "every" else last
        return Drawn(np.where(mask, token_ids, 0), np.where(asked, states, UNSCORED), mask)

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Return the accuracy, and the accuracy scaled so that 0 is a guess and 1 is perfect.

        The scaled accuracy is (accuracy − g) / (1 − g) with g = 1 / the number of states (Grazzi et
        al. 2025, section 5.1; Beck et al. 2024, "xLSTM", section 4.1).
        """
        score = super().score(examples, predictions, spec)
        accuracy, guess = score.metrics["accuracy"], 1 / len(spec["classes"])
        assert accuracy is not None
        scaled = (accuracy - guess) / (1 - guess)
        return Score({**score.metrics, "scaled_accuracy": scaled}, score.reports)


def group_of(problem: str) -> list[tuple[int, ...]]:
    """Return the permutations of the group `s3` or `s5`, in lexicographic order."""
    return list(permutations(range(int(problem[1:]))))


def _draw_states(
    generator: np.random.Generator, count: int, length: int, problem: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return symbols, and the state after each or `UNSCORED`: two arrays (count, length)."""
    import numpy as np

    if problem == "parity":
        bits = generator.integers(2, size=(count, length))
        return bits + 1, bits.cumsum(axis=1) % 2
    if problem == "modular_arithmetic":
        return _draw_arithmetic(generator, count, length)
    elements = np.array(group_of(problem))
    index = {tuple(element): number for number, element in enumerate(elements.tolist())}
    products = np.array(
        [[index[tuple(left[right].tolist())] for right in elements] for left in elements]
    )
    drawn = generator.integers(len(elements), size=(count, length))
    states = np.empty_like(drawn)
    state = np.zeros(count, int)  # the first permutation is the identity
    for place in range(length):
        state = states[:, place] = products[drawn[:, place], state]
    return drawn + 1, states


def _draw_arithmetic(
    generator: np.random.Generator, count: int, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return digits and signs in turn, and at each sign the value of the expression before it.

    The value is a sum of finished terms plus the present term, which a × extends.
    """
    import numpy as np

    token_ids = generator.integers(1, MODULUS + 1, size=(count, length))
    token_ids[:, 1::2] = generator.integers(PLUS, TIMES + 1, size=token_ids[:, 1::2].shape)
    states = np.full((count, length), UNSCORED)
    finished, term = np.zeros(count, int), token_ids[:, 0] - 1
    for place in range(1, length):
        if place % 2:
            states[:, place] = (finished + term) % MODULUS
        else:
            sign, digit = token_ids[:, place - 1], token_ids[:, place] - 1
            extends = sign == TIMES
            finished = np.where(extends, finished, finished + term) % MODULUS
            started = np.where(sign == MINUS, -digit, digit)
            term = np.where(extends, term * digit, started) % MODULUS
    return token_ids, states


TASK = StateTracking()
