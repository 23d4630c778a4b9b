"""Packages that a cell does not use are hidden while it imports its framework."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from suite.worker import _hidden


def test_a_hidden_package_looks_as_if_it_were_not_installed(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with _hidden(["colorsys", "json"]):
        assert importlib.util.find_spec("colorsys") is None
        with pytest.raises(ModuleNotFoundError):
            import colorsys
        import json  # imported before, so it stays visible
    assert importlib.util.find_spec("colorsys") is not None
    import colorsys

    assert json and colorsys
