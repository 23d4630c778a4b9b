"""The list beside the answer: predicted costs, limits, abilities, and the trade-off."""

from __future__ import annotations

import dataclasses

import pytest

from dashboards.words import machine_texts
from tests.dashboards.site_records import draw, read_script
from tests.suite.analysis.diagnostic_records import trained
from tests.suite.analysis.test_site_choices import probed, scored

INTEL = "intel-r-xeon-r-processor-family-6-model-167-2-cores"
EPYCS = ("amd-epyc-family-25-model-1-2-cores", "amd-epyc-family-26-model-2-2-cores")
SCORES = {"vanilla": 0.5, "longformer": 0.7, "bert": 0.6}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A site of scores at 512, of probes from 512 to 2,048, and of a diagnostic."""
    folder = tmp_path_factory.mktemp("shortlist")
    runs = [
        scored(name, score, seed, length=512) for name, score in SCORES.items() for seed in (0, 1)
    ]
    probes = [one for name in SCORES for one in probed(name, (512, 1_024, 2_048))]
    solved = [
        trained("associative_recall", name, 0, accuracy, 64)
        for name, accuracy in (("vanilla", 1.0), ("longformer", 0.2))
    ]
    records = [dataclasses.replace(one, machine=INTEL) for one in [*runs, *probes, *solved]]
    draw(records, folder, is_home=True)
    return (folder,)


def test_the_list_has_quality_and_each_cost_as_measured_or_predicted(shown):
    tab = shown("task=ner&length=512", again=True)
    heads = tab.texts("table >> nth=0 >> th")
    assert heads[:3] == ["entry", "entity F1, measured", "Peak training memory, MiB"]
    first = tab.page.locator("table").first.locator("tbody tr").first
    assert "longformer" in first.text_content() and "512" in first.text_content()
    assert "predicted" not in first.text_content()
    titles = tab.texts("figure h3")
    assert titles[0] == (
        "Test entity F1 against peak training memory at length 512 · up and left is better"
    )


def test_another_length_is_predicted_and_says_so_in_words_colour_and_dash(shown):
    tab = shown("task=ner&length=6000&metric=training.peak_memory_bytes", again=True)
    answer = tab.answer()
    assert answer.startswith(
        "Training memory at 6,000 was not measured in these results; the closest predicted length "
        "follows. Named entity recognition, length 6,144. Predicted, not measured; best value"
    )
    assert "predictions have no ranks" in tab.texts(".answer + .note")[0]
    heads = tab.texts("table >> nth=0 >> th")
    assert "Peak training memory, predicted [90%], MiB" in heads
    lines = [
        trace
        for traces, _ in tab.plots()
        for trace in traces
        if (trace.get("name") or "").endswith(", predicted")
    ]
    assert lines and {trace["line"]["dash"] for trace in lines} == {"dot"}
    assert all("90% prediction interval" in trace["text"][0] for trace in lines)
    groups = tab.select("Length").locator("optgroup")
    marks = [group.get_attribute("label") for group in groups.all()]
    assert marks == ["Measured", "Predicted", "Asked"]


def test_a_length_beyond_the_predictions_is_not_guessed(shown):
    tab = shown("task=ner&length=1000000&metric=training.peak_memory_bytes")
    assert "length 8,192. Predicted" in tab.answer()
    assert "at 1,000,000 was not measured" in tab.answer()


def test_limits_leave_entries_out_with_their_reasons_and_the_address_holds_them(shown):
    tab = shown("task=ner&length=512", again=True)
    tab.page.locator(".limits summary").click()
    budget = tab.page.get_by_label("Memory budget, GiB")
    budget.fill("0.4")
    tab.redrawn_after(lambda: budget.press("Enter"))
    assert "No entry fits the limits" in tab.answer()
    assert not any(text.startswith("Length 512, ") for text in tab.texts("caption"))
    assert "longformer: Memory budget, GiB: 0.5, more than 0.4" in tab.texts("details li")
    budget.fill("1")
    tab.redrawn_after(lambda: budget.press("Enter"))
    tab.redrawn_after(tab.page.get_by_label("must recall").check)
    assert "length 512, within the limits. " in tab.answer()
    assert "vanilla" in tab.answer() and "gib=1" in tab.page.url and "recall=1" in tab.page.url
    reasons = tab.texts("details li")
    assert any("0 of 1 seeds solve Associative recall" in text for text in reasons)
    assert "bert: must recall: not known" in reasons


def test_machines_have_words_and_their_folder_stays_behind(shown, made):
    shown("task=ner&length=512")
    about = read_script(made[0] / "data" / "index.js")["comparisons"]
    assert {one["machine"] for one in about} == {"Intel Xeon, 2 cores"}
    assert any(INTEL in one["title"] for one in about)
    texts = machine_texts([INTEL, *EPYCS, "here"])
    assert texts[EPYCS[0]] == "AMD EPYC, 2 cores (family 25, model 1)"
    assert texts["here"] == "here"


def test_the_task_page_has_the_history_of_the_own_home(tab, tmp_path):
    records = [scored("vanilla", 0.5), scored("vanilla", 0.6, 1, "bbbbbbbbb", minutes=9_000)]
    draw(records, tmp_path / "home", is_home=True)
    tab.open(tmp_path / "home", "task.html")
    places = {title: place for place, title in enumerate(tab.texts("figure h3"))}
    traces, layout = tab.plots()[places["Test entity F1 over commits · higher is better"]]
    assert traces[0]["y"] == [0.5, 0.6]
    assert [place.split()[1] for place in traces[0]["x"]] == ["aaaaaaa", "bbbbbbb"]
    assert layout["xaxis"]["categoryarray"] == traces[0]["x"]
    draw(records, tmp_path / "published")
    tab.open(tmp_path / "published", "task.html")
    assert not any("over commits" in title for title in tab.texts("figure h3"))
