"""Names of machines. Costs are compared within one name."""

from __future__ import annotations

import os

import pytest

from suite.matrix.registry import load_registry
from suite.records import environment
from suite.records.environment import (
    accelerator_names,
    commit_of,
    describe_commit,
    machine_name,
    name_processor,
)

VERSIONS = load_registry(()).task_versions
GENERIC = (
    "processor\t: {core}\ncpu family\t: {family}\nmodel\t\t: {model}\nmodel name\t: AMD EPYC\n"
)


def cpuinfo(family: int, model: int) -> str:
    return "\n".join(GENERIC.format(core=core, family=family, model=model) for core in (0, 1))


def test_processors_with_one_generic_name_differ_by_family_and_model():
    milan, turin = (name_processor(cpuinfo(*which)) for which in ((25, 1), (26, 2)))
    assert milan == "AMD EPYC (family 25, model 1)"
    assert turin == "AMD EPYC (family 26, model 2)"
    assert name_processor("processor\t: 0\nBogoMIPS\t: 48.00\n") is None
    assert name_processor("model name\t: Something virtual\n") == "Something virtual"


def test_the_name_of_a_machine_has_accelerators_processor_and_cores():
    host = {"processor": "AMD EPYC (family 25, model 1)", "num_cores": 16}
    assert machine_name(host) == "amd-epyc-family-25-model-1-16-cores"
    assert machine_name({**host, "devices": ["CPU"]}) == machine_name(host)
    with_device = machine_name({**host, "devices": ["NVIDIA H200", "NVIDIA H200"]})
    assert with_device == "nvidia-h200-amd-epyc-family-25-model-1-16-cores"
    # A worker that ran out of memory reports no devices; one that ran on the processor does.
    there = {**host, "accelerators": ["NVIDIA H200"]}
    assert machine_name(there) == with_device
    assert machine_name({**there, "devices": ["cpu"]}) == machine_name(host)
    assert machine_name({"processor": 7, "devices": 3}) == "7-none-cores"  # a hostile record


def test_a_name_too_long_for_a_folder_ends_in_a_digest(tmp_path):
    names = [machine_name({"processor": "x" * 400, "num_cores": cores}) for cores in (2, 4)]
    assert len(set(names)) == 2
    for name in names:
        (tmp_path / name).mkdir()


def test_accelerators_have_the_names_of_their_driver(tmp_path):
    for bus, content in (
        ("0000:01", "Model: \t\t NVIDIA H200\nIRQ: 12\n"),
        ("0000:02", "no such line"),
    ):
        (tmp_path / bus).mkdir()
        (tmp_path / bus / "information").write_text(content)
    assert accelerator_names(tmp_path) == ["NVIDIA H200"]
    assert accelerator_names(tmp_path / "nowhere") == []


@pytest.fixture
def answer(tmp_path, monkeypatch):
    """Put a `git` first that names the commit "abc"; return a function that sets its status."""

    def set_status(status):
        git = tmp_path / "git"
        git.write_text(f'#!/bin/sh\ncase "$3" in rev-parse) echo abc ;; *) {status} ;; esac\n')
        git.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return set_status


@pytest.mark.parametrize(
    ("status", "dirty"), [("true", False), ("echo ' M suite/api/job.py'", True), ("exit 1", None)]
)
def test_changes_are_unknown_when_git_status_fails(answer, status, dirty):
    answer(status)
    assert describe_commit() == {"commit": "abc", "dirty": dirty}


def test_an_installed_wheel_names_no_commit_of_a_repository_around_it(answer, monkeypatch):
    answer("true")
    monkeypatch.setattr(environment, "IN_CHECKOUT", False)
    assert describe_commit() == {"commit": None, "dirty": None}


@pytest.mark.parametrize("commit", [None, 7, "", "HEAD", "--upload-pack=x", "$(id)", "a\n", "ABC"])
def test_a_commit_is_hexadecimal(commit):
    assert commit_of({"commit": commit}) is None
    assert commit_of({"commit": "0a1b2c3d"}) == "0a1b2c3d"
