"""Lengthwise: which sequence model should I use at my sequence length?

The Python API. The command line `bench` has a command for each function here:

| function          | command           | result                                           |
|-------------------|-------------------|--------------------------------------------------|
| `plan`            | `bench plan`      | the cells of a matrix and their state            |
| `run`             | `bench run`       | the records of a matrix; runs the missing cells  |
| `run_events`      |                   | the events of such a run, as an iterator         |
| `read_records`    |                   | the records of a home, or the published ones     |
| `compare`         | `bench report`    | tables of scores and costs                       |
| `crossover`       | `bench crossover` | each length where one entry overtakes another    |
| `frontier`        | `bench frontier`  | the longest sequence within a budget             |
| `card`            | `bench card`      | the costs of a model against length, as a page   |
| `tune`            | `bench tune`      | learning rates chosen on validation              |
| `load_model`      | `bench predict`   | a trained model that takes raw texts             |
| `verify`          | `bench verify`    | a record and a new run of its cell               |
| `list_plugins`    | `bench list`      | tasks, architectures, methods, and their support |
| `publish_records` | `bench publish`   | copies of records that pass the checks           |
| `sync`            | `bench sync`      | a report; writes the records that MLflow lacks   |

Keyword arguments have the names of the command's options; see `RequestKeywords`. Invalid requests
raise a `suite.api.LengthwiseError`. Importing this package imports neither a framework nor pandas.

```python
import suite

records = suite.run(task="ner", architectures="vanilla,longformer", benchmark="smoke")
print(suite.compare(records))
```
"""

from __future__ import annotations

import importlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suite.actions.cards import card
    from suite.actions.listing import list_plugins
    from suite.actions.publishing import publish_records, verify
    from suite.actions.records import compare, load_model, read_records
    from suite.actions.request import RequestKeywords, RunKeywords
    from suite.actions.runs import plan, run, run_events
    from suite.actions.searches import crossover, frontier, tune
    from suite.actions.tracking import sync
    from suite.execution.runner import Finished, Postponed, Progressed, Started, Waiting

_MODULES = {
    "actions.cards": ("card",),
    "actions.listing": ("list_plugins",),
    "actions.publishing": ("publish_records", "verify"),
    "actions.records": ("compare", "load_model", "read_records"),
    "actions.request": ("RequestKeywords", "RunKeywords"),
    "actions.runs": ("plan", "run", "run_events"),
    "actions.searches": ("crossover", "frontier", "tune"),
    "actions.tracking": ("sync",),
    "execution.runner": ("Finished", "Postponed", "Progressed", "Started", "Waiting"),
}
"""The names of each module, which is imported when one of them is used."""
__all__ = sorted(name for names in _MODULES.values() for name in names)

if not TYPE_CHECKING:  # a type checker reads the imports above

    def __getattr__(name: str) -> Any:
        """Return a name of the interface, or `__version__`, the installed version.

        Raises:
            AttributeError: the package has nothing of this name, or is not installed.
        """
        if name == "__version__":
            from importlib.metadata import PackageNotFoundError, version

            with suppress(PackageNotFoundError):
                return version("lengthwise")
        for module, names in _MODULES.items():
            if name in names:
                return getattr(importlib.import_module(f"suite.{module}"), name)
        raise AttributeError(f"module 'suite' has nothing of the name {name!r}")


def __dir__() -> list[str]:
    """Return the names of the interface."""
    return [*__all__, "__version__"]
