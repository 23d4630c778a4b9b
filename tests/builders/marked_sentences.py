"""Sentences with two marked entities, and tables of them."""

from __future__ import annotations

ROWS = [
    ("The <e1>fire</e1> was caused by <e2>bombs</e2>.", "Cause-Effect(e2,e1)"),
    ('An <e1>émoji 🎉</e1> "in" a <e2>box</e2>', "Content-Container(e1,e2)"),
    ("In the <e2>box</e2> a <e1>cat</e1>", "Content-Container(e1,e2)"),
    ("<e1>One</e1><e2>two</e2>", "Other"),
]


def write_table(path, rows, header=("text", "label")):
    lines = ["\t".join(row) for row in [header, *rows]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
