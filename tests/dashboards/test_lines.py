"""The colours and symbols of the lines."""

from __future__ import annotations

import pandas as pd

from dashboards.lines import COLORS, SYMBOLS, draw_lines
from tests.dashboards.site_records import draw, entry, read_script


def records_of(**lines):
    """Return a record frame with the given lines of each architecture."""
    pairs = [(architecture, line) for architecture, own in lines.items() for line in own]
    return pd.DataFrame(pairs, columns=["architecture", "line"])


def test_lines_of_one_architecture_share_a_symbol_and_differ_in_colour():
    bert_a, bert_b, bert_c, vit = draw_lines(records_of(bert="abc", vit="v"))
    assert len({line["color"] for line in (bert_a, bert_b, bert_c, vit)}) == 4
    assert bert_a["symbol"] == bert_b["symbol"] == bert_c["symbol"] != vit["symbol"]


def test_a_newcomer_is_drawn_by_the_rule_of_the_built_in_architectures():
    """Renaming all architectures, in their order, changes no colour and no symbol."""
    built_in = draw_lines(records_of(bert="a", longformer="b", vanilla="c"))
    newcomers = draw_lines(records_of(b_new="a", l_new="b", v_new="c"))
    for line, other in zip(built_in, newcomers, strict=True):
        assert (line["color"], line["symbol"]) == (other["color"], other["symbol"])


def test_each_architecture_has_its_own_colour_and_symbol():
    names = [f"architecture_{number}" for number in range(len(COLORS) * len(SYMBOLS))]
    lines = draw_lines(records_of(**{name: [name] for name in names}))
    assert len({(line["color"], line["symbol"]) for line in lines}) == len(names)


def test_colours_do_not_depend_on_which_architectures_have_run(tmp_path):
    drawn = {}
    for names in (("vanilla", "longformer"), ("vanilla", "bert", "reformer")):
        site = tmp_path / names[1]
        site.mkdir()
        draw([entry(name, 128, f1=0.5, memory=1, speed=1) for name in names], site)
        for line in read_script(site / "data" / "index.js")["lines"]:
            drawn.setdefault(line["name"], set()).add((line["color"], line["symbol"]))
    assert len(drawn["vanilla"]) == 1
    assert len(set.union(*drawn.values())) == len(drawn) == 4
