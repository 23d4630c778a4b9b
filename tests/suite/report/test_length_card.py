"""Length cards: what they say of measured and predicted costs, and their files."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from suite.analysis.cost_ratios import CostRatio
from suite.analysis.length_card import (
    Carried,
    CostCurve,
    EndedLength,
    LengthCard,
    Point,
    Profile,
    cheaper_text,
    make_profile,
    reach,
)
from suite.analysis.predictions import fit_cost
from suite.api import Mode, Status
from suite.matrix.request import Request
from suite.records.store import Store
from suite.report.length_card import draw, to_html, to_markdown
from suite.search.length_card import CardBudget, CardMeasuring, Subject
from tests.builders.length_costs import InstantRuns, costs_at


def profile_of(tmp_path, name="llama", up_to=8_192, longest=None, **costs):
    request = Request(
        mode=None, architectures=(name,), form="decoder", model_size="2x64x2", batch_size=1,
        methods=((),),
    )  # fmt: skip
    subject = Subject(name, request, (Mode.PROBE, Mode.DECODE))
    run = InstantRuns(**costs)
    CardMeasuring(Store(tmp_path / "home"), run, CardBudget(600, None, up_to)).measure(subject)
    return make_profile(name, list(subject.records.values()), longest)


def curve_of(costs, measure="inference.step_seconds"):
    points = [Point(length, cost, cost, cost, 1, False) for length, cost in costs.items()]
    return CostCurve(measure, points, fit_cost([*costs], [*costs.values()]))


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("card")
    own = profile_of(tmp_path, squared={"llama": 5e-8})
    other = profile_of(tmp_path, "gated_deltanet", squared={"gated_deltanet": 0.0})
    return LengthCard(own, [other], {"machine": "here"})


def test_the_parameters_are_those_of_the_probed_model(tmp_path):
    assert profile_of(tmp_path, up_to=256).parameters == 9_000  # not those of the decoding


def test_costs_between_and_beyond_the_measured_lengths_are_predicted(card):
    curve = card.profile.curves["inference.step_seconds"]
    assert curve.at(8_192)[1] == "measured"
    for length in (3_000, 30_000):
        prediction, kind = curve.at(length)
        true = costs_at(length, squared=5e-8)["step_seconds"]
        assert kind == "predicted" and prediction.low <= true <= prediction.high
        assert prediction.value == pytest.approx(true, rel=0.1)
    assert curve.at(4 * 8_192 + 1) is None
    low, high = curve.fit.squared_share
    assert 0.97 <= low <= high <= 1
    assert "of the inference time at 8,192 tokens grows with n²" in card.sentence


def test_few_lengths_do_not_tell_the_growth(tmp_path):
    profile = profile_of(tmp_path, up_to=512)  # and 128 and 256
    assert "grows with" not in profile.main_time.growth and profile.main_time.predictions
    assert (
        "measured at 3 lengths, which do not tell its growth"
        in LengthCard(profile, [], {}).sentence
    )


def test_the_longest_context_within_a_budget_says_whether_it_is_predicted(card):
    curve = card.profile.main_memory  # 20 MB, and 40 kB a token
    assert reach(curve, 4).or_more and reach(curve, 4).length == 4 * 8_192
    assert str(reach(curve, 4)) == "32,768 or more (predicted)"
    within = reach(curve, 1)
    assert within.length == pytest.approx((1e9 - 2e7) / 4e4, rel=0.1)
    assert (within.kind, within.or_more) == ("predicted", False)
    assert 8_192 <= within.low < within.length < within.high <= 4 * 8_192
    assert str(within).endswith(f" [{within.low:,}, {within.high:,}] (predicted)")
    longest = "the longest context is 32,768 or more (predicted) within 4 to 80 GB"
    assert longest in card.sentence


def test_a_budget_between_two_measured_lengths_ends_between_them(card):
    curve = card.profile.main_memory
    within = reach(curve, 0.15)
    assert within.length == pytest.approx((1.5e8 - 2e7) / 4e4, rel=0.1)
    assert (within.kind, within.or_more) == ("predicted", False)
    assert 2_048 <= within.low <= within.length <= within.high < 8_192
    assert reach(curve, 0.001).length is None


def test_the_interval_of_a_longest_context_contains_it_where_a_measured_cost_cuts_the_fit():
    """The fit alone affords more than the length before the one that was measured to need more."""
    costs = {round(128 * 2 ** (n / 2)): 2e7 + 4e4 * 128 * 2 ** (n / 2) for n in range(12)}
    costs[8_192] = 1.3 * (2e7 + 4e4 * 8_192)
    within = reach(curve_of(costs, "inference.peak_memory_bytes"), (costs[8_192] - 1) / 1e9)
    assert within.length == 8_191 and within.low <= within.length <= within.high


def test_nothing_is_known_beyond_the_positions_of_a_model(tmp_path):
    profile = profile_of(tmp_path, up_to=2_048, longest=3_000)
    curve = profile.main_memory
    assert curve.predictions[-1].length == 3_000 and curve.at(3_001) is None
    assert str(reach(curve, 4)) == "3,000 (predicted)"
    whole = profile_of(tmp_path, up_to=2_048, longest=2_048).main_memory
    assert str(reach(whole, 4)) == "2,048 (measured)"


def test_a_task_without_a_chosen_learning_rate_is_in_all_files(card):
    note = "no learning rate chosen: every rate diverged"
    untrained = Carried("Associative recall", "tiny", 64, None, None, note)
    made = dataclasses.replace(card, quality=[untrained])
    assert f"associative recall {note}" in made.sentence
    assert f"<td>{note}</td>" in to_html(made)
    assert f"| Associative recall | tiny | 64 | none | {note} |" in to_markdown(made)
    (written,) = made.to_dict()["quality"]
    assert (written["score"], written["effective_length"], written["note"]) == (None, None, note)


def test_a_chart_of_a_few_decades_has_ticks_between_its_ends(card):
    chart = draw(card.profile, [], "prefill.peak_memory_bytes")  # from 24 to 1,300 MiB
    assert [text for _, text in chart.y_ticks] == ["50.0", "100", "200", "500", "1,000"]


def test_the_length_from_which_a_reference_is_cheaper(card):
    text = card.cheaper["gated_deltanet"]
    assert re.fullmatch(r"is cheaper (at all lengths from 128|from about \d+) .*", text)
    own = card.profile.main_time
    assert "not cheaper at any length" in cheaper_text(card.references[0].main_time, own)


def test_a_model_that_is_cheaper_between_two_lengths_says_both():
    lengths = [2**power for power in range(7, 14)]
    own = curve_of({n: 1e-3 + 4e-6 * n for n in lengths})
    other = curve_of({n: 2e-3 + 1e-6 * n + 4e-10 * n**2 for n in lengths})
    ends = r"about \d\d\d \(between measured lengths\)", r"about 7,\d+ \(between measured lengths\)"
    between = cheaper_text(own, other)
    assert re.fullmatch(f"is cheaper from {ends[0]} up to {ends[1]}", between)
    outside = cheaper_text(other, own)
    assert re.fullmatch(f"is cheaper up to {ends[0]} and from {ends[1]}", outside)


def test_a_reference_is_cheaper_where_it_was_measured_to_be():
    """The fit of a model may lie on the other side of the reference than a measured cost."""
    lengths = [2**power for power in range(7, 14)]
    costs = {n: 1e-3 + 4e-6 * n for n in lengths}
    other = curve_of({n: 1.1 * cost for n, cost in costs.items()})
    own = curve_of(costs | {128: 1.15 * costs[128]})
    assert own.fit.predict(128).value < other.fit.predict(128).value
    text = cheaper_text(own, other)
    assert re.fullmatch(r"is cheaper up to about \d\d\d \(between measured lengths\)", text)


def test_a_cost_that_breaks_the_form_says_so_in_place_of_predictions(tmp_path):
    broken = profile_of(tmp_path, times={2_048: 9.0, 4_096: 9.5, 8_192: 10.0})
    page = to_html(LengthCard(broken, [], {}))
    assert "does not follow this form" in page
    assert not broken.curves["inference.step_seconds"].predictions
    assert broken.curves["training.step_seconds"].predictions


def test_a_page_is_small_opens_from_disk_and_labels_predictions(card):
    page = to_html(card)
    assert len(page.encode()) < 300_000
    assert "<script" not in page and not re.search(r"(src|href)=\"(?!data:)", page)
    assert "<td>predicted</td>" in page and "<td>measured</td>" in page
    assert 'class="predicted"' in page and 'class="band"' in page
    assert "| predicted |" in to_markdown(card)
    content = json.loads(json.dumps(card.to_dict(), allow_nan=False))
    assert content["model"]["costs"]["training.step_seconds"]["predicted"]


def test_a_name_is_text_on_the_page(card):
    named = LengthCard(card.profile.__class__("<b>&x", card.profile.curves, 1), [], {})
    assert "<b>&x" not in to_html(named) and "&lt;b&gt;" in to_html(named)


def test_what_ended_the_measurements_is_on_the_card(tmp_path):
    profile = profile_of(tmp_path, fails_at=2_000)
    ended = EndedLength(Mode.PROBE, 2_048, Status.OUT_OF_MEMORY, "too much memory")
    assert ended in profile.ended
    assert f"probe at 2,048: {Status.OUT_OF_MEMORY} (too much memory)" in profile.to_dict()["ended"]


def test_what_ended_the_measurements_of_another_model_is_on_every_file(card, tmp_path):
    other = profile_of(tmp_path, "gated_deltanet", fails_at=2_000)
    compared = LengthCard(card.profile, [other], {})
    for text in (to_html(compared), to_markdown(compared)):
        assert "ended: gated_deltanet: probe at 2,048: out_of_memory (too much memory)" in (
            text.replace("\\", "")
        )


def test_a_chart_has_a_tick_although_no_power_of_two_is_in_its_range():
    costs = Profile("one", {"inference.step_seconds": curve_of({100: 1.0})}, None)
    assert [text for _, text in draw(costs, [], "inference.step_seconds").x_ticks] == ["100"]


def test_ratios_to_another_model_are_on_every_file(card):
    ratios = [
        CostRatio("inference.step_seconds", None, 1.2, 1.1, 1.3, 5),
        CostRatio("inference.step_seconds", 128, 1.2, None, None, 2),
    ]
    compared = LengthCard(card.profile, card.references, {}, ratios=ratios)
    assert "relative to gated_deltanet, inference time over all lengths: 1.200" in compared.sentence
    for text in (to_html(compared), to_markdown(compared)):
        assert "Costs relative to gated_deltanet" in text
        assert "1.100 to 1.300" in text and "too few rounds" in text
    assert compared.to_dict()["ratios"][0]["low"] == 1.1
