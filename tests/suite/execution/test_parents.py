"""Cells that take the trained models of other cells: order, failures, weights that are gone."""

from __future__ import annotations

import shutil

import pytest

from tests.conftest import FAKES, bench_environment, read_records, run_bench

MATRIX = (
    *("--task", "parity", "--lengths", "8", "--steps", "4", "--batch-size", "4"),
    *("--threads", "1", "--architectures"),
)
RUN = ("run", "--no-tracking", "--no-dashboard", *MATRIX)


def by_methods(home):
    """Return the latest record of each cell by architecture and the names of its methods."""
    return {
        (
            record["cell"]["architecture"],
            *(method["name"] for method in record["cell"]["methods"]),
        ): record
        for record in read_records(home)
    }


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A home in which a child, its teacher, and the child compressed have run."""
    home = tmp_path_factory.mktemp("filled") / "home"
    places = {"BENCH_HOME": str(home), "BENCH_PATH": str(FAKES)}
    words = [*RUN, "brisk", "--methods", "taught zeroed;taught"]
    result = run_bench(words, bench_environment(places), 300)
    assert result.returncode == 0, result.stdout + result.stderr
    return home


@pytest.fixture
def finished(filled, tmp_path):
    """The records of a copy of the home."""
    shutil.copytree(filled, tmp_path / "home")
    return by_methods(tmp_path / "home")


def test_parents_train_once_and_their_weights_are_kept(bench, tmp_path, finished):
    home = tmp_path / "home"
    teacher, child, zeroed = (
        finished[key] for key in (("brisk",), ("brisk", "taught"), ("brisk", "taught", "zeroed"))
    )
    assert len(read_records(home)) == 3
    assert teacher["cell"]["steps"] == 2 and child["cell"]["steps"] == 4
    kept = {path.name for path in (home / "weights").iterdir()}
    assert kept == {teacher["cell_id"], child["cell_id"]}
    # A compressed cell does not train: it scores the model of its parent before and after.
    assert zeroed["curves"] == {} and "training" not in zeroed["measurements"]
    assert zeroed["details"]["parent"]["cell_id"] == child["cell_id"]
    assert zeroed["details"]["parent"]["weights_sha256"] == child["details"]["weights"]["sha256"]
    trained = zeroed["variants"]["trained"]
    assert trained["metrics"]["validation"] == child["metrics"]["validation"]
    assert zeroed["details"]["methods"]["zeroed"] == {"largest_weight": 0.0}
    assert trained["measurements"]["inference"]["weight_bytes"]["value"] > 0
    # A parent whose weights are gone runs again only if a cell to run needs them.
    (home / "weights" / child["cell_id"] / "model.weights.h5").write_bytes(b"cut")
    plan = ("plan", *MATRIX, "brisk", "--methods")
    assert "3 cells, 0 to run" in bench(*plan, "taught zeroed").stdout
    for path in (home / "records").glob(f"{zeroed['cell_id']}.*"):
        path.unlink()
    assert "3 cells, 2 to run" in bench(*plan, "taught zeroed").stdout
    assert "2 cells, 0 to run" in bench(*plan, "taught").stdout


def test_a_child_of_another_teacher_runs_again(bench, tmp_path, finished):
    teacher, child = (finished[key] for key in (("brisk",), ("brisk", "taught")))
    assert child["details"]["parents"] == {"teacher": teacher["cell_id"]}
    (path,) = (tmp_path / "home" / "records").glob(f"{child['cell_id']}.*")
    path.write_text(path.read_text().replace(teacher["cell_id"], "0123456789abcdef"))
    plan = ("plan", *MATRIX, "brisk", "--methods", "taught")
    assert "2 cells, 1 to run" in bench(*plan).stdout


def test_weights_that_were_changed_are_refused_in_one_line(bench, tmp_path, finished):
    child, zeroed = (finished[key] for key in (("brisk", "taught"), ("brisk", "taught", "zeroed")))
    home = tmp_path / "home"
    weights = home / "weights" / child["cell_id"] / "model.weights.h5"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    for path in (home / "records").glob(f"{zeroed['cell_id']}.*"):
        path.unlink()
    result = bench(*RUN, "brisk", "--methods", "taught zeroed")
    assert result.returncode == 1
    found = by_methods(home)["brisk", "taught", "zeroed"]
    assert found["status"] == "failed"
    assert "Kept weights must have the checksum" in found["reason"]
    # Without them, the parent runs again first.
    weights.unlink()
    assert bench(*RUN, "brisk", "--methods", "taught zeroed", "--retry", "failed").returncode == 0
    assert by_methods(home)["brisk", "taught", "zeroed"]["status"] == "ok"


def test_the_child_of_a_failed_parent_is_skipped_and_says_so(bench, tmp_path):
    result = bench(*RUN, "brisk", "--method", "taught:teacher=raises")
    assert result.returncode == 1
    found = by_methods(tmp_path / "home")
    assert found["raises",]["status"] == "failed"
    child = found["brisk", "taught"]
    assert child["status"] == "skipped"
    assert child["reason"].startswith(
        f"its parent {found['raises',]['cell_id']} (teacher) is failed"
    )
