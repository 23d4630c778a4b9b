"""Lengthwise's engine: it knows kinds of task and architecture, never one by name."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
