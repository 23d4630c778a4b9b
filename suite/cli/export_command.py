"""`bench export`: cells for a machine that has neither network nor TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from suite.cli.options import make_request, make_store, request_options
from suite.cli.planning import print_unreadable
from suite.cli.sessions import command_line
from suite.execution.preparation import check_any_can_run, prepare
from suite.execution.session import make_invocation
from suite.publish.bundle import pack


@click.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
@request_options
def command(folder: Path, home: str | None, **given: Any) -> None:
    """Pack the cells that are left to run, with the code and their encoded data, into FOLDER.

    There, `python run.py` runs them: it needs keras, NumPy and the backend, nothing else. Back
    here, `bench import FOLDER` makes their records.

    \b
    Examples:
      bench export pack --mode probe --backend jax --precision mixed_bfloat16
      bench export pack --task language_modeling --data tfds --backend jax --seeds 0
    """
    request, store = make_request(given), make_store(home)
    prepared = prepare(request, store, report_unreadable=print_unreadable)
    check_any_can_run(prepared)
    cells = prepared.plan.to_run
    pack(
        cells,
        folder,
        tasks=dict(prepared.tasks),
        digests=dict(prepared.digests),
        search_path=prepared.search_path,
        limits=prepared.limits,
        invocation=make_invocation(command_line(), len(cells)),
    )
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{len(cells)} cells packed into {folder} ({size / 2**20:.1f} MiB)")
    print("Run them there with: python run.py")
