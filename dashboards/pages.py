"""The pages of the site: their titles, their scripts and their HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"
PREVIEW = "preview.png"
"""The file of the preview image."""
SHARED_SCRIPTS = (
    "elements", "address", "frame", "legend", "filters", "figures", "line_figure",
    "length_figure", "runs", "start",
)  # fmt: skip
"""The scripts in `assets/` that every page loads, in the order in which they are loaded."""


@dataclass(frozen=True)
class Page:
    """A page of the site.

    `own_scripts` in `assets/` draw the page. `data_scripts` in `data/` hold what this page needs
    in addition to `index.js`. `title` is the name in the navigation, and the heading too if there
    is no other.
    """

    name: str
    title: str
    summary: str
    own_scripts: tuple[str, ...]
    data_scripts: tuple[str, ...] = ()
    in_navigation: bool = True
    heading: str = ""

    @property
    def scripts(self) -> list[str]:
        """The addresses of the scripts of this page, in the order in which they are loaded."""
        data = [f"data/{name}.js" for name in ("index", *self.data_scripts)]
        assets = [f"assets/{name}.js" for name in (*SHARED_SCRIPTS, *self.own_scripts)]
        return ["assets/plotly.min.js", *data, *assets]


@dataclass(frozen=True)
class Host:
    """The facts about the host of the site that the pages state.

    `address` is that of the site, without a slash at its end, if known. The pages then name a
    preview image, which social media find by its full address alone. `links` are the titles and
    addresses of other files there, for the foot of each page.
    """

    address: str = ""
    links: Sequence[tuple[str, str]] = ()


PAGES = (
    Page(
        "index",
        "Overview",
        "Choose a task, a sequence length and what matters",
        heading="Which model at my length?",
        own_scripts=(
            *("answer", "leaderboard", "entry_tables", "trials", "question", "shortlist"),
            *("tradeoff_scatter", "task_figures", "task_content", "index"),
        ),
        data_scripts=("predictions",),
    ),
    Page(
        "tradeoffs",
        "Trade-offs",
        "Quality against cost, growth with length and crossover points",
        own_scripts=("tradeoff_scatter", "tradeoff_figures", "tradeoff_tables", "tradeoffs"),
        data_scripts=("findings", "predictions"),
    ),
    Page(
        "task",
        "Tasks",
        "Learning curves, reports on the scored split, and examples",
        own_scripts=("task_figures", "task_content", "task"),
        data_scripts=("reports", "history"),
    ),
    Page(
        "diagnostics",
        "Diagnostics",
        "Recall, state tracking, extrapolation and retrieval on tasks with exact answers, and what "
        "decoding costs",
        own_scripts=("diagnostic_figures", "diagnostics"),
        data_scripts=("diagnostics",),
    ),
    Page(
        "methods",
        "Methods",
        "What pretraining, efficient tuning, compression and other methods gain, what they cost, "
        "and how scores fall when examples are disturbed",
        own_scripts=("diagnostic_figures", "tradeoff_scatter", "methods"),
        data_scripts=("methods",),
    ),
    Page(
        "rates",
        "Learning rates",
        "How each entry's learning rate was chosen on validation, and how wide the range of good "
        "rates is",
        own_scripts=("rates",),
    ),
    Page(
        "compare",
        "Compare",
        "Two entries side by side",
        own_scripts=("compare",),
        data_scripts=("findings",),
    ),
    Page(
        "archive",
        "Archive",
        "Every row of the boards: scores and costs, superseded ones included",
        own_scripts=("leaderboard", "archive"),
    ),
    Page(
        "run",
        "Run",
        "The complete record of one run",
        own_scripts=("run",),
        data_scripts=("mlflow",),
        in_navigation=False,
    ),
)

TERMS = {
    "Entry": "An architecture with its options and methods.",
    "Control": "An entry that sets the scale and is no model to choose, such as identity.",
    "Board": "The entries of one task, or of one cost, at one length.",
    "Rank": "The best entry and all that are not separated from it share rank 1.",
    "Detectable difference": "The least difference to the best that a board separates.",
    "Final run": "A training of a frozen benchmark, scored on the test split.",
    "Trial": "Any other training: it chooses a learning rate or tries a setting, and has no rank.",
    "Probe": "Training and inference on random tokens, to measure speed and memory.",
    "Decoding": "Prefill of a context, then generation token by token.",
    "Standard track": "Equal rules for all entries.",
    "Open track": "Entries may have options and methods of their own.",
    "Protocol": "The version of the rules: results of different protocols are never compared.",
    "Learning-rate window": "The width of the range of good rates, in decades: factors of ten.",
    "Mixing parameters": "The weights of a model without its embedding and its head.",
    "Decoding state": "What a model keeps from one generated token to the next.",
    "Pareto front": "The entries that no other entry beats in both quality and cost.",
    "Geometric mean": "The mean of factors: the usual mean of times and speeds.",
}
"""The terms that each page explains at its foot."""


def render_page(page: Page, host: Host) -> str:
    """Return the HTML of a page."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    template = environment.get_template("page.html")
    preview = f"{host.address}/{PREVIEW}" if host.address else ""
    return template.render(
        page=page, pages=PAGES, preview=preview, links=host.links, terms=TERMS.items()
    )
