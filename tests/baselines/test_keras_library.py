"""The layers and architectures as a Keras library: models, saving, masks, types and errors."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import baselines
from baselines.layers.layer import PACKAGE
from suite.api import Inputs
from suite.worker.conformance.gradients import BACKEND, create_weights, tensors
from suite.worker.conformance.subjects import (
    LENGTH,
    PATCH_SIZE,
    SIZE,
    VOCABULARY,
    random_inputs,
)
from tests.architectures import (
    ARCHITECTURES,
    few_of,
    slow_unless,
)
from tests.builders.guides import ARCHITECTURE
from tests.conftest import ROOT
from tests.layers import SIZES, layer_and_inputs, layer_of

CLASSES = {type(part).__name__ for part in ARCHITECTURES.values()}


def public_layers() -> dict[str, type]:
    """Return all public layer classes of the folder `layers`."""
    found = {}
    for path in sorted((ROOT / "baselines" / "layers").glob("[!_]*.py")):
        if path.stem in ("given_backbone", "huggingface_model"):  # wrap whole models of a user
            continue
        module = importlib.import_module(f"baselines.layers.{path.stem}")
        for name, value in vars(module).items():
            is_layer = inspect.isclass(value) and issubclass(value, keras.layers.Layer)
            if is_layer and value.__module__ == module.__name__ and not name.startswith("_"):
                found[name] = value
    del found["Layer"]
    return found


LAYERS = public_layers()
BASES = {
    "ArchitectureLayer",
    "AttentionPositions",
    "ConvolvedMixer",
    "DirectedMixer",
    "LearnedBias",
}
"""Layers that exist for their subclasses."""
BOUND_BY_OTHERS = ("kernel_size", "max_length", "num_key_value_heads")
"""Arguments that must suit another argument when a layer is made."""


def assert_saved_and_loaded(model, inputs, path):
    """Assert that a loaded model and a layer made from a config are equal to the original.

    On JAX the model runs alone: it compiles, and what Keras saves is the same on all backends.
    """
    if BACKEND == "jax":
        outputs = keras.tree.flatten(compute(lambda given: model(given), inputs))
        assert outputs and all(np.isfinite(part).all() for part in outputs)
        return
    model.save(path / "model.keras")
    loaded = keras.models.load_model(path / "model.keras")
    pair = (compute(lambda given, each=each: each(given), inputs) for each in (model, loaded))
    for one, other in zip(*map(keras.tree.flatten, pair), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    for layer in model.layers:
        config = layer.get_config()
        assert type(layer).from_config(config).get_config() == config


def compute(function, *arrays):
    """Return the outputs of a function as arrays; on JAX it is compiled as a whole."""
    if BACKEND == "jax":
        import jax

        function = jax.jit(function)
    outputs = function(*tensors(*arrays))
    return keras.tree.map_structure(ops.convert_to_numpy, outputs)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_layer_of_an_architecture_takes_its_options_as_plain_arguments(name):
    options = ARCHITECTURES[name].options
    layer_class = getattr(baselines, type(ARCHITECTURES[name]).__name__)
    assert set(SIZES) | set(options) <= set(inspect.signature(layer_class).parameters)
    assert all(option in layer_class.__doc__ for option in options)
    assert re.search(r"for n positions: time O\(n.*, memory O\(n.*\)\.", layer_class.__doc__)


def test_the_documented_costs_are_those_of_a_whole_pattern_of_layers():
    assert "encoder for n positions: time O(n²), memory O(n)." in baselines.Hybrid.__doc__
    assert "encoder for n positions: time O(n log n), memory O(n)." in baselines.Reformer.__doc__
    assert "decoder for n positions: time O(n), memory O(n)." in baselines.RWKV7.__doc__


@pytest.mark.parametrize("name", few_of(ARCHITECTURES))
def test_an_architecture_is_a_layer_that_is_saved(name, tmp_path):
    layer, inputs = layer_and_inputs(name)
    model = keras.Sequential([keras.Input(inputs.shape[1:], dtype=inputs.dtype.name), layer])
    assert model.output_shape == (None, LENGTH + layer.backbone.extra_positions, SIZE.width)
    assert_saved_and_loaded(model, inputs, tmp_path)


def of_mixer(mixer, **options):
    """Return the options of a hybrid of one mixer."""
    return {"pattern": mixer, **{f"{mixer}_{name}": value for name, value in options.items()}}


GATED = {"gated": True, "output_bias": True, "query_key_norm": "head", "norm_placement": "result"}
PARTS = {"expansion": 1, "head_size": 4}
CHANGED = [
    ("gated_deltanet", {**PARTS, "values_per_key": 2, "short_convolution": 1}),
    ("gated_deltanet", {"negative_eigenvalues": True}),
    ("gla", {"key_share": 1.0, "decay_rank": 3}),
    ("griffin", {"num_layers": 3, "window": 5, "short_convolution": 2}),
    ("hybrid", of_mixer("attention", positions="none", key_value_heads=1, window=4, **GATED)),
    ("hybrid", of_mixer("attention", rotary_base=9.0, rotary_share=0.5)),
    ("hybrid", of_mixer("mamba", expansion=1, state_size=3, step_rank=2, short_convolution=1)),
    ("hybrid", of_mixer("mamba", expansion=1, normalized=True)),
    ("kimi_delta", {"head_size": 4, "short_convolution": 0}),
    ("llama", {"form": "decoder", "latent_rank": 6, "latent_query_rank": 5, "rotary_base": 50.0}),
    ("llama", {"key_value_heads": 1, "window": 4, "num_sinks": 2}),
    ("llama", {"rotary_extension": "yarn", "rotary_factor": 2.0}),
    ("mamba2", {**PARTS, "state_size": 3, "short_convolution": 1}),
    ("mamba3", {**PARTS, "state_size": 6, "rotated_share": 1.0, "rank": 2}),
    ("mamba3", {"output_norm": True, "heavy_tail_decay": True}),
    ("modernbert", {"num_layers": 2, "window": 6, "global_every": 2}),
    ("modernbert", {"num_layers": 2, "global_rotary_base": 50.0, "local_rotary_base": 20.0}),
    ("rwkv7", {"head_size": 4, "low_rank": 3}),
    ("xlstm", {"key_share": 1.0}),
]
"""Other values of all options of the architectures of 2024 to 2026, and of some before."""


@pytest.mark.parametrize("name", sorted({name for name, _ in CHANGED}))
def test_every_option_is_saved_with_another_value(name):
    """The other mixers of a hybrid are those of the other architectures."""
    options = ARCHITECTURES[name].options
    changed = [item for other, given in CHANGED if other == name for item in given.items()]
    own = {key for key in options if name != "hybrid" or key.startswith(("attention_", "mamba_"))}
    assert own <= {key for key, value in changed if options.get(key) != value}


@pytest.mark.parametrize(
    ("name", "changes"),
    [slow_unless(name in ("hybrid", "llama"), name, changes) for name, changes in CHANGED],
)
def test_an_architecture_is_saved_with_other_options(name, changes, tmp_path):
    layer_class = getattr(baselines, type(ARCHITECTURES[name]).__name__)
    layer = layer_class(**{**SIZES, "feedforward_width": 48, **changes})
    inputs = random_inputs(Inputs.EMBEDDINGS, 2, LENGTH)
    model = keras.Sequential([keras.Input(inputs.shape[1:], dtype=inputs.dtype.name), layer])
    assert_saved_and_loaded(model, inputs, tmp_path)


@pytest.mark.parametrize("name", sorted(LAYERS.keys() - BASES))
def test_the_docstring_of_a_layer_states_shapes_and_costs(name):
    text = " ".join(LAYERS[name].__doc__.split())
    assert re.search(r"\((batch|heads|…), |[Ss]hapes", text)
    assert re.search(r"\b[Tt]ime\b|costs", text)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_runs_as_its_example_shows_and_is_saved(name, tmp_path):
    layer_class = LAYERS[name]
    assert keras.saving.get_registered_name(layer_class) == f"{PACKAGE}>{name}"
    if name in BASES:
        assert ">>>" not in layer_class.__doc__
        return
    names = {"keras": keras, **LAYERS}
    example = doctest.DocTestParser().get_doctest(layer_class.__doc__, names, name, None, 0)
    runner, report = doctest.DocTestRunner(), []
    create_weights(lambda: runner.run(example, out=report.append, clear_globs=False) and None)
    assert runner.tries and not runner.failures, "".join(report)
    layer = example.globs["layer"]
    for config in changed_configs(layer):
        assert layer_class.from_config(config).get_config() == config
    if layer_class.call is keras.layers.Layer.call:
        return  # another layer calls its methods
    shape = layer.get_build_config()["input_shape"]
    ids = len(shape) == 2
    inputs = np.random.default_rng(0).integers(100, size=shape) if ids else random_of(shape)
    # Of a known batch size, which traces faster; those of architectures above have none.
    given = keras.Input(batch_shape=shape, dtype="int32" if ids else "float32")
    assert_saved_and_loaded(keras.Model(given, layer(given)), inputs, tmp_path)


def changed_configs(layer):
    """Yield configs of a layer, each with another value of an argument that is a number."""
    config = layer.get_config()
    for name in inspect.signature(type(layer)).parameters.keys() & config.keys():
        value = config[name]
        if type(value) is bool:
            yield {**config, name: not value}
        elif type(value) is float:
            yield {**config, name: value + 0.125}
        elif type(value) is int and name not in BOUND_BY_OTHERS:
            yield {**config, name: 2 * value or 1}


def random_of(shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_the_class_token_extends_the_mask():
    layer, width = layer_of("vit"), PATCH_SIZE
    pooling = keras.layers.GlobalAveragePooling1D()
    model = keras.Sequential([keras.Input((7, width)), keras.layers.Masking(), layer, pooling])
    patches = random_of((1, 7, width))
    patches[:, 5:] = 0.0
    pooled = ops.convert_to_numpy(model(patches))
    states = ops.convert_to_numpy(layer(patches, padding_mask=np.arange(7)[None] < 5))
    np.testing.assert_allclose(pooled, states[:, :6].mean(axis=1), atol=1e-5)


def test_inner_layers_have_the_type_of_the_outer_one(monkeypatch):
    monkeypatch.delattr(keras.config, "set_dtype_policy")  # other threads read the default, too
    layer = layer_of("vanilla", dtype="mixed_bfloat16")
    states = layer(random_of((1, 5, SIZE.width)))
    assert keras.backend.standardize_dtype(states.dtype) == "bfloat16"
    inner = [part for part in layer._flatten_layers() if part is not layer]
    assert {part.compute_dtype for part in inner} == {"bfloat16"}
    assert {str(weight.dtype) for weight in layer.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("longformer", {"windw": 8}, "Longformer has no argument 'windw'. Did you mean 'window'"),
        ("longformer", {"window": "8"}, "window is one or more of int. Received: window='8'"),
        ("longformer", {"window": 7}, r"even and at least 2; received: \[7\]"),
        ("longformer", {"form": "encodr"}, "forms decoder, encoder, .*Received: form='encodr'"),
        ("vanilla", {"width": 0}, "at least 1. Received: num_layers=1, width=0, num_heads=2"),
        ("vanilla", {"num_heads": 3}, "multiple of its heads; received: width=16, num_heads=3"),
        ("vanilla", {"max_global_tokens": 1}, "Vanilla has no global tokens"),
        ("vit", {"vocabulary_size": 9}, "does not take token_ids; it takes: patches"),
    ],
)
def test_a_wrong_argument_is_rejected(name, changes, message):
    with pytest.raises((TypeError, ValueError), match=message):
        layer_of(name, **changes).build((None, LENGTH, SIZE.width))


def test_wrong_inputs_are_rejected():
    states = np.zeros((1, 5, SIZE.width), "float32")
    with pytest.raises(ValueError, match=r"takes a target.*form=encoder_decoder, no target"):
        layer_of("vanilla", form="encoder_decoder")(states)
    with pytest.raises(ValueError, match="global mask and max_global_tokens=0"):
        layer_of("longformer")(states, global_mask=np.ones((1, 5), bool))


@pytest.mark.parametrize(
    "name", [slow_unless(name in ("vanilla", "vit"), name) for name in ARCHITECTURES]
)
def test_the_shape_is_known_before_the_layer_is_built(name):
    layer, inputs = layer_and_inputs(name)
    spec = layer.compute_output_spec(keras.KerasTensor(inputs.shape, inputs.dtype.name))
    assert not layer.built and spec.shape == layer.compute_output_shape(inputs.shape)
    assert tuple(layer(inputs).shape) == spec.shape == layer.compute_output_shape(inputs.shape)


def test_the_shape_of_a_translation_is_that_of_the_target():
    layer = layer_of("vanilla", form="encoder_decoder")
    shapes = (2, LENGTH, SIZE.width), (2, 5, SIZE.width)
    assert layer.compute_output_spec(*map(keras.KerasTensor, shapes)).shape == shapes[1]
    assert layer.compute_output_shape(*shapes) == shapes[1]


@pytest.mark.parametrize("name", ["vanilla", "vit"])
def test_each_step_of_a_series_has_the_layer(name):
    width = PATCH_SIZE if name == "vit" else SIZE.width
    layer, series = layer_of(name), random_of((2, 3, 5, width))
    model = keras.Sequential([keras.Input((3, 5, width)), keras.layers.TimeDistributed(layer)])
    found = ops.convert_to_numpy(model(series))
    assert model.output_shape == (None, *found.shape[1:])
    expected = np.stack([ops.convert_to_numpy(layer(series[:, i])) for i in range(3)], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_layer_decodes_before_any_call():
    layer = layer_of("gpt", vocabulary_size=VOCABULARY)
    token_ids = ops.convert_to_tensor(random_inputs(Inputs.TOKEN_IDS, 2, 5))
    state, found = layer.init_state(2, 5), []
    for position in range(5):
        states, state = layer.decode(token_ids[:, position : position + 1], state, position)
        found.append(ops.convert_to_numpy(states))
    whole, _ = layer.decode(token_ids)
    for expected in (whole, layer(token_ids)):
        expected = ops.convert_to_numpy(expected)
        np.testing.assert_allclose(np.concatenate(found, axis=1), expected, atol=1e-5)


def test_only_a_decoder_decodes():
    layer = layer_of("vanilla")
    with pytest.raises(ValueError, match=r"form=encoder\. Use a form with a decoder"):
        layer.init_state(2, 5)
    with pytest.raises(ValueError, match=r"form=encoder\. Use a form with a decoder"):
        layer.decode(random_of((2, 5, SIZE.width)))
    with pytest.raises(ValueError, match=r"form=decoder\. Use a form with an encoder"):
        layer_of("gpt").encode(random_of((2, 5, SIZE.width)))


def test_a_layer_of_another_version_is_rejected():
    config = {**layer_of("vanilla").get_config(), "version": 0}
    with pytest.raises(ValueError, match="Received: a layer of version 0"):
        baselines.Vanilla.from_config(config)


def test_an_architecture_of_the_search_path_has_a_class(tmp_path, monkeypatch):
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "mean.py").write_text(ARCHITECTURE)
    with pytest.raises(AttributeError, match="no class of the name 'Mean'"):
        _ = baselines.Mean
    monkeypatch.setenv("BENCH_PATH", str(tmp_path))
    assert dir(baselines) == sorted({*CLASSES, "Mean"})
    with pytest.raises(AttributeError, match=r"no class of the name 'Meen'\. Did you mean 'Mean'"):
        _ = baselines.Meen
    layer = baselines.Mean(**SIZES)
    states = layer(random_of((2, 5, SIZE.width)), padding_mask=np.ones((2, 5), bool))
    assert states.shape == (2, 5, SIZE.width)


def test_importing_the_package_imports_no_framework():
    code = (
        "import sys, baselines; dir(baselines); "
        "found = {'keras', 'tensorflow', 'jax', 'torch', 'suite.matrix'} & set(sys.modules); "
        "sys.exit(str(found) if found else 0)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
