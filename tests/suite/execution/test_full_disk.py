"""A disk that fills up on the way: one clear line, nothing half written, then on from there."""

from __future__ import annotations

import subprocess
import time

import pytest

from suite.records.schema import parse_record
from tests.conftest import BENCH, FAKES, bench_environment, read_records

NUM_CELLS = 6
COMMAND = [
    *(str(BENCH), "run", "--mode", "probe", "--benchmark", "smoke", "--architectures", "hasty"),
    *("--rounds", str(NUM_CELLS), "--no-tracking", "--no-dashboard"),
]


@pytest.fixture
def small_disk(tmp_path):
    """Yield a folder on a file system of its own, of 300 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path):
    """Take all the room that is left."""
    with open(path, "wb", buffering=0) as file:
        for size in (2**20, 4_096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


@pytest.mark.slow
def test_a_disk_that_fills_up_on_the_way(small_disk):
    home, filler = small_disk / "home", small_disk / "filler"
    environment = bench_environment({"BENCH_HOME": str(home), "BENCH_PATH": str(FAKES)})
    process = subprocess.Popen(
        COMMAND, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while len(list(home.glob("records/*.json"))) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    fill(filler)
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 2, complaint
    (line,) = complaint.strip().splitlines()
    assert "Make room" in line or "make room" in line
    before = {path: path.read_bytes() for path in home.glob("records/*.json")}
    assert 2 <= len(before) < NUM_CELLS
    for content in before.values():
        parse_record(content)
    assert not list(home.glob("records/.*"))

    filler.unlink()
    again = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    well = [record["cell_id"] for record in read_records(home) if record["status"] == "ok"]
    assert len(well) == len(set(well)) == NUM_CELLS
    assert all(path.read_bytes() == content for path, content in before.items())
    assert not list((home / "scratch").iterdir())


def test_a_disk_that_is_full_before_is_refused(small_disk):
    fill(small_disk / "filler")
    environment = bench_environment(
        {"BENCH_HOME": str(small_disk / "home"), "BENCH_PATH": str(FAKES)}
    )
    refused = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=120)
    assert refused.returncode == 2
    *load, reason = refused.stderr.strip().splitlines()
    assert "Make room" in reason and all("other programs" in line for line in load)
