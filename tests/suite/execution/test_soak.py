"""Random kills of all processes: one clean run afterwards completes every record once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import BENCH, FAKES, bench_environment, processes_of, read_records, run_bench
from tests.mlflow_server import MlflowServer, agrees_with_records

PORT = 5_987
RETRY = ("--retry", "failed,timed_out,out_of_memory")


class Victims:
    """The processes of one home, by what they do."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def all(self) -> dict[int, tuple[int, str]]:
        return processes_of(self.home)

    def of(self, role: str) -> list[int]:
        everyone = self.all()
        servers = {
            pid
            for pid, (parent, command) in everyone.items()
            if "fork_process" in command and "fork_process" not in everyone.get(parent, (0, ""))[1]
        }
        return {
            "invocation": [pid for pid, (_, c) in everyone.items() if "bench run" in c],
            "forkserver": sorted(servers),
            "worker": [pid for pid, (parent, _) in everyone.items() if parent in servers],
            "helper": [pid for pid, (_, c) in everyone.items() if "suite.tracking.delivery" in c],
            "server": [],
        }[role]


@pytest.mark.parametrize(
    ("num_cells", "num_kills", "with_server"),
    [
        pytest.param(3, 2, False, id="short"),
        pytest.param(60, 100, True, id="long", marks=pytest.mark.slow),
    ],
)
def test_nothing_is_lost(tmp_path, num_cells, num_kills, with_server):
    seed = int(os.environ.get("SOAK_SEED", random.randrange(10**6)))
    print(f"SOAK_SEED={seed}")
    draw = random.Random(seed)
    home = tmp_path / "home"
    server = MlflowServer(tmp_path, PORT)
    extra = {"MLFLOW_TRACKING_URI": server.uri} if with_server else {}
    environment = bench_environment({"BENCH_HOME": str(home), "BENCH_PATH": str(FAKES), **extra})
    command = [
        *(str(BENCH), "run", "--mode", "probe", "--benchmark", "smoke", "--architectures", "hasty"),
        *("--rounds", str(num_cells)),
    ]
    runs_made = 1
    victims = Victims(home)
    roles = ["worker"] * 6 + ["invocation"] * 2 + ["forkserver", "helper"]
    roles += ["server"] if with_server else []
    killed: Counter[str] = Counter()
    invocation = None
    try:
        if with_server:
            server.start()
        while sum(killed.values()) < num_kills:
            if invocation is None or invocation.poll() is not None:
                words = [*command, *RETRY]
                if not _left(home, num_cells * runs_made):  # all done before all was killed
                    words, runs_made = [*command, "--rerun"], runs_made + 1
                invocation = subprocess.Popen(
                    [*words, "--no-dashboard"],
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            time.sleep(draw.uniform(0.05, 1.5))
            role = draw.choice(roles)
            if role == "server":
                server.kill()
                killed[role] += 1
                time.sleep(draw.uniform(0.0, 2.0))
                server.start()
            elif there := _wait_for(victims, role, invocation):
                with suppress(ProcessLookupError):
                    os.kill(draw.choice(there), signal.SIGKILL)
                    killed[role] += 1
        invocation.wait()
        print(f"killed {dict(killed)}")
        if with_server:
            server.wait_until_it_answers()

        def bench(*words: str) -> str:
            ended = run_bench(words, environment, 900)
            assert ended.returncode == 0, ended.stdout[-2_000:] + ended.stderr[-2_000:]
            return ended.stdout

        bench(*command[1:], *RETRY, "--no-dashboard")
        bench("sync")
        records = read_records(home)
        well = Counter(record["cell_id"] for record in records if record["status"] == "ok")
        assert len(well) == num_cells
        if runs_made == 1:
            assert set(well.values()) == {1}
        planned = json.loads(bench("plan", *command[2:], "--json"))
        assert [(cell["status"], cell["to_run"]) for cell in planned] == [("ok", False)] * num_cells
        agrees_with_records(
            extra.get("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow.db'}"), records
        )
        assert not list((home / "scratch").iterdir())
        assert not [path for path in home.rglob("*.part") if path.parent.name != "cache"]
    finally:
        if invocation is not None and invocation.poll() is None:
            os.killpg(invocation.pid, signal.SIGKILL)
            invocation.wait()
        server.kill()
    deadline = time.monotonic() + 20
    while victims.all() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not victims.all()


def _wait_for(victims: Victims, role: str, invocation: subprocess.Popen) -> list[int]:
    """Return the processes of a role once there are any: else who starts slowly is never hit."""
    deadline = time.monotonic() + 30
    while not (there := victims.of(role)):
        if invocation.poll() is not None or time.monotonic() > deadline:
            return []
        time.sleep(0.05)
    return there


def _left(home: Path, num_wanted: int) -> bool:
    """Whether there are fewer good records than there should be."""
    return sum(record["status"] == "ok" for record in read_records(home)) < num_wanted
