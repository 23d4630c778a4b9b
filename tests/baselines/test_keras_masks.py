"""Masks of Keras reach a layer however it is called, and padded values change nothing."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from suite.api import Form
from suite.worker.conformance.subjects import SIZE
from tests.architectures import ARCHITECTURES, few_of, slow_unless
from tests.conftest import ROOT
from tests.layers import layer_of, mixers

TOKENS = np.array([[5, 6, 7, 2, 0, 0, 0], [1, 2, 0, 0, 0, 0, 0]], "int32")
CONTEXT = np.array([[3, 4, 5, 0, 0], [1, 2, 3, 4, 0]], "int32")
WIDTH = SIZE.width
CALLS = {
    "positional": lambda layer, x, mask: layer(x),
    "by name": lambda layer, x, mask: layer(**{first_argument(layer): x}),
    "without a mask": lambda layer, x, mask: layer(x, padding_mask=None),
    "with training": lambda layer, x, mask: layer(x, training=False),
}
MIXERS = mixers()
HAVE_A_DIRECTION = ("LongShortTermMemory", "StateSpaceMixer", "StateSpaceMixer-backward")
DIFFERENT = 1e-3


def first_argument(layer) -> str:
    return {"ArchitectureLayer": "inputs"}.get(type(layer).__mro__[1].__name__, "hidden_states")


def change_where_masked(function, embedding, *token_ids):
    """Return how far the outputs of a function of embeddings move with the padding's embedding."""

    def compute():
        return ops.convert_to_numpy(function(*map(embedding, token_ids)))

    before = compute()
    values = np.array(embedding.get_weights()[0])
    values[0] += 5.0
    embedding.set_weights([values])
    return np.abs(compute() - before)


def embedding_with_mask(mask_zero=True):
    keras.utils.set_random_seed(1)
    return keras.layers.Embedding(9, WIDTH, mask_zero=mask_zero)


# All layers read masks in the same place.
@pytest.mark.parametrize(
    ("name", "call"),
    [
        slow_unless(name in ("llama", "FullAttention"), name, call)
        for name in ("llama", *MIXERS)
        for call in CALLS
    ],
)
def test_the_mask_of_keras_reaches_a_layer_however_it_is_called(name, call):
    if call == "with training" and name not in ("llama", "FullAttention"):
        pytest.skip("the layer takes no training flag")
    layer = MIXERS[name]() if name in MIXERS else layer_of(name)
    layer.build((None, TOKENS.shape[1], WIDTH))
    moved = change_where_masked(
        lambda states: CALLS[call](layer, states, None), embedding_with_mask(), TOKENS
    )
    assert moved[TOKENS > 0].max() < 1e-5


@pytest.mark.parametrize(
    "name", [slow_unless(name in ("FullAttention", *HAVE_A_DIRECTION), name) for name in MIXERS]
)
def test_a_mask_can_be_given_by_the_name_of_keras(name):
    layer, states = MIXERS[name](), np.random.default_rng(0).normal(size=(2, 7, WIDTH))
    # Padding is between real positions, where mixers of either direction see it.
    seen = np.array([[1, 0, 1, 1, 0, 1, 1], [0, 1, 1, 0, 1, 0, 1]], bool)
    states, real = states.astype("float32"), ops.convert_to_tensor(seen)
    found, expected = (
        ops.convert_to_numpy(layer(states, **{key: real})) for key in ("mask", "padding_mask")
    )
    np.testing.assert_array_equal(found, expected)
    unmasked = ops.convert_to_numpy(layer(states))
    assert np.abs(found - unmasked)[seen].max() > DIFFERENT


ATTENDS = {
    "by name": lambda layer, query, context: layer(query, context=context),
    "positional": lambda layer, query, context: layer(query, None, context),
    "all by name": lambda layer, query, context: layer(
        hidden_states=query, context=context, padding_mask=None
    ),
}


@pytest.mark.parametrize("call", ATTENDS)
@pytest.mark.parametrize("kind", ["attention", "layer"])
def test_attention_to_a_context_has_the_mask_of_the_context(kind, call):
    attention, layer = MIXERS["FullAttention"], MIXERS["TransformerLayer"]
    if kind == "layer" and call != "by name":
        pytest.skip("the context of a layer has its own mask")
    used = attention() if kind == "attention" else layer(cross_attention=attention())
    moved = change_where_masked(
        lambda query, context: ATTENDS[call](used, query, context),
        embedding_with_mask(),
        TOKENS,
        CONTEXT,
    )
    assert moved[TOKENS > 0].max() < 1e-5


TRANSLATORS = [name for name, part in ARCHITECTURES.items() if Form.ENCODER_DECODER in part.forms]


@pytest.mark.parametrize(
    "name",
    [slow_unless(name == "vanilla", name) for name in TRANSLATORS],
)
def test_a_layer_with_a_target_has_the_masks_of_both(name):
    layer = layer_of(name, form="encoder_decoder", max_length=TOKENS.shape[1])
    embedding = embedding_with_mask()
    calls = (lambda x, y: layer(x, y), lambda x, y: layer(inputs=x, target=y, target_mask=None))
    for call in calls:
        moved = change_where_masked(call, embedding, CONTEXT, TOKENS)
        assert moved[TOKENS > 0].max() < 1e-5


def pooled_by(call, embedding):
    """Return the mean over the real positions of a layer, and of its padding's embedding NaN."""
    inputs = keras.Input((7,), dtype="int32")
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(call(embedding, inputs)))
    before = ops.convert_to_numpy(model(TOKENS))
    values = np.array(embedding.get_weights()[0])
    values[0] = np.nan
    embedding.set_weights([values])
    return before, ops.convert_to_numpy(model(TOKENS)), ops.convert_to_numpy(model.predict(TOKENS))


@pytest.mark.parametrize("name", few_of(["vanilla", "transformer_xl"]))
@pytest.mark.parametrize("given", [False, True])
def test_the_output_carries_the_mask_of_the_target(name, given):
    layer = layer_of(name, form="encoder_decoder", max_length=7)

    def call(embedding, inputs):
        states = embedding(inputs)
        if not given:
            return layer(states, target=states)
        return layer(states, target=states, padding_mask=inputs > 0, target_mask=inputs > 0)

    before, *others = pooled_by(call, embedding_with_mask(mask_zero=not given))
    for after in others:
        np.testing.assert_allclose(after, before, atol=1e-5)


def test_the_loss_of_keras_ignores_padded_targets_and_a_mask_given_comes_first():
    layer = layer_of("vanilla", form="encoder_decoder")
    inputs = keras.Input((7,), dtype="int32")
    states = embedding_with_mask()(inputs)
    model = keras.Model(inputs, layer(states, target=states))
    model.compile(loss="mse")
    wanted = np.zeros((2, 7, WIDTH), "float32")
    real = TOKENS > 0
    loss = model.evaluate(TOKENS, wanted, verbose=0)
    hidden = ops.convert_to_numpy(model(TOKENS))
    assert loss == pytest.approx(float((hidden[real] ** 2).mean()), rel=1e-4)
    first = ops.convert_to_tensor(PLACES[:, :7].repeat(2, axis=0) < 1)
    embedded = embedding_with_mask()(TOKENS)
    pool = keras.layers.GlobalAveragePooling1D()
    for form, masks in (
        ("encoder_decoder", {"target": embedded, "target_mask": first}),
        ("encoder", {"padding_mask": first}),
    ):
        hidden = layer_of("vanilla", form=form)(embedded, **masks)
        pooled, hidden = map(ops.convert_to_numpy, (pool(hidden), hidden))
        np.testing.assert_allclose(pooled, hidden[:, 0], atol=1e-6)


def test_masks_pass_time_distributed():
    embedding, tokens = embedding_with_mask(), np.stack([TOKENS, TOKENS[::-1]], axis=1)
    inputs = keras.Input((2, 7), dtype="int32")
    encoder = keras.layers.TimeDistributed(layer_of("vanilla"))
    model = keras.Model(inputs, encoder(embedding(inputs)))
    before = model.predict(tokens, verbose=0)
    values = np.array(embedding.get_weights()[0])
    values[0] = np.nan
    embedding.set_weights([values])
    real = tokens > 0
    np.testing.assert_allclose(model.predict(tokens, verbose=0)[real], before[real], atol=1e-5)


def test_no_layer_imports_a_private_module_of_keras():
    for path in (ROOT / "baselines").rglob("*.py"):
        assert "keras.src" not in path.read_text(), path


LENGTH = 19
PLACES = np.arange(LENGTH)[None, :]
PADDINGS = {
    "right": np.array([[11], [2]]) > PLACES,
    "left": np.array([[11], [2]]) <= PLACES,
    "between": np.random.default_rng(4).random((2, LENGTH)) < 0.6,
}


def random_states() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, LENGTH, WIDTH)).astype("float32")


@pytest.mark.parametrize("name", MIXERS)
def test_values_at_padded_positions_change_nothing_even_if_not_finite(name):
    layer, real, states = MIXERS[name](), PADDINGS["between"], random_states()
    values = np.array([np.nan, np.inf, -np.inf, 1e38], "float32")
    batch = [states, *(np.where(real[:, :, None], states, value) for value in values)]
    mask = ops.convert_to_tensor(np.tile(real, (len(batch), 1)))
    mixed = ops.convert_to_numpy(layer(np.concatenate(batch), padding_mask=mask))
    expected, *others = np.split(mixed, len(batch))
    for found in others:
        np.testing.assert_allclose(found[real], expected[real], atol=1e-5)


@pytest.mark.parametrize("name", few_of(ARCHITECTURES))
def test_padded_values_change_no_hidden_state_and_no_gradient(name):
    if "embeddings" not in {part.value for part in ARCHITECTURES[name].inputs}:
        pytest.skip("the architecture takes no embeddings")
    from suite.worker.conformance.gradients import differentiate

    layer, real = layer_of(name), PADDINGS["right"]
    states = random_states()
    layer.build((2, LENGTH, WIDTH))
    found = []
    for value in (0.5, np.nan, np.inf):
        given = np.where(real[:, :, None], states, np.float32(value))

        def loss(given=given):
            hidden = layer(given, padding_mask=ops.convert_to_tensor(real))
            return ops.sum(ops.where(real[:, :, None], hidden, 0.0) ** 2)

        found.append(differentiate(loss, [], layer.trainable_weights))
    for other in found[1:]:
        np.testing.assert_allclose(other[0], found[0][0], rtol=1e-4)
        for one, same in zip(found[0][1], other[1], strict=True):
            if one is not None:
                np.testing.assert_allclose(same, one, atol=1e-3)


def test_pooling_reads_no_padded_position():
    backbone = layer_of("vanilla")
    backbone.build((2, LENGTH, WIDTH))
    states = random_states()
    real = PADDINGS["between"]
    other = np.where(real[:, :, None], states, np.nan)
    found, expected = (
        ops.convert_to_numpy(backbone.backbone.summarize(ops.convert_to_tensor(given), real))
        for given in (other, states)
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


DECODERS = [name for name, part in ARCHITECTURES.items() if Form.DECODER in part.forms]


@pytest.mark.parametrize("name", few_of(DECODERS))
def test_decoding_with_left_padding_equals_the_full_pass_or_is_refused(name):
    # Segments depend on the parts of a sequence, unless one segment holds it all.
    changes = {"segment": LENGTH, "memory": LENGTH} if name == "transformer_xl" else {}
    layer = layer_of(name, form="decoder", vocabulary_size=9, max_length=LENGTH, **changes)
    tokens, real = PLACES.repeat(2, axis=0).astype("int32") % 9, PADDINGS["left"]
    layer(tokens)
    backbone = layer.backbone
    whole = ops.convert_to_numpy(backbone.decode(tokens, padding_mask=real, training=False)[0])
    state, found = backbone.init_state(2, LENGTH), []
    try:
        for start, stop in ((0, 13), (13, 14), (14, 17), (17, LENGTH)):
            states, state = backbone.decode(
                tokens[:, start:stop],
                state=state,
                position=start,
                padding_mask=real[:, start:stop],
                training=False,
            )
            found.append(ops.convert_to_numpy(states))
    except ValueError as error:
        assert "does not support a padding mask" in str(error)
        return
    np.testing.assert_allclose(np.concatenate(found, axis=1)[real], whole[real], atol=1e-4)
