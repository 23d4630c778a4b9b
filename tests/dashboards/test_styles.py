"""The colours and symbols of the entries."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from dashboards.styles import (
    COLORS,
    DARK_GREY,
    GREY,
    KINDS,
    OTHER_COLORS,
    SHADES,
    SYMBOLS,
    style_entries,
)
from suite.matrix.registry import load_registry
from tests.dashboards.site_records import draw, entry, read_script


def pairs(**lines):
    """Return the pairs of an architecture and a line of it."""
    return [(architecture, line) for architecture, own in lines.items() for line in own]


def test_lines_of_one_architecture_share_a_symbol_and_differ_in_shade_or_dash():
    *bert, vit = style_entries(pairs(bert="abcdefghij", vit="v"))
    assert len({(line["color"], line["dash"], line["symbol"]) for line in (*bert, vit)}) == 11
    assert bert[0]["color"] != bert[1]["color"]
    assert {line["symbol"] for line in bert} == {bert[0]["symbol"]} != {vit["symbol"]}


def test_methods_on_one_architecture_differ_in_colour_and_keep_its_symbol():
    methods = [f"bert + method_{number:02}" for number in range(len(COLORS))]
    lines = style_entries(pairs(bert=["bert", *methods], vit=["vit", "vit + method_00"]))
    of = {line["name"]: line for line in lines}
    assert {of[name]["color"] for name in methods} == set(COLORS)
    assert {of[name]["symbol"] for name in methods} == {of["bert"]["symbol"]}
    # One method on two architectures: they differ in the symbol, and in the colour or the dash.
    one, other = of["bert + method_00"], of["vit + method_00"]
    assert one["symbol"] != other["symbol"]
    assert (one["color"], one["dash"]) != (other["color"], other["dash"])
    assert style_entries(pairs(bert=["bert"], vit=["vit"])) == [of["bert"], of["vit"]]


def test_a_plug_in_changes_no_style_of_what_is_built_in():
    built_in = {name: [name] for names in KINDS.values() for name in names}
    alone = style_entries(pairs(**built_in))
    beside = style_entries(pairs(**built_in, aaa=["aaa"], zzz=["zzz"]))
    assert [line for line in beside if line["name"] in built_in] == alone
    newcomers = {line["color"] for line in beside} - {line["color"] for line in alone}
    assert len(newcomers) == 2


def test_kinds_have_a_colour_and_controls_are_grey():
    architectures = load_registry(()).architectures.plugins
    kind_of = {name: kind for kind, names in KINDS.items() for name in names}
    assert kind_of.keys() == architectures.keys(), "a built-in architecture needs a kind"
    controls = {name for name, part in architectures.items() if part.control}
    assert set(KINDS["control"]) == controls
    lines = style_entries(pairs(**{name: [name] for name in kind_of}))
    colors = {kind_of[line["name"]]: line["color"] for line in lines}
    assert colors["control"] == GREY and len(set(colors.values())) == len(KINDS)
    assert all(line["color"] == colors[kind_of[line["name"]]] for line in lines)


def test_each_architecture_has_its_own_colour_and_symbol():
    built_in = [name for names in KINDS.values() for name in names]
    plugins = [f"plugin_{number:02}" for number in range(len(OTHER_COLORS) * len(SYMBOLS))]
    lines = style_entries(pairs(**{name: [name] for name in (*built_in, *plugins)}))
    assert len({(line["color"], line["symbol"]) for line in lines}) == len(lines)


def test_colours_do_not_depend_on_which_architectures_have_run(tmp_path):
    drawn = {}
    for names in (("vanilla", "longformer"), ("vanilla", "bert", "reformer")):
        site = tmp_path / names[1]
        site.mkdir()
        draw([entry(name, 128, f1=0.5, memory=1, speed=1) for name in names], site)
        for line in read_script(site / "data" / "index.js")["entries"]:
            drawn.setdefault(line["name"], set()).add((line["color"], line["symbol"]))
    assert len(drawn["vanilla"]) == 1
    assert len(set.union(*drawn.values())) == len(drawn) == 4


COLOR_VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]
    ),
    "deuteranopia": np.array(
        [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9690]]
    ),
    "tritanopia": np.array(
        [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9309, 0.1476], [0.0047, 0.6914, 0.3039]]
    ),
}
"""Matrices of Machado, Oliveira and Fernandes (2009) for linear RGB."""
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear_rgb(color):
    rgb = np.array([int(color[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(color, vision):
    """Return CIELAB coordinates of a colour as it is seen."""
    seen = TO_XYZ @ np.clip(COLOR_VISION[vision] @ linear_rgb(color), 0, 1)
    ratio = seen / np.array([0.9505, 1.0, 1.089])
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", COLOR_VISION)
def test_colours_differ_for_people_with_colour_blindness(vision):
    distances = {
        pair: np.linalg.norm(lab(pair[0], vision) - lab(pair[1], vision))
        for pair in combinations(COLORS, 2)
    }
    assert min(distances.values()) > 15, min(distances, key=distances.get)


@pytest.mark.parametrize("background", ["#FFFFFF", "#15171B"])
def test_colours_stand_out_on_light_and_dark_pages(background):
    behind = (TO_XYZ @ linear_rgb(background))[1]
    for color in (*COLORS, *SHADES, GREY, DARK_GREY):
        low, high = sorted([behind, (TO_XYZ @ linear_rgb(color))[1]])
        assert (high + 0.05) / (low + 0.05) > 2.2, color
