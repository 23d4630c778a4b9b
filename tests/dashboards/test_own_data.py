"""Runs on the user's own files are the first thing on the first page."""

from __future__ import annotations

import pytest

from tests.builders.records import with_fields
from tests.dashboards.site_records import draw, entry, trial


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A site of final runs on generated data, and of trials on own files."""
    folder = tmp_path_factory.mktemp("own")
    finals = [entry("vanilla", 128, seed, f1=0.9, memory=1.0, speed=1.0) for seed in range(3)]
    own = []
    for name, f1 in (("vanilla", 0.5), ("lstm", 0.6)):
        found = trial(name, 0, f1, source="files")
        command = "bench run --task ner --data files:… --steps 9"
        invocation = found.record.invocation.model_copy(update={"command": command})
        examples = {"examples": finals[0].record.reports["test"]["examples"]}
        reports = {"validation": {**found.record.reports["validation"], **examples}}
        own.append(with_fields(found, invocation=invocation, reports=reports))
    draw([*finals, *own], folder, is_home=True)
    draw([*finals, *own], folder / "published")
    return (folder,)


def test_own_data_come_first_as_trials_with_their_split(shown):
    tab = shown()
    assert tab.answer().startswith("Named entity recognition, length 128. No entry is ranked")
    assert "validation entity F1 0.500" in tab.answer(), "lstm is a control"
    (warning,) = tab.texts(".warning")
    assert warning.startswith("Trials on your data, scored on validation")
    assert "no final runs" not in tab.page.text_content("main")
    tables = tab.texts("table caption")
    assert any("Length 128" in caption for caption in tables)


def test_own_data_have_curves_examples_and_the_command_of_the_user(shown):
    tab = shown("", again=True)
    tab.page.wait_for_selector("body[data-loaded]")
    titles = [title.partition(" · ")[0] for title in tab.texts("figure h3")]
    assert "Validation entity F1" in titles[3:]
    assert "lives" in tab.page.locator("table", has_text="prediction").first.text_content()
    (note,) = (text for text in tab.texts("p.note") if "Your command" in text)
    assert "bench run --task ner --data files:… --steps 9" in note and "--seeds 0-2" in note
    assert "make bench" not in tab.page.text_content("main")


def test_the_results_on_other_data_are_one_choice_away(shown):
    tab = shown()
    names = tab.select("Results").locator("option").all_text_contents()
    assert len(names) == 2 and names[0] != names[1]


def test_published_results_on_files_of_others_do_not_come_first(tab, made):
    tab.open(made[0] / "published", "index.html")
    assert "F1 0.900" in tab.answer() and not tab.texts(".warning")
