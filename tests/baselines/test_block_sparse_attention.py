"""Block-sparse attention against published outputs, and against full attention with a mask."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from baselines.layers import block_sparse_attention
from baselines.layers.attention import attend
from baselines.layers.attention_positions import RotaryPositions
from baselines.layers.block_sparse_attention import (
    BlockSparseAttention,
    draw_random_blocks,
    is_full,
)
from baselines.layers.full_attention import FullAttention, merge_heads, split_heads
from suite.api import Inputs, ModelSize
from suite.worker.conformance.gradients import BACKEND, differentiate, run
from suite.worker.conformance.passes import (
    batch_members_do_not_mix,
    bfloat16_is_near_float32,
    compiled_equals_eager,
    gradients_reach_every_weight,
    padding_does_not_leak,
)
from suite.worker.conformance.subjects import Subject, request_for
from tests.architectures import ARCHITECTURES, assert_passes, slow_unless
from tests.builders.published import TOLERANCE, cases, require_usual_heads

HEADS, WIDTH = 3, 12
SPARSE = [(47, 4, 1), (31, 3, 2), (23, 4, 0), (13, 1, 3)]
"""Lengths, block sizes and numbers of random blocks that are not full."""


def visible_pairs(layer: BlockSparseAttention, length: int, random_blocks=None) -> np.ndarray:
    """Return which pairs of positions the published rule lets attend: (heads, n, n)."""
    size = layer.block_size
    count = -(-length // size)
    if random_blocks is None:
        random_blocks = draw_random_blocks(
            layer.num_heads, count, layer.num_random_blocks, layer.seed
        )
    blocks = np.zeros((layer.num_heads, count, count), bool)
    blocks[:, [0, -1]] = blocks[:, :, [0, -1]] = True
    for head in range(layer.num_heads):
        for own in range(1, count - 1):
            blocks[head, own, own - 1 : own + 2] = True
            blocks[head, own, random_blocks[head, own - 1]] = True
    return blocks.repeat(size, axis=1).repeat(size, axis=2)[:, :length, :length]


def with_mask(layer: BlockSparseAttention, states, padding, random_blocks=None):
    """Return what `mix` should: full attention with a mask of all pairs."""
    query, key, value = (
        split_heads(part(states), layer.num_heads) for part in (layer.query, layer.key, layer.value)
    )
    query, key = layer.positions.rotate(query), layer.positions.rotate(key)
    pairs = visible_pairs(layer, states.shape[1], random_blocks)[None]
    visible = padding[:, None, None, :] & ops.convert_to_tensor(pairs)
    mixed = merge_heads(attend(query * query.shape[-1] ** -0.5, key, value, visible=visible))
    return ops.where(padding[:, :, None], mixed, 0.0)


def make(size: int, num_random_blocks: int, length: int, positions=None):
    """Return a layer with random biases, states, and a padding mask of a batch of three."""
    keras.utils.set_random_seed(1)
    layer = BlockSparseAttention(HEADS, size, num_random_blocks, seed=5, positions=positions)
    states = np.random.default_rng(0).normal(size=(3, length, WIDTH)).astype("float32")
    layer.build(states.shape)
    for name in ("query", "key", "value"):
        getattr(layer, name).bias.assign(keras.random.normal((WIDTH,)))
    padding = np.arange(length)[None, :] < np.array([[length], [2 * length // 3], [1]])
    return layer, states, padding


def test_published_outputs(reference_outputs):
    for path, case in cases(reference_outputs, "bigbird_attention_"):
        random_blocks = case["random_blocks"]
        require_usual_heads(case["query/kernel"], path)
        layer = BlockSparseAttention(
            int(case["num_heads"]), int(case["block_size"]), random_blocks.shape[-1]
        )
        layer.build(case["inputs"].shape)
        for name in ("query", "key", "value"):
            getattr(layer, name).kernel.assign(case[f"{name}/kernel"])
            getattr(layer, name).bias.assign(case[f"{name}/bias"])
        mixed = run(
            lambda *given, layer=layer, blocks=random_blocks: layer.mix(*given, blocks),
            case["inputs"],
            case["padding_mask"].astype(bool),
        )
        np.testing.assert_allclose(mixed, case["outputs"], atol=TOLERANCE, err_msg=path)


@pytest.mark.parametrize(
    ("length", "size", "num_random_blocks", "positions"),
    [*((*case, None) for case in SPARSE), (*SPARSE[0], RotaryPositions())],
)
def test_the_blocks_of_the_rule_are_seen(length, size, num_random_blocks, positions):
    layer, states, padding = make(size, num_random_blocks, length, positions)
    expected = run(lambda *given: with_mask(layer, *given), states, padding)
    np.testing.assert_allclose(run(layer.mix, states, padding), expected, atol=2e-5)


@pytest.mark.parametrize("length", [5, 7, 12])
def test_given_blocks_may_be_few_or_seen_twice(length):
    layer, states, padding = make(4, 2, length)
    inner = max(0, -(-length // 4) - 2)
    blocks = np.zeros((HEADS, inner, 2), int)
    found = run(lambda *given: layer.mix(*given, blocks), states, padding)
    expected = run(lambda *given: with_mask(layer, *given, blocks), states, padding)
    np.testing.assert_allclose(found, expected, atol=2e-5)


# JAX compiles every case, and PyTorch none.
@pytest.mark.parametrize("compiled", [False, True] if BACKEND == "tensorflow" else [False])
@pytest.mark.parametrize("step_bytes", [1, block_sparse_attention.STEP_BYTES])
def test_gradients_are_those_of_a_mask(monkeypatch, step_bytes, compiled):
    monkeypatch.setattr(block_sparse_attention, "STEP_BYTES", step_bytes)
    layer, states, padding = make(3, 2, 31)
    aim = ops.convert_to_tensor(np.random.default_rng(2).normal(size=states.shape), "float32")
    weights = [v for part in (layer.query, layer.key, layer.value) for v in part.weights]
    padding = ops.convert_to_tensor(padding)
    ours, theirs = (
        differentiate(
            lambda states, mix=mix: ops.sum(mix(states) * aim), [states], weights, compiled
        )
        for mix in (
            lambda states: layer.mix(states, padding),
            lambda states: with_mask(layer, states, padding),
        )
    )
    assert ours[0] == pytest.approx(theirs[0], rel=1e-4)
    for found, expected in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-4, rtol=1e-4)


def test_short_sequences_have_full_attention():
    layer, states, padding = make(3, 2, 27, RotaryPositions())
    assert is_full(27, 3, 2) and not is_full(28, 3, 2)
    full = FullAttention(HEADS, positions=RotaryPositions())
    full.build(states.shape)
    for ours, theirs in zip(layer.weights, full.weights, strict=True):
        theirs.assign(ours)
    found, expected = run(layer, states, padding), run(full, states, padding)
    np.testing.assert_allclose(found[padding], expected[padding], atol=2e-5)


@pytest.mark.parametrize(("count", "num_random_blocks"), [(12, 3), (13, 0), (46, 20), (9_000, 3)])
def test_random_blocks_are_different_and_not_seen_anyway(count, num_random_blocks):
    drawn = draw_random_blocks(2, count, num_random_blocks, 3)
    assert drawn.shape == (2, count - 2, num_random_blocks)
    if not num_random_blocks:
        return
    assert drawn.min() >= 1 and drawn.max() <= count - 2
    assert (np.abs(drawn - np.arange(1, count - 1)[None, :, None]) > 1).all()
    assert (np.diff(np.sort(drawn, axis=2), axis=2) > 0).all()
    np.testing.assert_array_equal(drawn, draw_random_blocks(2, count, num_random_blocks, 3))
    for other in (drawn[::-1], draw_random_blocks(2, count, num_random_blocks, 4)):
        assert (other != drawn).mean() > 0.5


def test_every_far_block_is_equally_likely():
    drawn = draw_random_blocks(20_000, 12, 3, 0)
    chosen = np.stack([(drawn == block).any(axis=2).mean(axis=0) for block in range(12)], axis=1)
    own, block = np.arange(1, 11)[:, None], np.arange(12)[None, :]
    far = (np.abs(own - block) > 1) & (block > 0) & (block < 11)
    np.testing.assert_allclose(chosen, far * 3 / far.sum(axis=1, keepdims=True), atol=0.02)


BIGBIRD = ARCHITECTURES["bigbird"]


@pytest.fixture(scope="module", params=["learned", slow_unless(False, "rotary")])
def subject(request):
    """The encoder with blocks that are short enough for the tests' inputs."""
    options = {"block_size": 2, "random_blocks": 1, "positions": request.param}
    return Subject(BIGBIRD, request_for(BIGBIRD, Inputs.TOKEN_IDS, options=options))


def test_sparse_blocks_pass_the_checks_that_they_can_break(subject):
    """The inputs of the kit are short, so that it checks blocks that see all positions."""
    for check in (
        padding_does_not_leak,
        batch_members_do_not_mix,
        compiled_equals_eager,
        bfloat16_is_near_float32,
        gradients_reach_every_weight,
    ):
        assert_passes(check, subject)


def test_each_layer_has_random_blocks_of_its_own(subject):
    assert [layer.attention.seed for layer in subject.backbone.encoder.layers] == [0, 1]


def gradient_of(layer):
    """Return a function of states: the gradient of a sum, as a graph of TensorFlow."""
    import tensorflow as tf

    def step(states):
        with tf.GradientTape() as tape:
            tape.watch(states)
            loss = tf.reduce_sum(layer(states) ** 2)
        return tape.gradient(loss, states)

    return step


@pytest.mark.skipif(BACKEND != "tensorflow", reason="looks into TensorFlow's graph")
def test_the_graph_does_not_grow_and_no_array_is_quadratic():
    import tensorflow as tf

    layer = BlockSparseAttention(2, 4, 1)
    layer.build((1, None, 8))
    counts = []
    for length in (1_024, 2_048):
        step = tf.function(gradient_of(layer))
        graph = step.get_concrete_function(tf.TensorSpec((1, length, 8))).graph
        definition = graph.as_graph_def(add_shapes=True)
        nodes = [*definition.node]
        nodes += [node for function in definition.library.function for node in function.node_def]
        sizes = [
            np.prod([side.size for side in shape.dim])
            for node in nodes
            for shape in node.attr["_output_shapes"].list.shape
        ]
        assert 0 < max(sizes) < length * length / 4
        counts.append(len(nodes))
    assert counts[0] == counts[1]


@pytest.mark.skipif(BACKEND != "tensorflow", reason="compiles with XLA")
def test_xla_gives_the_same_gradient():
    import tensorflow as tf

    layer, states, _ = make(3, 2, 31)
    step, states = gradient_of(layer), tf.convert_to_tensor(states)
    found = tf.function(step, jit_compile=True)(states)
    np.testing.assert_allclose(found, step(states), atol=1e-4)


def test_keras_compiles_without_xla_where_the_length_is_unknown():
    model = keras.Sequential([keras.Input((None, 8)), BlockSparseAttention(2, 4, 1)])
    model.compile("sgd", "mse")
    for length in (37, 41):
        states = np.ones((1, length, 8), "float32")
        assert np.isfinite(model.train_on_batch(states, states))
    assert BlockSparseAttention(2, 4, 1).supports_jit


@pytest.mark.skipif(BACKEND != "jax", reason="only JAX lowers for an absent device")
def test_the_gradient_lowers_for_tpu():
    import jax

    layer, states, _ = make(3, 2, 31)
    step = jax.jit(jax.grad(lambda states: ops.sum(layer(states) ** 2)))
    exported = jax.export.export(step, platforms=["tpu"])(states)
    assert exported.platforms == ("tpu",)


@pytest.mark.parametrize(("length", "size", "num_random_blocks"), [(48, 4, 1), (16, 4, 1)])
def test_the_operations_are_those_of_the_visible_pairs(length, size, num_random_blocks):
    request = request_for(
        BIGBIRD,
        Inputs.TOKEN_IDS,
        model_size=ModelSize("case", 1, WIDTH, HEADS, 2 * WIDTH),
        sequence_length=length,
        options={
            "block_size": size,
            "random_blocks": num_random_blocks,
            "positions": "learned",
        },
    )
    pairs = float(length**2)
    if not is_full(length, size, num_random_blocks):
        pairs = visible_pairs(BlockSparseAttention(HEADS, size, num_random_blocks), length).sum()
        pairs /= HEADS
    assert BIGBIRD.mixing_operations(request) == 4 * WIDTH * pairs
