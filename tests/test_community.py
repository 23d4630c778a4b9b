"""The citation, the forms of issues and the workflow: files that only other programs read."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml

from tests.conftest import ROOT

GITHUB = ROOT / ".github"
FORMS = GITHUB / "ISSUE_TEMPLATE"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIRED = {"authors", "cff-version", "message", "title"}
KNOWN = {
    "abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi",
    "identifiers", "keywords", "license", "license-url", "message", "preferred-citation",
    "references", "repository", "repository-artifact", "repository-code", "title", "type", "url",
    "version",
}  # fmt: skip
"""The fields of the Citation File Format 1.2.0."""
FIELDS = {"checkboxes", "dropdown", "input", "markdown", "textarea"}


def read(path):
    return yaml.safe_load(path.read_text())


def test_the_citation_has_the_fields_of_its_format_and_the_version_of_the_package():
    citation = read(ROOT / "CITATION.cff")
    assert set(citation) >= REQUIRED and set(citation) <= KNOWN
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert citation["authors"] and all(set(author) == {"name"} for author in citation["authors"])
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert len(set(citation["keywords"])) == len(citation["keywords"])


def test_the_page_of_changes_has_the_version_of_the_package():
    headings = re.findall(r"^## (.*)$", (ROOT / "docs" / "changes.md").read_text(), re.MULTILINE)
    assert PROJECT["version"] in headings[:2]


@pytest.mark.parametrize(
    "path", sorted(set(FORMS.glob("*.yml")) - {FORMS / "config.yml"}), ids=lambda path: path.stem
)
def test_the_form_of_an_issue_has_what_github_demands(path):
    form = read(path)
    assert set(form) == {"name", "description", "labels", "body"}
    fields = form["body"]
    assert {field["type"] for field in fields} <= FIELDS
    ids = [field["id"] for field in fields]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[\w-]+", name) for name in ids)
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_permission_by_default_and_pins_its_actions_to_commits(path):
    workflow = read(path)
    assert workflow["permissions"] == {}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    actions = [step["uses"] for step in steps if "uses" in step]
    assert actions and all(
        re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) for action in actions
    )
