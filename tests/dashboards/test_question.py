"""The question of the first page: a length, also one that a task lacks, and what matters there."""

from __future__ import annotations

import dataclasses

import pytest

from suite.analysis.boards import rank_comparisons
from suite.analysis.comparisons import compare
from suite.api import Status
from suite.matrix.registry import load_registry
from tests.builders.records import with_fields
from tests.dashboards.site_records import draw, entry, probe, trial
from tests.suite.analysis.diagnostic_records import decoded, decodings
from tests.suite.analysis.final_runs import (
    SMALL,
    benchmark_folder,
    by_architecture,
    final_runs,
)

F1 = {"vanilla": 0.70, "longformer": 0.75, "identity": 0.3}
SPEED = {"vanilla": 1_000.0, "longformer": 2_500.0, "identity": 9_000.0}


def score(planned):
    """Longformer is best; language modelling has no runs of it."""
    cell = planned.cell
    if cell.task == "language_modeling":
        return 2.0 + 0.01 * cell.seed if cell.architecture == "vanilla" else None
    return F1[cell.architecture] + 0.002 * ((cell.seed + len(cell.architecture)) % 3 - 1)


def probes(length, names, **changes):
    """Return three rounds of a probe of each entry, whose speeds differ by a hundredth."""
    return [
        probe(name, length, number, SPEED[name] * (1 + 0.01 * number), **changes)
        for name in names
        for number in range(3)
    ]


def draw_scores(scores, folder, content=SMALL):
    """Draw the site of the final runs of a benchmark with a score for each architecture."""
    registry = load_registry((str(benchmark_folder(folder / "bench", content)),))
    runs = final_runs(registry, by_architecture(scores), list(scores))
    draw(runs, folder / "site", None, registry)
    return folder / "site"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a site of final runs, probes, decodings and a trial; and the boards.

    Named entity recognition has the lengths 128 and 512. The probes at 512 have the size of its
    models, those at 4,096 another size, and those at 2,048 another backend. A trial alone has the
    length 1,536.
    """
    top = tmp_path_factory.mktemp("question")
    registry = load_registry((str(benchmark_folder(top / "bench", SMALL)),))
    records = [
        *final_runs(registry, score, list(F1)),
        *probes(512, SPEED),
        *probes(4_096, ("vanilla", "longformer"), model_size="small"),
        *probes(2_048, ("vanilla",), backend="jax"),
        *decodings(),
        trial("vanilla", 0, 0.6, length=1_536),
    ]
    draw(records, top / "site", None, registry)
    return top / "site", rank_comparisons(compare(records, registry.task_versions))


@pytest.fixture
def figure(made):
    """A function that returns the figure of an entry on a board, as a sentence prints it."""

    def find(name, metric, length, task="", places=0, scale=1.0):
        (row,) = (
            row
            for board in made[1]
            if (board.key.task, board.metric.name, board.sequence_length) == (task, metric, length)
            for row in board.rows
            if row.entry == name and row.estimate
        )
        one = row.estimate
        value, low, high = (f"{end / scale:,.{places}f}" for end in (one.value, one.low, one.high))
        return f"{value} [{low}, {high}]"

    return find


def test_a_length_that_the_task_lacks_names_the_longest_measured_one(shown, figure):
    tab = shown("task=ner", again=True)
    lengths = tab.select("Length").locator("option").all_text_contents()
    assert lengths == ["128", "512"]  # no trial's
    marks = [
        group.get_attribute("label") for group in tab.select("Length").locator("optgroup").all()
    ]
    assert marks == ["Measured"]
    tab.page.get_by_label("Other length").fill("4096")
    tab.page.get_by_label("Other length").press("Enter")
    known = figure("longformer", "entity_f1", 512, "ner", 3)
    assert tab.answer() == (
        "Quality at 4,096 was not measured in these results; the longest measured length is 512. "
        f"Named entity recognition, length 512. Best: longformer, test entity F1 {known}."
    )
    assert tab.texts("table caption")[0].startswith("Length 512, ")
    # The chosen length stays when the task changes. A single entry is no winner.
    tab.select("Task").select_option(label="Language modelling")
    assert tab.answer().startswith(
        "Quality at 4,096 was not measured in these results; the longest measured length is 64. "
        "Language modelling, length 64. Only ranked entry: vanilla, test bits per char"
    )


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (  # between measured lengths
            "task=ner&length=150",
            "Quality at 150 was not measured in these results; the longest measured length is 512. "
            "Named entity recognition, length 128. Best: longformer",
        ),
        (  # results of another backend do not answer
            "task=ner&length=2048&metric=training.tokens_per_second",
            "Training speed at 2,048 was not measured in these results; the longest measured "
            "length is 4,096. Named entity recognition, length 4,096. Best: longformer",
        ),
        (  # a control is no model to choose
            "task=ner&length=512&metric=training.tokens_per_second",
            "Named entity recognition, length 512. Control identity leads; best model: longformer,",
        ),
        (
            "task=language_modeling&length=1024&metric=generation.step_seconds",
            "Language modelling, length 1,024. Control identity leads; best model: mamba2, time",
        ),
    ],
)
def test_the_best_model_at_the_closest_measured_length_answers(shown, state, answer):
    assert shown(state).answer().startswith(answer)


def test_a_cost_of_a_task_is_that_of_the_probes_of_its_form(shown, figure, made):
    """Two choices lead to the fastest model at 4,096, and the address restores the view."""
    tab = shown("task=ner", again=True)
    matters = tab.select("What matters").locator("option").all_text_contents()
    # Nothing measured inference here, and encoders do not generate.
    assert matters == ["Quality", "Training memory", "Training speed"]
    tab.select("What matters").select_option(label="Training speed")
    tab.select("Length").select_option(label="4,096")
    known = figure("longformer", "training.tokens_per_second", 4_096)
    answer = tab.answer()
    assert answer == (
        "Named entity recognition, length 4,096. Best: longformer, training throughput "
        f"{known} tokens/s."
    )
    note = tab.texts(".answer + .note")[0]
    assert note.startswith("Significantly worse entries: 1. Detectable ratio 1.0")
    assert (
        "Measured on random tokens, not on Named entity recognition. Other models than those of "
        "the task (tiny: 2 layers, width 128"
    ) in note
    assert "Not measured: identity. Results: probes" in note
    assert "(3 rounds)" in note and "Session of 2026-01-02 03:04 on here" in note
    scatter = "Test entity F1 against training throughput at length 512"
    titles = [scatter, "Test entity F1", "Training throughput", "Peak training memory"]
    assert [title.partition(" · ")[0] for title in tab.texts("figure h3")] == titles
    tab.open(made[0], "index.html", tab.page.url.partition("#")[2], again=True)
    assert tab.answer() == answer
    assert tab.page.evaluate("document.querySelector('[name=\"What matters\"]').value") == (
        "training.tokens_per_second"
    )


CLOSE = {"identity": 1_000.0, "longformer": 999.0, "convolution": 998.0, "vanilla": 100.0}
MODELS = ("bert", "gpt", "llama", "mamba2", "t5")


TIED = "No significant winner; best mean of a model"


@pytest.mark.parametrize(
    ("speeds", "verdict", "tied"),
    [
        # The best is a control: nothing says that vanilla is slower than longformer.
        (CLOSE, TIED, "control identity, control convolution"),
        ({**CLOSE, "longformer": 1_001.0}, "Best", "control identity, control convolution"),
        (
            {"longformer": 1_001.0, **dict.fromkeys(MODELS, 1_000.0), "identity": 1_000.0},
            TIED,
            "bert, gpt, llama, 3 more",
        ),
    ],
)
def test_the_answer_names_a_model_and_what_shares_its_rank(drawn, speeds, verdict, tied):
    noise = (0.97, 1.0, 1.03)
    probed = [
        probe(name, 512, number, speed * noise[(number + place) % 3])
        for place, (name, speed) in enumerate(speeds.items())
        for number in range(3)
    ]
    tab = drawn(probed, state="metric=training.tokens_per_second")
    assert f"length 512. {verdict}: longformer, training throughput " in tab.answer()
    assert f"Not separated from it: {tied}." in tab.texts(".answer + .note")[0]


@pytest.mark.parametrize(
    ("task", "mixing"),
    [("ner", "mixes no positions"), ("translation", "has cross-attention alone")],
)
def test_a_ranking_says_its_budget_and_who_is_no_better_than_no_mixing(tab, tmp_path, task, mixing):
    scores = {"vanilla": 0.8, "t5": 0.4, "identity": 0.401}
    site = draw_scores(scores, tmp_path, SMALL.replace("tasks.ner", f"tasks.{task}"))
    tab.open(site, "index.html", f"task={task}&length=512", again=True)
    note = tab.texts(".answer + .note")[0]
    assert "Trained from scratch for 10 steps of 1 example of length 512" in note
    assert f"the control identity, which {mixing}: 1 of 2 models" in note


def test_generation_speed_is_that_of_decodings(shown, figure):
    tab = shown("task=language_modeling&length=1024&metric=generation.step_seconds")
    known = figure("mamba2", "generation.step_seconds", 1_024, places=2, scale=1e-3)
    assert f"time per generated token {known} ms." in tab.answer()
    titles = [
        "Test bits per character",
        "Time per generated token",
        "Size of the decoding state",
    ]
    assert [title.partition(" · ")[0] for title in tab.texts("figure h3")] == titles
    # Encoders do not generate, and nothing else answers in their place.
    tab.select("Task").select_option(label="Named entity recognition")
    assert tab.answer().startswith("Encoder models do not generate. Choose a task with a decoder")


def test_a_memory_limit_of_generation_counts_the_reading_of_the_context(drawn):
    peaks = {"mamba2": (1.0, 0.5), "vanilla": (3.0, 0.5), "llama": (0.5, 3.0), "bert": None}
    runs = [
        decoded(
            name,
            16_384,
            number,
            seconds * (1 + 0.01 * number),
            64,
            peaks=ends and {"prefill": ends[0] * 2**30, "generation": ends[1] * 2**30},
        )
        for seconds, (name, ends) in enumerate(peaks.items(), 1)
        for number in range(3)
    ]
    state = "task=decode%2C+decoder&length=16384&metric=generation.step_seconds&gib=2"
    tab = drawn(runs, state=state)
    assert "length 16,384, within the limits. Only ranked entry: mamba2, " in tab.answer()
    reasons = {*tab.texts("details li")}
    assert {
        f"{name}: Memory budget, GiB: 3, more than 2" for name in ("vanilla", "llama")
    } <= reasons
    assert "bert: Memory budget, GiB: not known" in reasons
    assert "Peak prefill memory, MiB" in tab.texts("table >> nth=0 >> th")


def test_without_a_model_the_answer_names_a_control_as_such(tab, tmp_path):
    site = draw_scores({"identity": 0.4, "lstm": 0.9}, tmp_path)
    tab.open(site, "index.html", "task=ner&length=512", again=True)
    assert "No model is in this list; best control: lstm, test entity F1 0.9" in tab.answer()


def test_a_state_of_no_bytes_has_no_ratio(tab, made):
    tab.open(made[0], "compare.html", "task=decode%2C+decoder&a=identity&b=mamba2")
    answers = " ".join(tab.texts(".answer li"))
    assert "Size of the decoding state: a size of 0: no interval at 128, 1024, 8192." in answers
    assert "∞" not in tab.page.locator("main").text_content()


def test_without_ranks_the_answer_says_how_many_values_there_are(drawn):
    probed = [probe(name, 128, 0, speed) for name, speed in SPEED.items()]
    tab = drawn(probed, state="metric=training.tokens_per_second")
    assert tab.texts(".answer")[0] == (
        "Speed and memory, encoder, length 128. No entry is ranked; control identity leads; best "
        "value of a model: longformer, training throughput 2,500 tokens/s."
    )
    assert tab.texts(".answer + .note")[0].startswith(
        "1 round: this is no proof of being better. Not ranked: 1 round: needs at least 3. "
    )


def test_a_control_of_the_same_value_does_not_lead(drawn):
    probed = [probe(name, 128, 0, 2_500.0) for name in ("identity", "longformer")]
    tab = drawn(probed, state="metric=training.tokens_per_second")
    assert "No entry is ranked; best of 2 measured: longformer" in tab.answer()


@pytest.mark.parametrize("probed", ["vanilla", "longformer"])
def test_costs_come_from_probes_of_the_task_s_own_models(drawn, probed):
    own = entry("vanilla", 128, f1=0.5, memory=1.0, speed=1.0)
    disturbed = with_fields(own, details={"noisy": ("training",)})
    probes = [probe(probed, length, 0, 1_000.0) for length in (128, 512)]
    tab = drawn([disturbed, *probes], state="task=ner")
    is_own = probed == "vanilla"
    assert any("encoder probes" in caption for caption in tab.texts("figcaption")) == is_own
    # No remedy for speeds that are not shown.
    assert any("--retry noisy" in text for text in tab.texts("p.note")) == (not is_own)


def test_the_costs_of_all_entries_come_from_the_same_results(drawn):
    names = ("vanilla", "longformer", "bert")
    own = [entry(name, 512, f1=0.5, memory=100.0, speed=1.0) for name in names]
    tab = drawn([*own, probe("bert", 512, 0, 9_000.0)], state="task=ner")
    column = tab.texts("table >> nth=0 >> th").index("Peak training memory, MiB")
    rows = tab.page.locator("table >> nth=0 >> tbody tr").all()
    assert {row.locator("td").nth(column).text_content() for row in rows} == {"100"}


def test_a_cell_that_a_person_stopped_did_not_fail(drawn):
    runs = [entry("vanilla", length, f1=0.5, memory=1.0, speed=1.0) for length in (128, 256)]
    tab = drawn([*runs, entry("vanilla", 512, status=Status.INTERRUPTED)], state="task=ner")
    assert tab.texts("td.soft") == ["interrupted"]
    assert not any("✕" in caption for caption in tab.texts("figcaption"))


def test_superseded_results_answer_only_at_their_own_length(drawn, tmp_path):
    now, old = (entry("vanilla", length, f1=0.5, memory=1.0, speed=1.0) for length in (512, 128))
    cell = dataclasses.replace(old.record.cell, task_version=old.record.cell.task_version - 1)
    tab = drawn([now, with_fields(old, cell=cell)], state="length=64")
    assert "length is 512. Named entity recognition, length 512. No entry" in tab.answer()
    tab.open(tmp_path, "index.html", "length=128")
    assert (
        tab.answer() == "Named entity recognition, length 128. No entry has a result that counts."
    )
    assert tab.texts("main details summary").count("1 superseded row") == 1


def test_any_length_can_be_asked_for_and_the_way_back_leads_to_the_one_before(shown):
    tab = shown("task=ner&length=512", again=True)
    field = tab.page.get_by_label("Other length")
    field.fill("300")
    field.press("Enter")
    assert tab.answer().startswith("Quality at 300 was not measured")
    assert "length=300" in tab.page.url
    for wrong in ("0", "3000.5", "-5"):
        field.fill(wrong)
        field.press("Enter")
        assert "length=300" in tab.page.url
        assert not field.evaluate("field => field.validity.valid")
    tab.redrawn_after(tab.page.go_back)
    assert tab.answer().startswith("Named entity recognition, length 512")
