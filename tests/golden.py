"""Everything that the suite computes from the published records, to compare two commits.

A redesign must not move a number. `python -m tests.golden write DIR` writes what this checkout
computes: the leaderboard and its archive, the pages with figures, the data of the site, the tables
of `bench report`, ten records as MLflow runs, and the cells of each benchmark.
`python -m tests.golden compare BEFORE AFTER` lists the differences between two such folders, and
exits with 1 if there is one. It compares JSON by value and other files by line. Numbers that differ
by less than one in a million are counted and not listed: another library rounds otherwise.

The published records of both folders must be the same. Copy `results` into the older checkout
first if it has changed since.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MAX_DIFFERENCES = 40
"""The most differences that are listed for each file."""
NUM_TRACKED_RECORDS = 10
MISSING = "nothing"
ROUNDING = 1e-6
"""The relative difference below which numbers are equal but for rounding."""


def write(folder: Path) -> None:
    """Write all that is computed from the published records."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _copy_results(folder / "results")
    with tempfile.TemporaryDirectory() as home:
        _bench("dashboard", "--published", home=home)
        for path in sorted(Path(home, "published_site", "data").rglob("*.js")):
            _write_json(folder / "site" / f"{path.stem}.json", _script_content(path))
        for name, options in (("report", ()), ("trials", ("--trials",))):
            text = _bench("report", "--published", "--json", *options, home=home)
            _write_json(folder / f"{name}.json", json.loads(text))
        (folder / "report.txt").write_text(_bench("report", "--published", home=home))
        _write_json(
            folder / "benchmarks.json", json.loads(_bench("benchmarks", "--json", home=home))
        )
        for path in sorted((ROOT / "suite/matrix/benchmarks").glob("*.toml")):
            plan = _bench("plan", "--benchmark", path.stem, "--json", home=home, may_fail=True)
            cells = json.loads(plan) if plan.startswith(("{", "[")) else plan
            _write_json(folder / "plans" / f"{path.stem}.json", cells)
    _write_json(folder / "mlflow.json", _tracked())


def compare(before: Path, after: Path) -> int:
    """Print the differences between two folders and return how many files differ."""
    names = {str(path.relative_to(root)) for root in (before, after) for path in root.rglob("*.*")}
    num_different = 0
    for name in sorted(names):
        texts = [_read(root / name) for root in (before, after)]
        if texts[0] == texts[1]:
            continue
        num_different += 1
        print(name)
        if MISSING in texts:
            print(f"  only {'after' if texts[0] == MISSING else 'before'}")
            continue
        if name.endswith(".json"):
            differences = _differences(json.loads(texts[0]), json.loads(texts[1]), "")
        else:
            differences = _line_differences(*texts)
        found = list(differences)
        listed = [each for each in found if not _is_rounding(*each[1:])]
        for place, old, new in listed[:MAX_DIFFERENCES]:
            print(f"  {place}: {_short(old)} → {_short(new)}")
        if more := len(listed[MAX_DIFFERENCES:]):
            print(f"  and {more:,} more")
        if rounded := len(found) - len(listed):
            print(f"  {rounded:,} numbers differ by rounding")
    print(f"{num_different} of {len(names)} files differ")
    return num_different


def _bench(*arguments: str, home: str, may_fail: bool = False) -> str:
    result = subprocess.run(
        [sys.executable, "-c", "from suite.cli import main; main()", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BENCH_HOME": home, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode and not may_fail:
        raise SystemExit(result.stderr or result.stdout)
    return (result.stdout or result.stderr).replace(home, "HOME")


def _copy_results(folder: Path) -> None:
    """Write the leaderboard and the pages with figures, as `bench leaderboard` makes them."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary, "results")
        shutil.copytree(ROOT / "results", copy, ignore=shutil.ignore_patterns("local"))
        shutil.copytree(ROOT / "docs", Path(temporary, "docs"))
        _bench("leaderboard", "--results", str(copy), home=temporary)
        shutil.copytree(copy / "leaderboard", folder / "leaderboard")
        for page in (copy / "LEADERBOARD.md", copy / "README.md", copy / "../docs/quick-tour.md"):
            shutil.copy(page, folder)


def _script_content(path: Path) -> Any:
    """Return the data of a script `window.NAME = JSON;` of the site; another script as text."""
    text = path.read_text(encoding="utf-8")
    starts = [index for index in (text.find("{"), text.find("[")) if index >= 0]
    return json.JSONDecoder().raw_decode(text[min(starts) :])[0] if starts else text


def _tracked() -> dict[str, Any]:
    """Return the parameters, metrics and tags of ten records as MLflow runs."""
    from suite.api.files import RESULTS
    from suite.records.published import read_published, read_record
    from suite.tracking import runs

    records = sorted(read_published(RESULTS), key=lambda stored: stored.record.run_id)
    stride = len(records) // NUM_TRACKED_RECORDS
    tracked = {}
    for stored in records[::stride][:NUM_TRACKED_RECORDS]:
        record = read_record(stored.address)
        tracked[record.run_id] = {
            "title": runs.cell_title(record),
            "parameters": runs.params_of(record),
            "metrics": runs.metrics_of(record),
            "tags": runs.cell_tags(record),
            "session": runs.invocation_title(record),
            "curves": [
                [metric.key, metric.step, metric.value] for metric in runs.curve_metrics(record, 0)
            ],
            "by_evaluation_length": [
                [metric.key, metric.step, metric.value]
                for metric in runs.evaluation_length_metrics(record, 0)
            ],
        }
    return tracked


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else MISSING


def _differences(before: Any, after: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            yield from _differences(
                before.get(name, MISSING), after.get(name, MISSING), f"{place}.{name}"
            )
    elif isinstance(before, list) and isinstance(after, list):
        for number, (old, new) in enumerate(zip_longest(before, after, fillvalue=MISSING)):
            yield from _differences(old, new, f"{place}[{number}]")
    elif before != after:
        yield place, before, after


def _is_rounding(before: Any, after: Any) -> bool:
    numbers = isinstance(before, float) and isinstance(after, float)
    return numbers and math.isclose(before, after, rel_tol=ROUNDING, abs_tol=ROUNDING**2)


def _line_differences(before: str, after: str) -> Iterator[tuple[str, str, str]]:
    pairs = zip_longest(before.splitlines(), after.splitlines(), fillvalue=MISSING)
    for number, (old, new) in enumerate(pairs, 1):
        if old != new:
            yield f"line {number}", old, new


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:160]}…"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", folder]:
            write(Path(folder))
        case ["compare", before, after]:
            sys.exit(compare(Path(before), Path(after)) > 0)
        case _:
            sys.exit(__doc__)
