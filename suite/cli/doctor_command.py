"""`bench doctor`: checks of the machine, the installation and the home."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from textwrap import indent
from typing import Any

import click

from suite.actions.doctor import examine
from suite.cli.command import home_option, json_option, tfds_option


@click.command("doctor")
@tfds_option
@click.option(
    "--set-aside",
    is_flag=True,
    help="Move unreadable files from the records to the home's folder `set_aside`.",
)
@json_option
@home_option
def command(as_json: bool, **given: Any) -> None:
    """Check versions, devices, records, disk, data sources and tracking; print remedies.

    The exit code is 1 if something that every run needs is missing. A single data source, an extra
    backend or an unreadable record file does not count.
    """
    all_well = True
    before = "["
    for check in examine(**given):
        all_well &= check.ok or not check.needed
        if as_json:  # a list whose items are printed as the checks end
            text = indent(json.dumps(asdict(check), indent=1), " ")
            print(f"{before}\n{text}", end="", flush=True)
            before = ","
            continue
        mark = "ok  " if check.ok else "MISS"
        print(f"{mark}  {check.name}: {check.found}", flush=True)
        if not check.ok:
            print(f"      → {check.remedy}", flush=True)
    if as_json:
        print("\n]")
    sys.exit(0 if all_well else 1)
