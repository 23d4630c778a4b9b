"""Wheels of Keras for a machine without network: they travel in a pack."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

from suite.api.errors import RequestError

ROOT = "keras"
THERE = ("numpy", "ml-dtypes")
"""Packages that come with JAX and PyTorch, or are optional without them."""
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_28_x86_64", "linux_x86_64")


def keras_packages() -> list[str]:
    """Return Keras and the packages that it needs, with the versions installed here.

    They are in the order of pip's arguments: "keras==3.15.1". `THERE` is left out.
    """
    found: dict[str, str] = {}
    waiting = [ROOT]
    while waiting:
        name = waiting.pop()
        if name in found or name in THERE:
            continue
        found[name] = importlib.metadata.version(name)
        for requirement in importlib.metadata.requires(name) or ():
            if ";" not in requirement:  # it belongs to an extra, or to another Python version
                match = re.match(r"[A-Za-z0-9._-]+", requirement)
                assert match is not None
                waiting.append(re.sub(r"[-_.]+", "-", match[0]).lower())
    return [f"{name}=={version}" for name, version in found.items()]


def download_wheels(folder: Path, python_version: str) -> None:
    """Download Keras and what it needs for Linux on x86-64 and a Python version such as "3.12".

    Raises:
        RequestError: pip cannot download a wheel; the message has its last line.
    """
    platforms = [argument for name in PLATFORMS for argument in ("--platform", name)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", *platforms]
    command += ["--python-version", python_version, "--dest", str(folder), *keras_packages()]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise RequestError(
            "pip must find wheels of Keras for the Python version of the other machine",
            received=f"{python_version} ({last})",
        )
