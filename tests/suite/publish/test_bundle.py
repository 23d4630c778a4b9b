"""Packs: cells run on another machine, and their records are imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import bench_environment, read_records

SMOKE = ("--benchmark", "smoke", "--architectures", "brisk", "--seeds", "0")


def run_pack(pack, **environment):
    return subprocess.run(
        [sys.executable, "run.py"],
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
    there = run_pack(pack)
    assert there.returncode == 0, there.stdout + there.stderr
    assert "[1/1]" in there.stdout and run_pack(pack).stdout == ""
    about = json.loads((pack / "about.json").read_text())
    clean = {**about, "commit": {"commit": "c" * 40, "dirty": False}}
    (pack / "about.json").write_text(json.dumps(clean))
    for _ in range(2):
        assert "1 records imported, 0 cells have" in bench("import", str(pack)).stdout
    (record,) = read_records(tmp_path / "home")
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


@pytest.mark.parametrize("content", [None, "{}", "no json", json.dumps({"limits": 3})])
def test_a_folder_that_is_no_pack_is_refused(bench, tmp_path, content):
    if content is not None:
        (tmp_path / "about.json").write_text(content)
    result = bench("import", str(tmp_path))
    assert result.returncode == 2 and "bench export" in result.stderr


def test_a_pack_is_never_written_to_an_existing_folder(bench, tmp_path):
    result = bench("export", str(tmp_path), "--mode", "probe", *SMOKE[:4])
    assert result.returncode == 2 and "new folder" in result.stderr
