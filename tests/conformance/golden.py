"""Golden values: outputs, losses and parameter counts, which move only with a version.

python -m tests.conformance.golden           checks all values, or those of the named files
python -m tests.conformance.golden --write   writes missing values, and those of a new version

Architectures are measured in every form, on one fixed batch. Tasks are measured with `vanilla`, on
their own batches and with their own recipe. The folder `golden` has one file for each. A brief
measurement has the outputs of every form, and the first losses of one form.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from suite.api import PROTOCOL, Architecture, BuildRequest, Form, Inputs, Recipe
from suite.api.files import atomic_write_bytes
from suite.matrix.registry import load_registry
from suite.worker.conformance.gradients import without_compiling
from suite.worker.conformance.subjects import LENGTH, SIZE, main_inputs, random_inputs, request_for
from suite.worker.data.batches import Batch, training_stream
from suite.worker.model import Model, PositionHead, build_embedding
from suite.worker.steps import fix_randomness, make_training_step
from suite.worker.steps import make_optimizer as optimizer_of
from tests.architectures import REAL
from tests.builders.task_data import load

MEASUREMENT = 1
"""The version of the measurement. Raise it if this module or a batch of its inputs changes."""
COMMAND = "python -m tests.conformance.golden --write"
FOLDER = Path(__file__).with_name("golden")
SEED, STEPS, BATCH, CLASSES, PROJECTIONS = 0, 5, 4, 3, 4
BRIEF_STEPS = 2
"""The first loss depends on the forward pass alone, the second on the gradients too."""
OUTPUT_TOLERANCE, LOSS_TOLERANCE = 1e-4, 1e-3

REGISTRY = load_registry(())
ARCHITECTURES, TASKS = REGISTRY.architectures.plugins, REGISTRY.tasks.plugins
Values = Mapping[str, Any]


class Entry(NamedTuple):
    """An architecture or a task: its key, the versions of its values, and what measures them.

    The function returns all values, or the first of them if they are to be brief.
    """

    key: str
    versions: dict[str, int]
    measure: Callable[[bool], dict[str, Any]]


def measure_architecture(key: str, brief: bool) -> dict[str, Any]:
    """Return the default options, and the values of each form on one fixed batch."""
    architecture = ARCHITECTURES[key]
    found: dict[str, Any] = {"options": dict(architecture.options)}
    for number, form in enumerate(sorted(architecture.forms)):
        num_steps = STEPS if not brief else 0 if number else BRIEF_STEPS
        found[form.value] = measure_form(architecture, form, num_steps)
    return found


def measure_form(architecture: Architecture, form: Form, num_steps: int) -> dict[str, Any]:
    """Return the values of a form of an architecture."""
    recipe, inputs = Recipe(), main_inputs(architecture)
    fix_randomness(SEED)
    request = request_for(
        architecture,
        inputs,
        form=form,
        dropout=recipe.dropout,
        max_global_tokens=2 if form is Form.ENCODER else 0,
    )
    model = Model(None, architecture.build(request), PositionHead(CLASSES), form)
    summarized = bool(getattr(model.backbone, "extra_positions", 0))
    batch = fixed_batch(inputs, summarized)
    return measure_model(model, [batch] * STEPS, mean_cross_entropy, recipe, num_steps)


def measure_task(key: str, brief: bool) -> dict[str, Any]:
    """Return the options, the recipe and the values of `vanilla` on a task's first batches."""
    task, vanilla = TASKS[key], ARCHITECTURES["vanilla"]
    data = load(task)
    fix_randomness(SEED)
    request = BuildRequest(
        form=task.form,
        inputs=task.inputs_for(task.options),
        model_size=SIZE,
        sequence_length=task.default_lengths[0],
        options=dict(vanilla.options),
        dropout=task.recipe.dropout,
        vocabulary_size=data.spec.get("vocabulary_size"),
        max_global_tokens=task.max_global_tokens,
    )
    embedding = build_embedding(task, request, data.spec)
    model = Model(embedding, vanilla.build(request), task.build_head(data.spec), task.form)
    stream = training_stream(data.train, BATCH, SEED, task.contiguous, task.length_buckets)
    batches, num_steps = list(islice(stream, STEPS)), BRIEF_STEPS if brief else STEPS
    values = measure_model(model, batches, task.loss, task.recipe, num_steps)
    recipe = asdict(task.recipe)
    return {"options": dict(task.options), "recipe": recipe, task.form.value: values}


def versions_with(**own: int) -> dict[str, int]:
    """Return versions with those of the protocol and of the measurement."""
    return {**own, "protocol": PROTOCOL, "measurement": MEASUREMENT}


VANILLA = {"vanilla": ARCHITECTURES["vanilla"].version}
ENTRIES: Mapping[str, Entry] = {
    **{
        f"architecture-{key}": Entry(
            key, versions_with(architecture=one.version), partial(measure_architecture, key)
        )
        for key, one in ARCHITECTURES.items()
    },
    **{
        f"task-{key}": Entry(
            key, versions_with(task=one.version, **VANILLA), partial(measure_task, key)
        )
        for key, one in TASKS.items()
    },
}


def fixed_batch(inputs: Inputs, summarized: bool) -> Batch:
    """Return the batch of the architectures; its first example is padded.

    The first position is global. There is one label per example if its state is `summarized`.
    """
    padding_mask = np.ones((BATCH, LENGTH), bool)
    padding_mask[0, REAL:] = False
    global_mask = np.zeros((BATCH, LENGTH), bool)
    global_mask[:, 0] = True
    values = random_inputs(inputs, BATCH, LENGTH)
    features = {
        "token_ids" if inputs is Inputs.TOKEN_IDS else "patches": values,
        "target_ids": values[:, ::-1].copy(),
        "padding_mask": padding_mask,
        "target_mask": np.ones((BATCH, LENGTH), bool),
        "global_mask": global_mask,
    }
    length = 1 if summarized else LENGTH
    labels = np.random.default_rng(1).integers(CLASSES, size=(BATCH, length)).astype("int32")
    return Batch(features, {"labels": labels}, int(padding_mask.sum()), BATCH)


def mean_cross_entropy(outputs: Any, targets: Mapping[str, Any], features: Values) -> Any:
    """Return the mean cross-entropy of the labels, at padded positions too."""
    return ops.mean(
        ops.sparse_categorical_crossentropy(targets["labels"], outputs, from_logits=True)
    )


def measure_model(
    model: Model, batches: Sequence[Batch], loss: Any, recipe: Recipe, num_steps: int
) -> dict[str, Any]:
    """Return the summary of the first outputs, the parameter counts, and the first losses."""
    with without_compiling():
        features = {name: ops.convert_to_tensor(x) for name, x in batches[0].features.items()}
        outputs = ops.convert_to_numpy(model(features, training=False))
        step = make_training_step(model, loss, optimizer_of(recipe, len(batches)), xla=False)
        losses = [float(step(batch)) for batch in batches[:num_steps]]
    return {
        "parameters": model.parameter_counts(),
        "outputs": rounded(summarize(outputs)),
        "losses": rounded(losses),
    }


def summarize(outputs: np.ndarray) -> list[float]:
    """Return the root mean square of outputs, and random projections of about that size."""
    flat = outputs.ravel().astype("float64")
    directions = np.random.default_rng(2).normal(size=(PROJECTIONS, flat.size))
    projected = directions @ flat / np.sqrt(flat.size)
    return [float(np.sqrt(np.mean(flat**2))), *projected.tolist()]


def rounded(values: Sequence[float]) -> list[float]:
    """Return values with the digits of float32."""
    return [float(f"{value:.7g}") for value in values]


@cache
def measure(name: str, brief: bool) -> dict[str, Any]:
    """Return the values of an entry, as they are after reading them from a file."""
    found: dict[str, Any] = json.loads(json.dumps(ENTRIES[name].measure(brief)))
    return found


def moved(stored: Values, found: Values) -> list[str]:
    """Return the values that are in both and differ by more than the tolerance."""
    differ = []
    for name in sorted(stored.keys() & found.keys()):
        before, now = stored[name], found[name]
        if name == "outputs":
            same = np.allclose(now, before, rtol=0, atol=OUTPUT_TOLERANCE * before[0])
        elif name == "losses":
            same = np.allclose(now, before[: len(now)], rtol=LOSS_TOLERANCE, atol=0)
        elif isinstance(before, dict) and isinstance(now, dict):
            differ += [f"{name}.{part}" for part in moved(before, now)]
            continue
        else:
            same = before == now
        if not same:
            differ.append(f"{name} (from {before} to {now})")
    return differ


def names(values: Values) -> set[str]:
    """Return the names of all values."""
    parts = {name: names(part) for name, part in values.items() if isinstance(part, dict)}
    return {*values, *(f"{name}.{part}" for name in parts for part in parts[name])}


def find_problem(name: str, folder: Path = FOLDER, brief: bool = False) -> tuple[str | None, bool]:
    """Return what is wrong with the values of an entry, and whether to refuse writing them.

    A `brief` measurement finds what it has of the stored values.
    """
    path, versions = folder / f"{name}.json", ENTRIES[name].versions
    if not path.exists():
        return f"{name} has no golden values. Run `{COMMAND} {name}`.", False
    stored, found = json.loads(path.read_text()), measure(name, brief)
    if stored["versions"] != versions:
        problem = f"The golden values of {name} are those of another version. "
        received = f"Received: {stored['versions']} in the file, {versions} in the code. "
        return f"{problem}{received}Run `{COMMAND} {name}`.", False
    if differ := moved(stored["values"], found):
        key, sign = ENTRIES[name].key, "\n  "
        return (
            f"The values of {name} moved, and its version did not. Received: {versions} and"
            f"{sign}{sign.join(differ)}\nIf the change is meant, raise `version` of {key} and run "
            f"`{COMMAND} {name}`.",
            True,
        )
    if changed := names(stored["values"]) ^ names(found):
        problem = f"Other values of {name} are stored than measured. "
        return f"{problem}Received: {sorted(changed)}. Run `{COMMAND} {name}`.", False
    return None, False


def write(name: str, folder: Path = FOLDER) -> None:
    """Write the values of an entry."""
    content = {"versions": ENTRIES[name].versions, "values": measure(name, False)}
    text = json.dumps(content, indent=2) + "\n"
    atomic_write_bytes(folder / f"{name}.json", text.encode())


def unknown_files(folder: Path = FOLDER) -> list[Path]:
    """Return the files that belong to no entry."""
    return sorted(path for path in folder.iterdir() if path.stem not in ENTRIES)


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """Check or write golden values; return 1 if a problem is left."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.golden")
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as architecture-bert")
    parser.add_argument("--write", action="store_true", help="write values of a new version")
    given = parser.parse_args(arguments)
    if unknown := sorted(set(given.names) - ENTRIES.keys()):
        parser.error(f"unknown names. Received: {unknown}. Choose from: {', '.join(ENTRIES)}")
    left = 0
    for name in given.names or ENTRIES:
        problem, refused = find_problem(name, folder)
        if problem is not None and given.write and not refused:
            write(name, folder)
            print(f"wrote {name}")
        elif problem is not None:
            print(problem)
            left = 1
    for path in unknown_files(folder):
        if given.write:
            path.unlink()
            print(f"removed {path.name}")
        else:
            print(f"{path.name} belongs to no architecture or task. Run `{COMMAND}`.")
            left = 1
    return left


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
