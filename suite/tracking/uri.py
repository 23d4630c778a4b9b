"""URIs of MLflow stores."""

from __future__ import annotations

import re


def without_password(uri: str) -> str:
    """Return the URI of a tracking store without its user name and password."""
    return re.sub(r"(?<=://)[^/@]*@", "", uri)
