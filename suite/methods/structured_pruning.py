"""Structured pruning: attention heads and feed-forward units of a trained model are removed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from suite.api import Method, MethodContext, MethodRequest, Options, Part, Stage, Unsupported
from suite.methods._options import check_options, from_0_to_below_1
from suite.methods._quantization import quantized_before


class StructuredPruning(Method):
    """Smaller matrices after training: heads and units with the smallest weights are removed.

    Each attention loses the share `heads` of its heads, and each feed-forward network the share
    `feedforward` of its units, rounded; at least one is left. Heads and units are ranked by the sum
    of the absolute weights into and out of them, as filters are by Li et al. 2017, section 3.1.
    Michel et al. 2019 remove heads after training too, but rank them by a gradient. Query heads
    that share a key/value head are removed together.

    The layers of an architecture declare what they can lose (`num_removable_heads`,
    `num_removable_units`). No training follows the removal.
    """

    version = 1
    title = "Structured pruning"
    summary = "remove attention heads and feed-forward units after training"
    paper = "Li et al. 2017, Pruning Filters for Efficient ConvNets"
    stage = Stage.COMPRESS
    options = {"heads": 0.0, "feedforward": 0.5}

    def check(self, options: Options) -> None:
        check_options(self, options, *(from_0_to_below_1(options, name) for name in self.options))

    def parts(self, request: MethodRequest) -> Collection[Part]:
        named = {"heads": Part.HEADS, "feedforward": Part.UNITS}
        return [part for option, part in named.items() if request.options[option]]

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        if any(method.name == "lora" for method in request.cell.methods):
            return "removes parts of kernels, and lora adds to whole ones; leave lora out"
        if quantized_before("structured_pruning", request.cell.methods):
            return "removes heads and units before weights are quantized; name it first"
        return None

    def model(self, model: Any, context: MethodContext) -> Any:
        """Return the model unchanged.

        Raises:
            Unsupported: a layer cannot lose heads, or the model cannot lose feed-forward units.
        """
        options = context.options
        if options["heads"]:
            attentions = [part for part in _parts(model) if _has_attention_heads(part)]
            for part in attentions:
                if not getattr(part, "num_removable_heads", 0):
                    raise Unsupported(f"{type(part).__name__} cannot lose heads. Use heads=0.")
            if not attentions:
                raise Unsupported("The architecture has no attention heads. Use heads=0.")
        if options["feedforward"] and not list(_with(model, "num_removable_units")):
            raise Unsupported(
                "The architecture has no feed-forward networks that can lose units. "
                "Use feedforward=0."
            )
        return model

    def compress(self, model: Any, context: MethodContext) -> Any:
        options = context.options
        for part in list(_with(model, "num_removable_heads")):
            _remove(part.head_norms(), options["heads"], part.remove_heads)
        for part in list(_with(model, "num_removable_units")):
            _remove(part.unit_norms(), options["feedforward"], part.remove_units)
        return model

    def facts(self, model: Any, context: MethodContext) -> dict[str, Any]:
        """Return the numbers of heads and of feed-forward units that are left in all layers."""
        return {
            "head_count": sum(part.num_heads for part in _with(model, "num_removable_heads")),
            "feedforward_unit_count": sum(
                part.num_removable_units for part in _with(model, "num_removable_units")
            ),
        }


def num_removed(count: int, share: float) -> int:
    """Return how many of `count` heads or units are removed: at least one is left."""
    return min(count - 1, round(share * count))


def _remove(norms: Any, share: float, remove: Callable[[Any], None]) -> None:
    import numpy as np

    if removed := num_removed(len(norms), share):
        remove(np.argsort(norms, kind="stable")[:removed])


def _has_attention_heads(part: Any) -> bool:
    return hasattr(part, "num_heads") and getattr(part, "has_attention_heads", True)


def _parts(model: Any) -> list[Any]:
    return list(model._flatten_layers())


def _with(model: Any, count: str) -> Iterator[Any]:
    return (part for part in _parts(model) if getattr(part, count, 0))


METHOD = StructuredPruning()
