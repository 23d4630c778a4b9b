"""`bench export`: pack cells for a machine without network or TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from suite.actions.publishing import export
from suite.cli.command import Command, request_options


@click.command("export", cls=Command)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--python",
    "python_version",
    metavar="VERSION",
    help="Python version of the other machine, such as 3.12: the pack then holds Keras and what it "
    "needs, for Linux on x86-64. [default: Keras is installed there]",
)
@request_options
def command(folder: Path, python_version: str | None, **given: Any) -> None:
    """Pack the cells that are left to run, with the code and their encoded data, into FOLDER.

    Copy FOLDER to the other machine and run `python run.py` in it. That machine needs Keras, NumPy,
    the backend, and scikit-learn for tasks of classes; with --python, the pack holds Keras and
    scikit-learn. `run.py --stop-after 9m` stops in time, and the same command continues. Copy
    FOLDER back, or what `run.py --results DIR` wrote, and `bench import` writes the records.
    Architectures of ranked cells are checked first, as `bench check` does.

    \b
    Examples:
      bench export pack --mode probe --backend jax --precision mixed_bfloat16
      bench export pack --task language_modeling --data tfds --backend jax --seeds 0
      bench export pack --benchmark accelerator --python 3.12
    """
    packed = export(folder, python_version=python_version, **given)
    size = f"{packed.num_bytes / 2**20:.1f} MiB"
    print(f"{packed.num_cells} cells packed into {folder} ({size})")
    print("Run the cells on the other machine: python run.py")
