"""Records that may be published, and their registry."""

from __future__ import annotations

import functools

from suite.matrix.registry import load_registry
from suite.publish.publishing import publish
from tests.builders.records import FINAL, FINGERPRINT
from tests.conftest import FAKES

CLEAN = {"commit": "abc", "dirty": False, "processor": "Abacus (R) 9", "num_cores": 2}


REGISTRY = load_registry((str(FAKES),))


publish_here = functools.partial(publish, registry=REGISTRY)


GOOD = {
    "cell": FINAL,
    "environment": {**CLEAN, "host_name": "secret", "operating_system": "Linux secret"},
    "data": {"fingerprint": FINGERPRINT},
    "metrics": {"test": {"entity_f1": 0.5}},
    "log_tail": "secret",
}
