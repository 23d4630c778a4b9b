"""The source `code`: the Python files of pinned wheels, each a document.

pip fetches the wheels; they are neither installed nor run.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from suite.api import DataError, DataNotPrepared, SourceRequest

FOLDER = "code_wheels"
"""The folder of the wheels among the prepared data sets."""
MIN_BYTES, MAX_BYTES = 16_385, 200_000
"""The sizes of the files that are documents."""
EXCLUDED = re.compile(
    r"(^|/)(tests?|testing|benchmarks?|locale)/|(^|/)(test|bench)_[^/]*$|_test\.py$"
)
"""Tests repeat each other, and translations are no code."""


WHEELS = {
    "Django-5.2": "91ceed4e3a6db5aedced65e3c8f963118ea9ba753fc620831c77074e620e7d83",
    "mpmath-1.4.1": "dc4f0ea2304480d4a9a48a94c1020571558ade522b44a6912efac63a586e140f",
    "networkx-3.6.1": "d47fbf302e7d9cbbb9e2555a0d267983d2aa476bac30e90dfbe5669bd57f3762",
    "nltk-3.10.4": "769ba5413f265b7d3e87cd163cc28efa01e29eeef8bb6080bc907949d9fcfb51",
    "pygments-2.21.0": "2363c69b61c4a97c838da3b130dcd6468f4848992b21a82f2a63ec34377137d9",
    "sqlalchemy-2.1.0": "8728cbc7544d05c5cab9bf50749636f128e4db4828a20ce5952355c4f33d6e2e",
    "sympy-1.14.0": "e091cc3e99d2141a0ba2847328f5479b05d94a6635cb96148ccb3f34671bd8f5",
    "twisted-26.10.0": "3732f42af218925a0fe78d6668db55853f7fb532245a89a2669babe7d3000fa8",
}
"""The SHA-256 of each wheel, by project and version as in the name of its file."""


def digest_wheels(request: SourceRequest) -> str:
    """Fetch the missing wheels if allowed, check all of them, and return a digest of their pins.

    Raises:
        DataNotPrepared: a wheel is missing and a download is not allowed, or pip cannot fetch it.
        DataError: a wheel has another hash.
    """
    for name, pinned in WHEELS.items():
        path = _wheel_file(name, request)
        if not path.exists():
            _fetch(name, path, request)
        received = hashlib.sha256(path.read_bytes()).hexdigest()
        if received != pinned:
            raise DataError(
                f"The wheel {path.name} of the source 'code' must have the hash {pinned}",
                received=f"{received} at {path}",
                remedy="Delete the file, then fetch it again with --download",
            )
    return hashlib.sha256("".join(WHEELS.values()).encode()).hexdigest()


def read_documents(request: SourceRequest) -> list[str]:
    """Return the Python files of the wheels: ASCII, of `MIN_BYTES` to `MAX_BYTES`, no tests."""
    documents = []
    for wheel in WHEELS:
        with zipfile.ZipFile(_wheel_file(wheel, request)) as archive:
            for info in sorted(archive.infolist(), key=lambda info: info.filename):
                name = info.filename
                fits = MIN_BYTES <= info.file_size <= MAX_BYTES
                if name.endswith(".py") and fits and not EXCLUDED.search(name):
                    content = archive.read(info)
                    if content.isascii():
                        documents.append(content.decode("ascii"))
    return documents


def _wheel_file(name: str, request: SourceRequest) -> Path:
    from tasks.common.tfds import data_folder

    return data_folder(request) / FOLDER / f"{name}-py3-none-any.whl"


def _fetch(name: str, path: Path, request: SourceRequest) -> None:
    if not request.download:
        raise DataNotPrepared(
            f"The wheel {path.name} of the source 'code' is not here",
            received=f"no such file in {path.parent}",
            remedy="Allow the download with --download (make: DOWNLOAD=1)",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--platform", "any", "--implementation", "py"]
    command += ["--abi", "none", "--dest", str(path.parent), name.replace("-", "==")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode or not path.exists():
        said = (found.stderr.strip() or found.stdout.strip() or "no output").splitlines()[-1]
        raise DataNotPrepared(
            f"pip cannot fetch the wheel {path.name} for the source 'code'",
            received=said[:300],
            remedy=f"Check the connection, or put the file into {path.parent}",
        )
