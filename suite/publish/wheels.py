"""Wheels of Keras and scikit-learn for a machine without network: they travel in a pack."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from suite.api.errors import RequestError

COSTS = ("keras",)
"""The packages of a pack that measures costs."""
TRAINING = (*COSTS, "scikit-learn")
"""The packages of a pack that trains: scikit-learn scores classes."""
THERE = {
    "jax": ("numpy", "ml-dtypes", "scipy"),
    "tensorflow": ("numpy", "ml-dtypes"),
    "torch": ("numpy",),
}
"""Packages that come with each backend. PyTorch does not bring NumPy, but its users have it."""
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_28_x86_64", "linux_x86_64")


def with_requirements(names: Sequence[str], backends: Iterable[str]) -> list[str]:
    """Return packages and their requirements at the versions installed here: "keras==3.15.1".

    Packages that come with all of the backends are left out.
    """
    there = set.intersection(*(set(THERE[backend]) for backend in backends))
    found: dict[str, str] = {}
    waiting = [*names]
    while waiting:
        name = waiting.pop()
        if name in found or name in there:
            continue
        found[name] = importlib.metadata.version(name)
        needed = map(Requirement, importlib.metadata.requires(name) or ())
        # A requirement of an extra, or of another Python version, has a marker.
        waiting += [canonicalize_name(one.name) for one in needed if not one.marker]
    return [f"{name}=={version}" for name, version in found.items()]


def download_wheels(
    folder: Path, python_version: str, names: Sequence[str], backends: Iterable[str]
) -> None:
    """Download packages and their requirements for Linux on x86-64 and a Python such as "3.12".

    Raises:
        RequestError: pip cannot download a wheel; the message has its last line.
    """
    platforms = [argument for name in PLATFORMS for argument in ("--platform", name)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", *platforms]
    command += [
        "--python-version",
        python_version,
        "--dest",
        str(folder),
        *with_requirements(names, backends),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise RequestError(
            "pip must find wheels for the Python version of the other machine",
            received=f"{python_version} ({last})",
        )
