"""`bench export`: pack cells for a machine without network or TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from suite.cli.options import make_request, make_store, request_options
from suite.cli.sessions import command_line
from suite.cli.unreadable import print_unreadable
from suite.execution.preparation import prepare
from suite.publish.bundle import pack


@click.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
@request_options
def command(folder: Path, home: str | None, **given: Any) -> None:
    """Pack the cells that are left to run, with the code and their encoded data, into FOLDER.

    Copy FOLDER to the other machine and run `python run.py` in it. That machine needs Keras, NumPy
    and the backend only. Copy FOLDER back, and `bench import FOLDER` writes the records.

    \b
    Examples:
      bench export pack --mode probe --backend jax --precision mixed_bfloat16
      bench export pack --task language_modeling --data tfds --backend jax --seeds 0
    """
    prepared = prepare(make_request(given), make_store(home), report_unreadable=print_unreadable)
    packed = pack(prepared, folder, command_line())
    size = f"{packed.num_bytes / 2**20:.1f} MiB"
    print(f"{packed.num_cells} cells packed into {folder} ({size})")
    print("Run the cells on the other machine: python run.py")
