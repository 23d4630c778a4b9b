"""Tests of the optimizers and schedules."""

from __future__ import annotations

import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from suite.api import Recipe
from suite.methods._optimizers import WITHOUT_DECAY, Schedule, make_optimizer, paths_without_muon
from suite.methods.optimizer import METHOD
from suite.worker.steps import LinearWarmupAndDecay
from suite.worker.steps import make_optimizer as make_default
from tests.builders.methods import context_of

RECIPE = Recipe(learning_rate=0.1, warmup_share=0.5, weight_decay=0.2, clip_norm=0.7)
TOTAL = 4
RATES = [0.05, 0.1]
"""The rates of the first two steps under `constant`, with a warm-up of two steps."""


@pytest.mark.parametrize(
    ("kind", "curve"),
    [
        ("cosine", lambda step: (1 + math.cos(math.pi * (step - 10) / 30)) / 2),
        ("constant", lambda step: 1.0),
        ("inverse_square_root", lambda step: math.sqrt(10 / step)),
        ("linear", lambda step: (40 - step) / 30),
    ],
)
def test_a_schedule_rises_linearly_and_then_follows_its_curve(kind, curve):
    schedule = Schedule(kind, 0.3, 10, 40)
    for step in range(1, 41):
        expected = 0.3 * (step / 10 if step <= 10 else curve(step))
        assert float(schedule(step - 1)) == pytest.approx(expected, rel=1e-5, abs=1e-8), step


def test_the_linear_schedule_is_the_default_to_the_digit():
    for warmup, total in ((0, 1), (3, 37), (5, 5)):
        mine, default = (
            Schedule("linear", 0.3, warmup, total),
            LinearWarmupAndDecay(0.3, warmup, total),
        )
        assert [float(mine(i)) for i in range(total)] == [float(default(i)) for i in range(total)]


def tiny_model():
    """Return an embedding, one hidden layer and a head as the parts of a model, built."""
    keras.utils.set_random_seed(0)
    embedding, hidden = keras.layers.Embedding(4, 3, name="words"), keras.layers.Dense(5, name="ff")
    head = keras.layers.Dense(2, name="classes")
    backbone = keras.Sequential([embedding, hidden])
    backbone.embedding_layers = [embedding]
    head(backbone(np.zeros((1, 2))))
    weights = [*backbone.trainable_variables, *head.trainable_variables]
    return SimpleNamespace(backbone=backbone, trainable_variables=weights, weights=weights)


def gradients_of(model):
    """Return the gradients of two updates; the first exceed the bound of clipping."""
    generator = np.random.default_rng(0)
    return [
        [(scale * generator.normal(size=one.shape)).astype("float32") for one in model.weights]
        for scale in (1.0, 0.01)
    ]


def clipped(gradients):
    norm = math.sqrt(sum(float((one.astype(np.float64) ** 2).sum()) for one in gradients))
    return [one * min(1.0, RECIPE.clip_norm / norm) for one in gradients]


def two_updates(optimizer, model):
    """Apply two updates and return the weights."""
    for gradients in gradients_of(model):
        optimizer.apply([keras.ops.convert_to_tensor(one) for one in gradients], model.weights)
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


def expected_updates(rule):
    """Return the weights after two updates; `rule(weight, gradient, state, rate, decay, step)`."""
    model = tiny_model()
    weights = [keras.ops.convert_to_numpy(weight).astype(np.float64) for weight in model.weights]
    states = [{} for _ in weights]
    for step, (gradients, rate) in enumerate(zip(gradients_of(model), RATES, strict=True), 1):
        for index, gradient in enumerate(clipped(gradients)):
            name = model.weights[index].name
            decay = 0.0 if name in WITHOUT_DECAY else RECIPE.weight_decay
            weights[index] = rule(weights[index], gradient, states[index], rate, decay, step)
    return weights


def adamw(weight, gradient, state, rate, decay, step):
    return adam(weight, gradient, state, rate, 0.0, step) - rate * decay * weight


def adam(weight, gradient, state, rate, decay, step):
    gradient = gradient + decay * weight
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * gradient
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * gradient**2
    corrected = math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    return weight - rate * corrected * state["m"] / (np.sqrt(state["v"]) + 1e-7)


def sgd(weight, gradient, state, rate, decay, step):
    state["m"] = 0.8 * state.get("m", 0.0) - rate * gradient
    return weight * (1 - rate * decay) + state["m"]


def lion(weight, gradient, state, rate, decay, step):
    moment = state.get("m", 0.0)
    state["m"] = 0.99 * moment + 0.01 * gradient
    return weight * (1 - rate * decay) - rate * np.sign(0.9 * moment + 0.1 * gradient)


def schedule_free(weight, gradient, state, rate, decay, step):
    """Return y as in algorithm 1 of the paper; `state` keeps z, x and v."""
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * gradient**2
    step_size = gradient / (np.sqrt(state["v"] / (1 - 0.999**step)) + 1e-7) + decay * weight
    state["z"] = state.get("z", weight) - rate * step_size
    share = rate**2 / sum(one**2 for one in RATES[:step])
    state["x"] = (1 - share) * state.get("x", weight) + share * state["z"]
    return 0.1 * state["z"] + 0.9 * state["x"]


def options_of(name):
    return {"name": name, "schedule": "constant", "momentum": 0.8}


@pytest.mark.parametrize("rule", [adam, sgd, lion, schedule_free, adamw])
def test_two_updates_equal_the_rule_in_numpy(rule):
    model = tiny_model()
    name = rule.__name__
    default = make_default(RECIPE, TOTAL)
    context = SimpleNamespace(options=options_of(name), recipe=RECIPE)
    optimizer = METHOD.optimizer(default, model, TOTAL, context)
    assert (optimizer is default) == (name == "adamw"), "adamw keeps its fused kernel"
    for found, expected in zip(two_updates(optimizer, model), expected_updates(rule), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("name", ["adafactor", "muon"])
def test_two_updates_equal_those_of_keras(name):
    model, plain = tiny_model(), tiny_model()
    found = two_updates(make_optimizer(options_of(name), RECIPE, model, TOTAL), model)
    settings = {
        "learning_rate": Schedule("constant", RECIPE.learning_rate, 2, TOTAL),
        "weight_decay": RECIPE.weight_decay,
        "global_clipnorm": RECIPE.clip_norm,
    }
    if name == "muon":
        settings |= {"adam_weight_decay": RECIPE.weight_decay, "exclude_layers": ["classes"]}
    else:
        settings |= {"relative_step": False}
    optimizer = {"muon": keras.optimizers.Muon, "adafactor": keras.optimizers.Adafactor}[name]
    optimizer = optimizer(**settings)
    optimizer.exclude_from_weight_decay(var_names=WITHOUT_DECAY)
    for one, expected in zip(found, two_updates(optimizer, plain), strict=True):
        np.testing.assert_array_equal(one, expected)


def test_muon_updates_kernels_of_hidden_layers_alone():
    model = tiny_model()
    (kernel,) = {one.path for one in model.weights} - set(paths_without_muon(model))
    assert kernel.endswith("ff/kernel")


def test_schedule_free_offers_its_average_in_place_of_the_weights():
    model = tiny_model()
    optimizer = make_optimizer(options_of("schedule_free"), RECIPE, model, TOTAL)
    two_updates(optimizer, model)
    averages = []

    def keeping(*arguments):
        result = schedule_free(*arguments)
        averages.append(arguments[2]["x"])
        return result

    expected_updates(keeping)
    own = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    context = SimpleNamespace(options=options_of("schedule_free"))
    other = [np.zeros(2)]
    first, second = METHOD.candidates([own, other], model, optimizer, 2, TOTAL, context)
    assert second is other
    for found, expected in zip(first, averages[len(own) :], strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-6)


def test_float16_keeps_the_scaling_of_the_loss():
    model = tiny_model()
    scaled = keras.optimizers.LossScaleOptimizer(make_default(RECIPE, TOTAL))
    context = SimpleNamespace(options=options_of("lion"), recipe=RECIPE)
    found = METHOD.optimizer(scaled, model, TOTAL, context)
    assert isinstance(found, keras.optimizers.LossScaleOptimizer)
    assert isinstance(found.inner_optimizer, keras.optimizers.Lion)
    context = SimpleNamespace(options=options_of("adamw"), recipe=RECIPE)
    assert METHOD.optimizer(scaled, model, TOTAL, context) is scaled
    assert float(scaled.learning_rate) == pytest.approx(RATES[0])


def test_the_defaults_keep_the_optimizer_itself():
    optimizer = make_default(RECIPE, TOTAL)
    rate = float(optimizer.learning_rate)
    context = context_of("optimizer", {})
    assert METHOD.optimizer(optimizer, None, TOTAL, context) is optimizer
    assert float(optimizer.learning_rate) == rate
    own = [[np.ones(2)]]
    assert METHOD.candidates(own, None, optimizer, 1, TOTAL, context) is own
