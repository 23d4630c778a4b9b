"""Searches of learning rates over a known curve."""

from __future__ import annotations

import math

from suite.records.benchmark_sections import TuningSettings
from suite.search.learning_rate_search import (
    SuccessiveHalving,
)

SETTINGS = TuningSettings()


STRATEGY = SuccessiveHalving(SETTINGS.learning_rates, SETTINGS.seeds, steps=750, default_rate=1e-3)


def search(score, strategy=STRATEGY):
    """Run a search to its end; `score` maps a trial to its score, None if it diverged."""
    scores, waves = {}, []
    while wanted := strategy.next_trials(scores):
        assert len(set(wanted)) == len(wanted) and not set(wanted) & set(scores)
        scores |= {trial: score(trial) for trial in wanted}
        waves.append(wanted)
    return scores, waves


def peak_at(rate, diverges_from=math.inf):
    def score(trial):
        if trial.learning_rate >= diverges_from:
            return None
        return 0.9 - 0.1 * abs(math.log10(trial.learning_rate / rate))

    return score
