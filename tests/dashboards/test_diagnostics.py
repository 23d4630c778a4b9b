"""The page of diagnostics in a browser."""

from __future__ import annotations

import dataclasses
from urllib.parse import urlencode

import pytest

from tests.builders.records import stored
from tests.dashboards.site_records import SCRIPT, draw, read_script
from tests.suite.analysis.diagnostic_records import (
    by_length,
    decodings,
    extrapolation,
    language,
    recall,
    retrieval,
    states,
    trained,
)

PAGE = "diagnostics.html"


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """The folder of a site with every chart."""
    folder = tmp_path_factory.mktemp("diagnostics")
    draw(
        [
            *recall(more_pairs=True),
            *states(),
            *extrapolation(),
            *language(),
            *retrieval(),
            *decodings(),
        ],
        folder,
    )
    return folder


@pytest.fixture(scope="module")
def charts(full):
    """The charts in the order of the page."""
    sections = read_script(full / "data" / "diagnostics.js")["sections"]
    return [chart for section in sections for chart in section["charts"]]


def test_every_chart_says_what_is_better_and_has_its_intervals(tab, full, charts):
    tab.open(full, PAGE, again=True)
    assert tab.page.locator(".legend input:not(:checked)").count() == 0
    assert tab.texts("h2") == [
        "Recall against the decoding state",
        "State tracking",
        "Extrapolation beyond the training length",
        "Retrieval by depth",
        "Cost of decoding against the context",
        "Seeds that solve a task",
    ]
    assert len(charts) == 13
    assert all(" is better" in title for title in tab.texts("figure h3"))
    plots = tab.plots()
    for chart, (traces, layout) in zip(charts, plots, strict=True):
        assert layout["xaxis"]["title"]["text"]
        if chart["against"] == "depth":
            (trace,) = traces
            assert len(trace["z"]) == 10 and len(trace["z"][0]) == 2
            assert "[" not in trace["customdata"][1][0]
            continue
        found = {trace["name"]: trace for trace in traces if trace.get("name")}
        intervals = [trace for trace in traces if trace.get("fill") or trace.get("error_y")]
        certain = [low for line in chart["entries"] for _, _, low, *_ in line["points"] if low]
        assert not certain or intervals
        guesses = found["guess"]["y"] if "guess" in found else []
        assert sorted(guesses) == sorted(guess for _, guess in chart["guesses"])
        for line in chart["entries"]:
            if line["points"]:
                assert len(found[line["name"]]["y"]) == len(line["points"])
                shown = [
                    low if low is not None else value for _, value, low, _, _ in line["points"]
                ]
                assert not chart["share"] or layout["yaxis"]["range"][0] < min(shown)


def test_axes_have_multiples_of_the_training_length_and_units(tab, full, charts):
    tab.open(full, PAGE)
    names = [(one["title"], one["against"], one["measure"]) for one in charts]
    plots = dict(zip(names, tab.plots(), strict=True))
    recalled = "Associative recall"
    _, layout = plots[recalled, "state_bytes", "accuracy"]
    assert layout["xaxis"]["ticktext"] == ["2", "64", "128"]  # KiB
    _, layout = plots[recalled, "evaluation_length", "accuracy"]
    assert layout["xaxis"]["ticktext"] == ["64<br>1×", "256<br>4×", "1k<br>16×"]
    traces, layout = plots["decoder, batch 1", "context", "generation.step_seconds"]
    assert layout["yaxis"]["title"]["text"] == "Time per generated token, ms"
    assert {t["name"]: t["y"][0] for t in traces if t.get("name")} == pytest.approx(
        {"identity": 0.505, "mamba2": 1.01, "vanilla": 1.01}, rel=1e-3
    )
    traces, layout = plots["decoder, batch 1", "context", "generation.state_bytes"]
    (drawn,) = (trace["y"] for trace in traces if trace.get("name") == "identity")
    assert layout["yaxis"]["ticktext"][0] == "0"  # on a logarithmic axis
    assert drawn == [layout["yaxis"]["tickvals"][0]] * 3 and drawn[0] < 64
    captions = tab.texts("figcaption")
    assert any("vanilla: out_of_memory at 8,192." in text for text in captions)
    assert not any("identity:" in text for text in captions)
    assert sum("Test sequences: 1,000 at length 512" in text for text in captions) == 2
    assert not any("over a cell" in text for text in captions)
    assert sum("intervals cover the seeds alone" in text for text in captions) == 1
    (learned,) = (text for text in captions if "not applicable" in text)
    assert learned.count("vanilla (positions=learned): not applicable") == 1


def test_the_share_of_seeds_stands_beside_the_mean(tab, full):
    tab.open(full, PAGE)
    parity = tab.page.locator("h3", has_text=": parity").last
    table = parity.locator("xpath=following-sibling::div[1]")
    assert table.locator("caption").text_content() == "Solved at accuracy 0.99, test split"
    first, second = (
        row.locator("td").all_text_contents() for row in table.locator("tbody tr").all()
    )
    assert first[:4] == ["lstm", "40", "3", "0.833"]
    assert first[4:] == ["0.667 [0.208, 0.939]", "200", "40 (0 to 40)", "1.00"]
    assert second[4].startswith("0.000 [0.000, ") and second[5] == "not by half of the seeds"
    assert second[6] == "0" and second[3].startswith("0.510 [")
    assert len(table.locator("th").all()) == 8  # every run was completed


def test_an_entry_that_is_not_chosen_is_grey_has_no_map_and_stays_in_tables(tab, full):
    tab.open(full, PAGE, "entries=vanilla")
    traces = [trace for traces, _ in tab.plots() for trace in traces]
    assert {trace["name"] for trace in traces if trace.get("name")} == {"vanilla", "guess"}
    grey = [trace for trace in traces if "mamba2" in str(trace.get("text"))]
    assert grey and {trace["line"]["color"] for trace in grey} == {"#9a9a9a"}
    assert not any(title.startswith("mamba2") for title in tab.texts("figure h3"))
    assert "mamba2" in tab.texts("tbody td")


def test_the_page_of_a_task_says_what_its_intervals_cover(tab, full):
    titles = {
        about["task"]: about["title"]
        for about in read_script(full / "data" / "index.js")["comparisons"]
    }
    for task, covers in (
        ("induction_heads", "its 95% interval,"),
        ("language_modeling", "its 95% interval over seeds alone,"),
    ):
        tab.open(full, "task.html", urlencode({"comparison": titles[task]}))
        title = tab.page.locator("h3", has_text="after training at length")
        title.wait_for()
        caption = title.locator("xpath=ancestor::figure").locator("figcaption")
        assert covers in caption.text_content()


@pytest.mark.parametrize("width", [400, 1_300])
def test_the_page_is_no_wider_than_the_window(tab, full, width):
    tab.page.set_viewport_size({"width": width, "height": 800})
    tab.open(full, PAGE, again=True)
    tab.page.wait_for_function("w => document.documentElement.scrollWidth <= w", arg=width)


def test_without_data_a_section_names_the_command_and_trials_are_marked(drawn):
    trial = trained("duplication", "lstm", 0, 0.5, 64, benchmark=None, scores_test=False)
    cell = dataclasses.replace(trial.record.cell, evaluation_lengths=(128, 256))
    trial = stored(trial.record.model_copy(update={"cell": cell}))
    tab = drawn([trial], PAGE)
    commands = tab.texts("main p code")
    assert len(commands) == 5 and commands[-1] == "bench run --mode decode"
    assert all(command.startswith("bench run ") for command in commands)
    assert "Trials, not results" in tab.texts(".warning")[0]
    assert "0.500" in tab.texts("tbody td")


def test_names_and_reasons_never_become_markup(tab, tmp_path):
    reason = f"not applicable: {SCRIPT}"
    report = by_length()({128: 0.5})
    missed = by_length()({128: reason})
    draw(
        [
            trained("duplication", "lstm", 0, 1.0, 64, reports=missed),
            *(trained("duplication", "vanilla", seed, 1.0, 64, reports=report) for seed in (0, 1)),
            trained("duplication", "vanilla", 2, 1.0, 64, reports=missed),
        ],
        tmp_path,
    )
    tab.open(tmp_path, PAGE)
    assert f"lstm: {reason}." in tab.texts("figcaption")[0]
    tab.open(tmp_path, "index.html", "task=duplication&length=64")
    table = tab.page.locator("table", has_text="tested at 128")
    rows = [row.locator("td").all_text_contents() for row in table.locator("tbody tr").all()]
    tested = {row[0].rstrip(" 0123456789"): row[-1] for row in rows}  # without the notes' numbers
    notes = tab.texts(".footnotes li")
    assert tested["lstm"] == f"not applicable{notes.index(reason) + 1}"
    assert tested["vanilla"] == f"0.500{notes.index(f'1 of 3 seeds: {reason}') + 1}"
