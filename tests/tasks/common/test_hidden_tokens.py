"""Tests of word dropout."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.common.hidden_tokens import draw_hidden

SHARE = 0.15


@pytest.mark.parametrize("span", [1, 8])
def test_whole_spans_are_hidden_and_the_share_does_not_depend_on_the_span(span):
    mask = np.ones((400, 61), bool)
    mask[:, 50:] = False
    hidden = draw_hidden(mask, SHARE, np.random.default_rng(0), span)
    assert not hidden[:, 50:].any()
    for start in range(0, 48, span):
        part = hidden[:, start : start + span]
        assert (part == part[:, :1]).all()
    assert hidden[:, :50].mean() == pytest.approx(SHARE, abs=0.02)
