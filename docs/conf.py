"""The settings of Sphinx for the documentation site: `make docs`."""

from __future__ import annotations

import enum
import os
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

project = "Lengthwise"
release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
author = "The Lengthwise contributors"
copyright = author
root_doc = "README"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"Lengthwise {release}"
html_copy_source = False
html_show_sphinx = False
# The address of the published charts, to which each page then links: `make docs CHARTS=...`.
if charts := os.environ.get("CHARTS"):
    html_theme_options = {"announcement": f'<a href="{charts}">Charts of the results</a>'}

# Headings have the anchors that GitHub gives them.
myst_heading_anchors = 4

# A name in backticks is a link if it is the full name of something here, and otherwise code.
default_role = "py:obj"
# Each name is documented once, in the module that defines it.
autodoc_default_options = {"members": True, "show-inheritance": True, "ignore-module-all": True}
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
python_maximum_signature_line_length = 88

CONTENTS = {
    "Run": [
        "docs/quick-tour",
        "docs/length-card",
        "docs/guard-a-length-profile",
        "docs/run-a-matrix",
        "docs/read-the-results",
        "docs/catalogue",
        "docs/your-own-data",
        "docs/use-from-python",
        "docs/use-a-layer-in-your-own-model",
        "docs/other-machines",
        "docs/team-server",
    ],
    "Extend": [
        "docs/add-a-task",
        "docs/add-an-architecture",
        "docs/add-a-method",
        "docs/add-a-benchmark",
        "docs/reproduce-a-paper",
        "docs/publish-a-result",
        "docs/architecture",
        "CONTRIBUTING",
    ],
    "Understand": [
        "docs/how-we-measure",
        "docs/how-we-compare",
        "docs/benchmarks",
        "docs/tuning",
        "docs/changes",
        "reference/index",
    ],
    "Results": ["results/*", "results/leaderboard/*"],
}
"""The pages of the site by heading. The build fails if a page is missing here."""

PACKAGES = ("suite", "tasks", "baselines", "dashboards")
NEED_OTHER_FRAMEWORKS = (
    "baselines.layers.backends",
    "suite.execution.executors.ray",
    "suite.worker.backends",
)
"""The modules that cannot be imported without JAX, PyTorch or Ray."""


def write_reference(app: Any) -> None:
    """Write a page for each package into the sources: it documents the package's modules."""
    folder = Path(app.srcdir) / "reference"
    folder.mkdir(exist_ok=True)
    packages = [
        ".".join(path.parent.relative_to(ROOT).parts)
        for name in PACKAGES
        for path in sorted((ROOT / name).rglob("__init__.py"))
        if "node_modules" not in path.parts
    ]
    pages = [name for name in packages if not name.startswith(NEED_OTHER_FRAMEWORKS)]
    for name in pages:
        modules = sorted(path.stem for path in ROOT.joinpath(*name.split(".")).glob("[!_]*.py"))
        named = [name, *(f"{name}.{module}" for module in modules)]
        sections = [_section(one) for one in named if not one.startswith(NEED_OTHER_FRAMEWORKS)]
        (folder / f"{name}.rst").write_text("\n".join([_title(name, "="), *sections]))
    entries = "\n".join(f"   {name}" for name in pages)
    contents = f".. toctree::\n   :maxdepth: 1\n\n{entries}\n"
    (folder / "index.rst").write_text(f"{_title('API reference', '=')}\n{contents}")


def _section(module: str) -> str:
    return f"{_title(module, '-')}\n.. automodule:: {module}\n"


def _title(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def add_contents(app: Any, name: str, source: list[str]) -> None:
    """Add the table of contents to the first page."""
    if name == root_doc:
        for caption, pages in CONTENTS.items():
            options = f":hidden:\n:glob:\n:caption: {caption}"
            source[0] += f"\n```{{toctree}}\n{options}\n\n" + "\n".join(pages) + "\n```\n"


def keep_enumeration(
    app: Any, what: str, name: str, item: Any, skipped: bool, options: Any
) -> bool | None:
    """Show the members of enumerations, which have no docstrings."""
    return False if isinstance(item, enum.Enum) else None


def convert_docstring(
    app: Any, what: str, name: str, item: Any, options: Any, lines: list[str]
) -> None:
    """Turn the Markdown of a docstring into reStructuredText."""
    lines[:] = to_restructured_text("\n".join(lines)).splitlines()
    if what in ("attribute", "data", "property"):
        lines.insert(0, "\\ ")  # otherwise napoleon takes the text before a colon for a type


def to_restructured_text(text: str) -> str:
    """Return Markdown as reStructuredText: code blocks, lists, tables, and plain asterisks."""
    converted: list[str] = []
    fenced = session = False
    on_one_line = re.sub(r"(?s)```.*?```|`[^`]*`", _join_code, text)
    for line in on_one_line.split("\n"):
        bare = line.strip()
        if bare.startswith("```"):
            fenced = not fenced
            indent = line[: len(line) - len(line.lstrip())]
            start = f"{indent}.. code-block:: {bare.strip('`') or 'text'}"
            converted += ["", start, ""] if fenced else [""]
        elif fenced:
            converted.append(f"   {line}" if bare else "")
        elif session := bool(bare) and (session or bare.startswith(">>> ")):
            converted.append(line)
        else:
            converted += _convert_line(line, converted[-1] if converted else "")
    return "\n".join(converted)


def _join_code(found: re.Match[str]) -> str:
    """Return a block of code as it is, and code within a line without its line breaks."""
    return found[0] if found[0].startswith("```") else re.sub(r"\n *", " ", found[0])


def _convert_line(line: str, before: str) -> list[str]:
    """Return a line of prose; a list or a table starts after an empty line."""
    if line.lstrip().startswith("|"):
        return [f"   {line}"] if before.startswith("   |") else ["", "::", "", f"   {line}"]
    item = r" *(?:- |\d+\. )"
    starts = re.match(item, line) and before.strip() and not re.match(rf"{item}|  ", before)
    pieces = re.split(r"(`[^`]*`)", line)
    # A backslash and a space are not shown. They separate code from adjacent letters.
    text = "".join(
        f"\\ {piece}\\ " if number % 2 else re.sub(r"([*|]|(?<=\w)_(?!\w))", r"\\\1", piece)
        for number, piece in enumerate(pieces)
    )
    return ["", text] if starts else [text]


def finish(app: Any, exception: Exception | None) -> None:
    """Give the first page the name that web servers look for."""
    if exception is None and app.builder.format == "html":
        first = Path(app.outdir) / f"{root_doc}.html"
        shutil.copyfile(first, first.with_name("index.html"))


def setup(app: Any) -> None:
    """Connect the functions above."""
    app.connect("builder-inited", write_reference)
    app.connect("source-read", add_contents)
    app.connect("autodoc-skip-member", keep_enumeration)
    app.connect("autodoc-process-docstring", convert_docstring, priority=400)
    app.connect("build-finished", finish)
