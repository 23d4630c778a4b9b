"""Packs: cells run on another machine, and their records are imported."""

from __future__ import annotations

import dataclasses
import importlib
import json
import subprocess
import sys
import tarfile
import zipfile

import pytest

from suite.api import Job, Recipe, RequestError
from suite.execution.executors import packed
from suite.publish.bundle import COSTS, TRAINING, download_wheels, with_requirements
from suite.records.model_sizes import MODEL_SIZES
from tests.builders.records import CELL, make_record
from tests.conftest import bench_environment, read_records

SMOKE = ("--benchmark", "smoke", "--architectures", "brisk", "--seeds", "0")


def run_pack(pack, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "run.py", *arguments],
        cwd=pack,
        env={**bench_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_packed_cells_run_without_the_checkout_and_their_records_are_imported(bench, tmp_path):
    pack = tmp_path / "pack"
    task = ("--task", "image_classification", "--length", "16", "--steps", "16")
    task += ("--option", "compile=graph")  # XLA would compile longer than the cell trains
    assert bench("export", str(pack), *task, *SMOKE).returncode == 0
    assert not read_records(tmp_path / "home")
    text = "".join(path.read_text() for path in pack.glob("jobs/*/job.json"))
    assert '"data_dir": null' in text
    assert "0 records imported, 1 cells have" in bench("import", str(pack)).stdout
    stopped = run_pack(pack, "--stop-after", "1s")
    assert stopped.returncode == 3 and stopped.stdout.startswith("1 cells are left"), stopped
    results = tmp_path / "results"
    there = run_pack(pack, "--stop-after", "9m", "--results", str(results))
    assert there.returncode == 0, there.stdout + there.stderr
    assert "[1/1]" in there.stdout and run_pack(pack).stdout == ""
    about = json.loads((pack / "about.json").read_text())
    clean = {**about, "commit": {"commit": "c" * 40, "dirty": False}}
    (pack / "about.json").write_text(json.dumps(clean))
    imported = bench("import", str(results)).stdout
    assert imported.endswith("1 records imported\n")
    (from_archive,) = read_records(tmp_path / "home")
    for _ in range(2):
        assert "1 records imported, 0 cells have" in bench("import", str(pack)).stdout
    (record,) = read_records(tmp_path / "home")
    assert from_archive["metrics"] == record["metrics"]
    assert from_archive["run_id"] == record["run_id"]
    assert record["status"] == "ok"
    assert record["metrics"]["validation"]["accuracy"] > 0
    assert record["data"]["digest"]
    assert record["environment"]["commit"], "the commit of the checkout that made the pack"
    assert (
        record["environment"]["code"]["commit"] is None
        and record["environment"]["code"]["task_digest"]
    )
    assert "0 to run" in bench("plan", *task, *SMOKE).stdout
    # The pack was written to an absolute path, which must not keep its records from publication.
    assert record["invocation"]["command"].startswith("bench export … --task image_classification")
    published = bench("publish", "--dry-run")
    assert "1 records would be published" in published.stdout, published.stdout


def test_archives_hold_the_results_of_finished_cells_and_stay_below_their_size(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(packed, "ARCHIVE_BYTES", 2_500)
    (tmp_path / "about.json").write_text("{}")
    for number in range(6):
        job = tmp_path / "jobs" / str(number)
        job.mkdir(parents=True)
        (job / "job.json").write_text("x" * 1_000)
        (job / "checkpoint.npz").write_text("x" * 9_000)
        if number:
            (job / "ending.json").write_text("{}")
    paths = list(packed.write_archives(tmp_path, tmp_path / "results"))
    names = []
    for path in paths:
        with tarfile.open(path) as archive:
            first, *others = archive.getnames()
        assert first == "about.json"
        names.append(others)
    assert [len(group) for group in names] == [4, 4, 2], names
    assert names[0][:2] == ["jobs/1/job.json", "jobs/1/ending.json"]


def test_a_pack_s_wheels_serve_where_the_machine_lacks_the_package(tmp_path, monkeypatch):
    (tmp_path / "wheels").mkdir()
    for name in ("numpy", "lacking_here"):
        with zipfile.ZipFile(tmp_path / "wheels" / f"{name}-9.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}/__init__.py", "VERSION = 9")
    monkeypatch.setattr(sys, "path", list(sys.path))
    packed.use_wheels(tmp_path)
    assert importlib.import_module("lacking_here").VERSION == 9
    assert [path.name for path in (tmp_path / "unpacked").iterdir()] == ["lacking_here"]


def test_keras_and_all_that_it_needs_are_packed():
    def packages(names, *backends):
        return {text.split("==")[0] for text in with_requirements(names, backends)}

    names = packages(COSTS, "jax")
    assert not names & {"scikit-learn", "scipy", "ml-dtypes"}
    assert {"scikit-learn", "joblib"} <= packages(TRAINING, "jax")
    assert {"ml-dtypes", "scipy"} <= packages(TRAINING, "jax", "torch"), "PyTorch has neither"
    assert {"keras", "h5py", "optree", "absl-py", "rich", "pygments"} <= names
    assert not names & {"numpy", "tensorflow", "jax", "torch"}


def test_a_python_version_without_wheels_is_refused(tmp_path):
    with pytest.raises(RequestError, match=r"for the Python version.*Received: 2\.1"):
        download_wheels(tmp_path / "wheels", "2.1", COSTS, ("jax",))


def test_a_pack_may_need_what_only_the_other_machine_has(bench, tmp_path):
    pack = tmp_path / "pack"
    probe = ("--mode", "probe", "--backend", "jax", "--precision", "tensorfloat32")
    result = bench("export", str(pack), *probe, *SMOKE[:4])
    assert result.returncode == 0, result.stderr
    (job,) = pack.glob("jobs/*/job.json")
    assert json.loads(job.read_text())["cell"]["precision"] == "tensorfloat32"
    assert "needs an accelerator" in bench("run", *probe, *SMOKE[:4]).stderr


def test_an_archive_that_is_cut_off_is_refused(bench, tmp_path):
    path = tmp_path / "results-1.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(__file__, "about.json")
    path.write_bytes(path.read_bytes()[:-30])
    result = bench("import", str(path))
    assert result.returncode == 2 and "bench export" in result.stderr


@pytest.mark.parametrize("content", [None, "{}", "no json", json.dumps({"limits": 3})])
def test_a_folder_that_is_no_pack_is_refused(bench, tmp_path, content):
    if content is not None:
        (tmp_path / "about.json").write_text(content)
    result = bench("import", str(tmp_path))
    assert result.returncode == 2 and "bench export" in result.stderr


def test_a_pack_is_never_written_to_an_existing_folder(bench, tmp_path):
    result = bench("export", str(tmp_path), "--mode", "probe", *SMOKE[:4])
    assert result.returncode == 2 and "new folder" in result.stderr


def write_pack(folder):
    """Write a pack with two cells that have run, and return the folder of each cell."""
    record = make_record()
    about = {
        "limits": {"seconds": 9, "memory_bytes": 9},
        "invocation": json.loads(record.invocation.model_dump_json()),
        "commit": {"commit": "c" * 40, "dirty": False},
        "digests": {},
    }
    jobs = []
    for seed in range(2):
        job = folder / "jobs" / f"2026010{seed + 1}T000000000000Z-abcdef"
        job.mkdir(parents=True)
        paths = (job, job, job / "checkpoint.npz")
        cell = dataclasses.replace(CELL, seed=seed)
        text = Job(cell, MODEL_SIZES["tiny"], Recipe(), None, (), *paths).to_json()
        (job / "job.json").write_text(text)
        (job / "ranking.json").write_text(record.ranking.model_dump_json())
        (job / "ending.json").write_text(json.dumps(ENDING))
        jobs.append(job)
    (folder / "about.json").write_text(json.dumps(about))
    return jobs


ENDING = {
    "started_at": "2026-01-01T00:00:00+00:00",
    "ended_at": "2026-01-01T00:00:09+00:00",
    "seconds": 9.0,
    "exit_code": 1,
    "stopped": None,
    "log_tail": "",
    "environment": {"processor": "abacus"},
}


@pytest.mark.parametrize(
    ("file", "content"),
    [
        *(("ending.json", text) for text in ("", "[]", "{}", "\ufeff")),
        *(
            ("ending.json", json.dumps({**ENDING, name: value}))
            for name, value in {
                "started_at": 3,
                "ended_at": "yesterday",
                "exit_code": "x",
                "environment": 3,
                "log_tail": "\ud800",
            }.items()
        ),
        *(("outcome.json", text) for text in ("{", "[]", "3", "{}", '{"status": "fine"}')),
        ("provenance.json", "{"),
        ("provenance.json", '{"cost_digest": 3}'),
        ("ranking.json", "{}"),
        ("job.json", "{"),
        ("job.json", ("128", '"many"')),
        ("job.json", ('"longformer"', "3")),
        ("", "not a run"),
        ("", "a" * 120),
    ],
)
def test_a_cell_of_a_pack_that_cannot_be_read_hides_no_other(bench, tmp_path, file, content):
    bad, _ = write_pack(tmp_path / "pack")
    if isinstance(content, tuple):
        old, new = content
        text = (bad / file).read_text()
        assert old in text
        content = text.replace(old, new)
    if file:
        (bad / file).write_text(content)
    else:
        bad = bad.rename(bad.with_name(content))
    with tarfile.open(tmp_path / "results-1.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "pack", ".")
    result = bench("import", str(tmp_path / "results-1.tar.gz"))
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1, result.stderr
    assert f"results-1.tar.gz, run {bad.name} (" in result.stderr
    (imported,) = read_records(tmp_path / "home")
    assert imported["cell"]["seed"] == 1
