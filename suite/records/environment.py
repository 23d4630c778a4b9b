"""What a run ran on: the machine, the versions, the commit. Read once by the parent."""

from __future__ import annotations

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

from suite.api.files import CHECKOUT

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


@cache
def describe_environment() -> Mapping[str, Any]:
    """Return the hardware, the versions and the commit, as a record holds them."""
    return {**describe_machine(), **describe_commit()}


@cache
def describe_machine() -> Mapping[str, Any]:
    """Return the hardware and the versions."""
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


def num_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def total_memory_bytes() -> int:
    """Return the memory of the machine, or of the container where that is less."""
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
    """Return how much memory can be taken now, None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line), None)


def has_accelerator() -> bool:
    """Whether the system shows a GPU or TPU, found without any framework."""
    return any(any(Path("/dev").glob(name)) for name in ("nvidia[0-9]*", "kfd", "accel*"))


def accelerator_names(driver: Path = Path("/proc/driver/nvidia/gpus")) -> list[str]:
    """Name the NVIDIA devices as their driver does ("NVIDIA H200"), without any framework."""
    names = []
    for path in sorted(driver.glob("*/information")):
        fields = dict(line.partition(":")[::2] for line in path.read_text().splitlines())
        names.append(fields.get("Model", "").strip())
    return [name for name in names if name]


def accelerator_ids() -> list[str]:
    """Return the NVIDIA devices that may be used: CUDA_VISIBLE_DEVICES, or all that are there."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    # Where a container was given some of a machine's, their files keep the machine's numbers, and
    # CUDA counts from 0.
    files = (path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))
    return [str(number) for number in range(sum(name.isdigit() for name in files))]


def describe_commit() -> dict[str, Any]:
    """Return the checkout's commit and whether it was changed since, `results/` aside."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    changes = _git("status", "--porcelain", "--", ".", ":(exclude)results")
    return {"commit": commit, "dirty": bool(changes)}


def needs_spawn() -> bool:
    """Whether a forked child is unsafe here: macOS, or an accelerator's driver is present."""
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
    """Name a machine by its accelerators, processor and cores, as a folder.

    "amd-epyc-family-25-model-1-2-cores", "nvidia-h200-amd-epyc-…". Costs are compared within one.
    The accelerators are those that the cell saw, or all there are where it did not live to tell.
    """
    devices = environment.get("devices") or environment.get("accelerators")
    named = {str(device) for device in devices} if isinstance(devices, list) else set()
    accelerators = sorted(name for name in named if "CPU" not in name.upper())
    processor = str(environment.get("processor") or "unknown")
    words = " ".join([*accelerators, processor, f"{environment.get('num_cores')} cores"])
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:64]


def hardware(environment: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what of a machine every record of it knows alike, however its cell ended."""
    accelerators = environment.get("accelerators") or ()
    return environment.get("processor"), environment.get("num_cores"), *accelerators


def _processor_name() -> str:
    try:
        described = name_processor(Path("/proc/cpuinfo").read_text())
    except OSError:
        described = None
    return described or platform.processor() or platform.machine()


def name_processor(cpuinfo: str) -> str | None:
    """Return the processor's name with its family and model; None where the system tells no name.

    The name alone may say little: in a virtual machine "AMD EPYC" is any of a decade's, and one may
    multiply matrices three times as fast as another.
    """
    lines = (line.partition(":") for line in cpuinfo.split("\n\n", 1)[0].splitlines())
    fields = {name.strip(): value.strip() for name, _, value in lines}
    name, family, model = (fields.get(key) for key in ("model name", "cpu family", "model"))
    return f"{name} (family {family}, model {model})" if name and family and model else name
