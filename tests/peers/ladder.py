"""Prints the rates of full attention by library, from one product to a whole layer.

The rungs are one product of a feed-forward network, the two products of attention alone, attention
with its softmax, and a layer. The rate of a rung bounds those above it: a layer cannot be faster
than its products. Each library runs in a process of its own; they take turns. A training step
computes the gradients of all inputs and weights. Rates are in 10⁹ operations a second.

    python -m tests.peers.ladder [--length 512] [--rounds 5]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.peers.answers import Say, redirect_output
from tests.peers.cases import CASES, THREADS, TOKENS_PER_BATCH
from tests.peers.compare import MODES, Side

CASE = CASES["bert-512"]
WIDTH, HEADS, FEEDFORWARD = CASE.width, CASE.num_heads, CASE.feedforward_width
RUNGS = ("product", "attention products", "attention", "layer")
LIBRARIES = ("tensorflow", "tensorflow-xla", "jax", "torch", "torch-compiled", "torch-flex")
"""TensorFlow and JAX run the layers of this project, PyTorch its own and those of transformers.

`torch-flex` is FlexAttention, which has a kernel of attention alone.
"""
Step = Callable[[], object]
Compute = Callable[..., Any]


def count_operations(rung: str, mode: str, length: int) -> float:
    """Return the operations of a rung: two for each multiplication with its addition."""
    products = 4.0 * TOKENS_PER_BATCH * length * WIDTH
    count = {
        "product": 2.0 * TOKENS_PER_BATCH * WIDTH * FEEDFORWARD,
        "attention products": products,
        "attention": products,
        "layer": products + 2.0 * TOKENS_PER_BATCH * WIDTH * (4 * WIDTH + 2 * FEEDFORWARD),
    }[rung]
    return count * (3 if mode == "training" else 1)


def make_arrays(rung: str, length: int) -> list[np.ndarray]:
    """Return the inputs of a rung."""
    heads = (TOKENS_PER_BATCH // length, HEADS, length, WIDTH // HEADS)
    shapes: Sequence[Sequence[int]] = [heads] * 3
    if rung == "product":
        shapes = [(TOKENS_PER_BATCH, WIDTH), (WIDTH, FEEDFORWARD)]
    elif rung == "layer":
        shapes = [(heads[0], length, WIDTH)]
    generator = np.random.default_rng(0)
    return [generator.normal(size=shape, scale=0.1).astype("float32") for shape in shapes]


def make_keras_step(rung: str, mode: str, length: int, xla: bool) -> Step:
    """Return a step of this project's layers on TensorFlow or JAX."""
    import keras
    from keras import ops

    from baselines.layers.attention import attention
    from baselines.layers.full_attention import FullAttention
    from baselines.layers.transformer_layer import TransformerLayer

    inputs: list[Any] = [ops.convert_to_tensor(array) for array in make_arrays(rung, length)]
    compute: Compute = {
        "product": ops.matmul,
        "attention products": lambda q, k, v: ops.matmul(ops.matmul(q, ops.swapaxes(k, 2, 3)), v),
        "attention": attention,
    }.get(rung, ops.identity)
    if rung == "layer":
        layer = TransformerLayer(FullAttention(HEADS), FEEDFORWARD, activation="gelu")
        layer.build(inputs[0].shape)
        inputs += [weight.value for weight in layer.trainable_weights]

        def compute(states: Any, *weights: Any) -> Any:
            return layer.stateless_call(list(weights), [], states)[0]

    if keras.backend.backend() == "jax":
        import jax

        def total(*given: Any) -> Any:
            return ops.sum(compute(*given))

        function = jax.grad(total, tuple(range(len(inputs)))) if mode == "training" else compute
        compiled = jax.jit(function)
        return lambda: jax.block_until_ready(compiled(*inputs))
    import tensorflow as tf

    def gradients(*given: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = tf.reduce_sum(compute(*given))
        return tape.gradient(value, given)

    function = gradients if mode == "training" else compute
    compiled = tf.function(function, jit_compile=xla, autograph=False)
    return lambda: compiled(*inputs)


def make_torch_step(rung: str, mode: str, length: int, variant: str) -> Step:
    """Return a step of PyTorch: eager, by `torch.compile`, or with FlexAttention.

    Raises:
        ValueError: the variant has no such rung.
    """
    import torch

    torch.set_num_threads(THREADS)
    inputs = [torch.from_numpy(array) for array in make_arrays(rung, length)]
    compute: Compute = {
        "product": torch.matmul,
        "attention products": lambda q, k, v: q @ k.transpose(2, 3) @ v,
        "attention": torch.nn.functional.scaled_dot_product_attention,
    }.get(rung, torch.clone)
    if rung == "layer":
        from transformers import BertConfig
        from transformers.models.bert.modeling_bert import BertLayer

        compute = BertLayer(
            BertConfig(
                hidden_size=WIDTH,
                num_attention_heads=HEADS,
                intermediate_size=FEEDFORWARD,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
                attn_implementation="sdpa",
            )
        )
    if variant == "flex":
        from torch.nn.attention.flex_attention import flex_attention

        if rung != "attention":
            raise ValueError("FlexAttention is a kernel of attention alone")
        compute = flex_attention
    if variant in ("compiled", "flex"):
        compute = torch.compile(compute, dynamic=False)

    def infer() -> None:
        with torch.inference_mode():
            compute(*inputs)

    def train() -> None:
        for tensor in inputs:
            tensor.grad = None
        if isinstance(compute, torch.nn.Module):
            compute.zero_grad(set_to_none=True)
        outputs = compute(*inputs)
        (outputs[0] if isinstance(outputs, tuple) else outputs).sum().backward()

    if mode == "training":
        for tensor in inputs:
            tensor.requires_grad_()
    return train if mode == "training" else infer


def serve(library: str, length: int, say: Say) -> None:
    """Answer each "RUNG/MODE" by the seconds of a step, or by the reason of its failure."""
    name, _, variant = library.partition("-")
    steps: dict[str, Step] = {}
    say({"ready": True})
    for line in sys.stdin:
        command = line.strip()
        rung, _, mode = command.partition("/")
        try:
            if command not in steps:
                if name == "torch":
                    step = make_torch_step(rung, mode, length, variant)
                else:
                    step = make_keras_step(rung, mode, length, variant == "xla")
                for _ in range(2):
                    step()
                steps[command] = step
            say({"seconds": _time(steps[command])})
        except Exception as error:
            say({"reason": f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"})


def _time(step: Step) -> float:
    from suite.worker.measure.timing import steps_per_block

    started = time.perf_counter()
    step()
    count = steps_per_block(time.perf_counter() - started)
    started = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - started) / count


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the ladder; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--length", type=int, default=512, help="positions (default 512)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each library (default 5)")
    given = parser.parse_args(arguments)
    rates: dict[tuple[str, str, str], float] = {}
    reasons: dict[str, str] = {}
    with ExitStack() as stack:
        sides = {
            name: stack.enter_context(
                Side(["ladder", "serve", name, str(given.length)], name.split("-")[0])
            )
            for name in LIBRARIES
        }
        for rung, mode in itertools.product(RUNGS, MODES):
            seconds: dict[str, list[float]] = {}
            for name in [*LIBRARIES] * given.rounds:
                answer = sides[name].ask(f"{rung}/{mode}")
                if "seconds" in answer:
                    seconds.setdefault(name, []).append(answer["seconds"])
                else:
                    reasons[f"{name}, {rung}"] = answer["reason"]
            operations = count_operations(rung, mode, given.length)
            for name, times in seconds.items():
                rates[rung, mode, name] = operations / statistics.median(times) / 1e9
            print(f"{rung}, {mode}: done", file=sys.stderr)
    _print(rates, reasons, given)
    return 0


def _print(
    rates: Mapping[tuple[str, str, str], float], reasons: Mapping[str, str], given: Any
) -> None:
    title = (
        f"10⁹ operations a second at {given.length} positions, medians of {given.rounds}: "
        "inference / training"
    )
    table = Table("rung", title=title)
    for name in LIBRARIES:
        table.add_column(name, justify="right")
    for rung in RUNGS:
        cells = []
        for name in LIBRARIES:
            both = [rates.get((rung, mode, name)) for mode in MODES]
            cells.append(" / ".join("—" if rate is None else f"{rate:,.0f}" for rate in both))
        table.add_row(rung, *cells)
    console = Console(width=120)
    console.print(table)
    for name, reason in reasons.items():
        console.print(f"{name}: {reason}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], int(sys.argv[3]), redirect_output())
    else:
        sys.exit(main())
