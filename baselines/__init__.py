"""The architectures, one file each. `layers` holds the mechanisms that they share.

Each architecture is also a Keras layer with plain arguments. Its class has the name of the
architecture's class:

```python
from baselines import Longformer

layer = Longformer(num_layers=4, width=256, num_heads=4, window=128)
```

Importing this package imports no framework; naming a class imports Keras. Plug-ins of `BENCH_PATH`
and installed entry points have classes too.
"""

from __future__ import annotations

from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """Return the Keras class of an architecture.

    Raises:
        AttributeError: no architecture has a class of this name, or several have.
    """
    classes = {} if name.startswith("_") or name.islower() else _classes()
    found = classes.get(name, [])
    if len(found) != 1:
        several = f"{len(found)} classes" if found else "no class"
        spelled = {key.lower(): key for key in classes}
        near = get_close_matches(name.lower(), spelled, n=1)
        hint = f". Did you mean {spelled[near[0]]!r}?" if near and not found else ""
        raise AttributeError(f"module 'baselines' has {several} of the name {name!r}{hint}")
    # The name is relative, because this code is no part of an architecture's costs: the digest of
    # its code follows absolute names only.
    library = import_module(".layers.architecture_layer", __name__)
    globals()[name] = library.layer_class(found[0])
    return globals()[name]


def __dir__() -> list[str]:
    """Return the names of the classes of all architectures."""
    return sorted(_classes())


def _classes() -> dict[str, list[Any]]:
    """Return the architectures that can be loaded, by the name of their class."""
    from suite.api import PluginError
    from suite.api.plugins import (
        ARCHITECTURES,
        load_plugin,
        locate,
        search_path_from_environment,
    )

    found: dict[str, list[Any]] = {}
    for key, location in locate(ARCHITECTURES, search_path_from_environment()):
        with suppress(PluginError):  # `bench list` shows it
            part = load_plugin(ARCHITECTURES, key, location)
            found.setdefault(type(part).__name__, []).append(part)
    return found
