"""The environment of a run: the machine, the package versions and the commit.

A pack's cells run where only Keras, NumPy and a backend are installed, so this module imports
other packages inside the functions that need them.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from suite.api.files import CHECKOUT, IN_CHECKOUT

PACKAGES = (
    "tensorflow",
    "jax",
    "torch",
    "keras",
    "tensorflow-datasets",
    "numpy",
    "mlflow-skinny",
)
FALLBACK_MEMORY_BYTES = 8 * 2**30
"""The assumed memory of a system that does not report it."""
COMMIT = re.compile(r"[0-9a-f]{1,64}")
MAX_MACHINE_NAME = 240
"""A folder's name may have 255 bytes; the rest is left for a suffix."""


@cache
def describe_environment() -> Mapping[str, Any]:
    """Return the hardware, the package versions and the commit, as a record holds them."""
    return {**describe_machine(), **describe_commit()}


@cache
def describe_machine() -> Mapping[str, Any]:
    """Return the hardware and the package versions."""
    return {
        "host_name": platform.node(),
        "operating_system": f"{platform.system()} {platform.release()}",
        "processor": _processor_name(),
        "num_cores": num_cores(),
        "accelerators": accelerator_names(),
        "memory_bytes": total_memory_bytes(),
        "python": platform.python_version(),
        "packages": {name: _package_version(name) for name in PACKAGES},
    }


INTERFERENCE_LIMIT = 0.1
"""The highest share of a cell's cores that other processes may take in a quiet measurement."""


def num_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def total_memory_bytes() -> int:
    """Return the memory of the machine, or the limit of the container (cgroup) if that is lower."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return FALLBACK_MEMORY_BYTES
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
    except (OSError, ValueError):
        return total
    return min(total, limit)


def available_memory_bytes() -> int | None:
    """Return the memory that new processes can get; None if the system does not report it."""
    import psutil

    try:
        return int(psutil.virtual_memory().available)
    except (OSError, RuntimeError, NotImplementedError):
        return None


def has_accelerator() -> bool:
    """Return whether the system has a GPU or TPU; no framework is imported."""
    return any(any(Path("/dev").glob(name)) for name in ("nvidia[0-9]*", "kfd", "accel*"))


def accelerator_names(driver: Path = Path("/proc/driver/nvidia/gpus")) -> list[str]:
    """Return the NVIDIA devices by the names of their driver, as "NVIDIA H200"."""
    names = []
    for path in sorted(driver.glob("*/information")):
        fields = dict(line.partition(":")[::2] for line in path.read_text().splitlines())
        names.append(fields.get("Model", "").strip())
    return [name for name in names if name]


def accelerator_ids() -> list[str]:
    """Return the ids of the NVIDIA devices in CUDA_VISIBLE_DEVICES, or of all devices."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    # Device files keep the host's numbers inside a container, but CUDA counts from 0.
    files = (path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))
    return [str(number) for number in range(sum(name.isdigit() for name in files))]


def commit_of(environment: Mapping[str, Any]) -> str | None:
    """Return the commit that an environment states; None if it states none, or another text."""
    commit = environment.get("commit")
    return commit if isinstance(commit, str) and COMMIT.fullmatch(commit) else None


def describe_commit() -> dict[str, Any]:
    """Return the checkout's commit, and whether files outside `results/` differ from it.

    A value is None if git does not report it, and for an installed wheel: a repository around its
    environment holds other code.
    """
    commit = _git("rev-parse", "HEAD") if IN_CHECKOUT else None
    if commit is None:
        return {"commit": None, "dirty": None}
    changes = _git("status", "--porcelain", "--", ".", ":(exclude)results")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def needs_spawn() -> bool:
    """Return whether forking is unsafe: on macOS, and with the driver of an accelerator."""
    accelerators = ("/dev/nvidiactl", "/dev/kfd", "/dev/accel0", "/dev/vfio/0")
    return sys.platform == "darwin" or any(Path(path).exists() for path in accelerators)


def _git(*arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", "-C", str(CHECKOUT), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


def _package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def machine_name(environment: Mapping[str, Any]) -> str:
    """Return the name of a machine's folder: accelerators, processor and number of cores.

    The name alone does not make costs comparable, see `speed_facts`. A name that is too long for a
    folder ends in a digest of the whole name.
    """
    accelerators = sorted(set(_used_accelerators(environment)))
    processor = str(environment.get("processor") or "unknown")
    words = " ".join([*accelerators, processor, f"{environment.get('num_cores')} cores"])
    return _folder_name(words)


@cache
def _folder_name(words: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
    if len(name) <= MAX_MACHINE_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name[: MAX_MACHINE_NAME - len(digest) - 1]}-{digest}"


def hardware(environment: Mapping[str, Any]) -> tuple[object, ...]:
    """Return the part of a machine's description that each of its records has, even failed ones."""
    memory = environment.get("memory_bytes")
    # The system keeps a varying part of the memory for itself.
    gibibytes = -(-memory // 2**30) if isinstance(memory, int) else None
    accelerators = environment.get("accelerators") or ()
    return environment.get("processor"), environment.get("num_cores"), gibibytes, *accelerators


def speed_facts(environment: Mapping[str, Any], backend: str) -> tuple[object, ...]:
    """Return what determines the speed of a machine; costs are compared only where it is equal."""
    packages = environment.get("packages")
    versions = packages if isinstance(packages, Mapping) else {}
    return (
        *hardware(environment),
        *sorted(_used_accelerators(environment)),
        *(f"{name} {versions.get(name)}" for name in sorted({backend, "keras", "numpy"})),
    )


def _used_accelerators(environment: Mapping[str, Any]) -> list[str]:
    """Return the accelerators that the cell used, or those of the machine if it ended too early."""
    devices = environment.get("devices") or environment.get("accelerators")
    named = [str(device) for device in devices] if isinstance(devices, list) else []
    return [name for name in named if "CPU" not in name.upper()]


def _processor_name() -> str:
    try:
        described = name_processor(Path("/proc/cpuinfo").read_text())
    except OSError:
        described = None
    return described or platform.processor() or platform.machine()


def name_processor(cpuinfo: str) -> str | None:
    """Return the processor's name with its family and model; None if `cpuinfo` has no name.

    The name alone is ambiguous: in a virtual machine, "AMD EPYC" is any processor of a decade.
    """
    lines = (line.partition(":") for line in cpuinfo.split("\n\n", 1)[0].splitlines())
    fields = {name.strip(): value.strip() for name, _, value in lines}
    name, family, model = (fields.get(key) for key in ("model name", "cpu family", "model"))
    return f"{name} (family {family}, model {model})" if name and family and model else name
