"""Patterns of mixers: each decodes in steps, has the parameters of a Transformer, and sums up."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from baselines import Hybrid as HybridLayer
from baselines.hybrid import Hybrid
from baselines.layers.mixers.lstm import LongShortTerm
from baselines.layers.pattern_presets import PRESETS
from suite import plan
from suite.api import Form, Inputs, Recipe, Unsupported
from suite.api.architecture import build_request
from suite.records.model_sizes import MODEL_SIZES
from suite.worker.conformance.decoding import (
    decoding_in_steps_equals_the_full_pass,
    no_look_ahead,
    order_matters,
    the_state_has_its_declared_size,
)
from suite.worker.conformance.gradients import BACKEND
from suite.worker.conformance.models import judge_parity, mixing_parameters
from suite.worker.conformance.passes import gradients_reach_every_weight, padding_does_not_leak
from suite.worker.conformance.subjects import SIZE, Subject, request_for
from tests.architectures import ARCHITECTURES, assert_passes, slow_on_jax_unless, slow_unless

MIXERS = sorted(Hybrid.mixers)
OF_DECODERS = (
    no_look_ahead,
    decoding_in_steps_equals_the_full_pass,
    the_state_has_its_declared_size,
    gradients_reach_every_weight,
    order_matters,
)
TINY = MODEL_SIZES["tiny"]
OWN = {"mamba": {"mamba_state_size": 4}}
"""Options of mixers that are too large for the smallest models."""


def hybrid(pattern: str, **options: object) -> Hybrid:
    """Return the architecture with other default options."""
    architecture = Hybrid()
    defaults = architecture.defaults({"pattern": pattern})
    architecture.options = {**defaults, "pattern": pattern, **options}
    return architecture


def subject_with(pattern: str, form: Form = Form.DECODER, **options: object) -> Subject:
    architecture = hybrid(pattern, **options)
    return Subject(architecture, request_for(architecture, Inputs.TOKEN_IDS, form=form))


def request_with(pattern: str, form: Form = Form.DECODER, **changes: object):
    architecture = hybrid(pattern)
    return architecture, request_for(architecture, Inputs.TOKEN_IDS, form=form, **changes)


# The kit checks the default pattern, which has Gated DeltaNet. No other architecture has `mamba`.
@pytest.mark.parametrize(
    "mixer",
    [slow_unless(name == "mamba", name) for name in MIXERS if name != "gated_deltanet"],
)
def test_a_decoder_with_any_mixer_passes_the_checks(mixer):
    subject = subject_with(f"{mixer},attention", **OWN.get(mixer, {}))
    for check in OF_DECODERS:
        assert_passes(check, subject)


@pytest.mark.parametrize(
    "options",
    [
        slow_on_jax_unless("attention_query_key_norm" in options, options)
        for options in (
            {"attention_positions": "none"},
            {"attention_window": 5, "attention_key_value_heads": 1, "attention_rotary_base": 500.0},
            {"attention_gated": True, "attention_query_key_norm": "head", "attention_window": 5},
            {
                "attention_query_key_norm": "width",
                "attention_norm_placement": "result",
                "gated_deltanet_negative_eigenvalues": True,
                "gated_deltanet_short_convolution": 2,
            },
            {
                "attention_rotary_share": 0.25,
                "attention_key_value_heads": 1,
                "attention_gated": True,
            },
        )
    ],
    ids=str,
)
def test_a_decoder_with_options_of_its_mixers_decodes_in_steps(options):
    subject = subject_with("gated_deltanet,attention", **options)
    assert_passes(decoding_in_steps_equals_the_full_pass, subject)
    assert_passes(the_state_has_its_declared_size, subject)


@pytest.mark.parametrize("mixer", [slow_unless(name == "mamba2", name) for name in MIXERS])
def test_padding_changes_nothing_in_an_encoder_with_any_mixer(mixer):
    subject = subject_with(f"{mixer},lstm", Form.ENCODER, **OWN.get(mixer, {}))
    assert_passes(padding_does_not_leak, subject)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="counts are the same on every backend")
@pytest.mark.parametrize("form", [Form.ENCODER, Form.DECODER])
def test_a_layer_with_any_mixer_has_the_parameters_of_vanilla(form):
    size = replace(TINY, num_layers=len(MIXERS))
    architecture = hybrid(",".join(MIXERS))
    settings = {"form": form, "model_size": size, "options": architecture.options}
    request = request_for(architecture, Inputs.TOKEN_IDS, **settings)
    backbone = architecture.build(request)
    stack = backbone.decoder if form is Form.DECODER else backbone.encoder
    stack.build((None, None, size.width))
    one_layer = replace(TINY, num_layers=1)
    expected = mixing_parameters(ARCHITECTURES["vanilla"], form, one_layer)
    for mixer, layer in zip(MIXERS, stack.layers, strict=True):
        found = judge_parity(layer.count_params() / expected, None)
        assert found.low <= found.figure <= found.high, (mixer, found)


@pytest.mark.parametrize(("pattern", "name"), [("attention", "llama"), ("gated_deltanet",) * 2])
def test_a_pattern_of_one_mixer_is_its_architecture(pattern, name):
    ours, theirs = (
        Subject(
            one, request_for(one, Inputs.TOKEN_IDS, form=Form.DECODER, options=dict(one.options))
        )
        for one in (hybrid(pattern), ARCHITECTURES[name])
    )
    np.testing.assert_array_equal(ours.decode(ours.values(2)), theirs.decode(ours.values(2)))


@pytest.mark.parametrize("form", sorted(Form))
def test_costs_are_sums_over_the_layers(form):
    """Six layers have four of the first mixer and two of the second."""
    six, ones = replace(SIZE, num_layers=6), {}
    for pattern in ("lstm,lstm,attention", "lstm", "attention"):
        architecture, request = request_with(pattern, form, model_size=six)
        ones[pattern] = np.array(
            [architecture.mixing_operations(request), architecture.state_bytes(request, 50)]
        )
    mixed, lstm, attention = ones.values()
    np.testing.assert_allclose(mixed, lstm * 4 / 6 + attention * 2 / 6)


def test_a_pattern_is_repeated_and_cut_at_the_last_layer():
    architecture, request = request_with("mamba2, lstm", model_size=replace(SIZE, num_layers=5))
    stack = architecture.build(request).decoder
    kinds = [type(layer.attention).__name__ for layer in stack.layers]
    assert kinds == ["StateSpaceMixer", "LongShortTermMemory"] * 2 + ["StateSpaceMixer"]


def test_a_star_repeats_a_mixer_within_a_pattern():
    size = replace(SIZE, num_layers=4)
    architecture, request = request_with("mamba2*2, lstm", model_size=size)
    assert architecture.pattern(request).parts == [
        *hybrid("mamba2,mamba2,lstm").pattern(request_with("mamba2,mamba2,lstm")[1]).parts
    ]


def test_the_layers_of_an_encoder_that_have_a_direction_alternate():
    size = replace(SIZE, num_layers=6)
    architecture, request = request_with("mamba2,attention", Form.ENCODER, model_size=size)
    layers = architecture.build(request).encoder.layers
    assert [layer.attention.backward for layer in layers[::2]] == [False, True, False]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_pattern_with_options_of_its_mixers(name):
    preset = PRESETS[name]
    size = replace(SIZE, num_layers=8, feedforward_width=128)
    architecture, request = request_with(name, model_size=size)
    assert architecture.unsupported_reason(request) is None
    stack = architecture.build(request).decoder
    written_out = hybrid(preset.pattern, **preset.options)
    request = replace(request, options=written_out.options)
    for ours, theirs in zip(stack.layers, written_out.build(request).decoder.layers, strict=True):
        assert described(ours) == described(theirs)


def described(layer):
    """Return the arguments of a layer, without the names that Keras gives to layers."""
    return re.sub(r"'name': '\w+'|\bseed': \d+", "", str(layer.get_config()))


def test_an_option_that_is_given_replaces_that_of_a_preset():
    """An option of a preset's mixer counts as given even if it is the mixer's default."""
    options = {"pattern": "qwen3_next", "attention_query_key_norm": "width"}
    asked = {**options, "attention_gated": False}
    planned = plan(
        mode="probe", architectures=["hybrid"], options=asked, form="decoder", lengths=[64],
        model_size="mini", rounds=1,
    )  # fmt: skip
    (cell,) = (each.cell for each in planned.prepared.plan.cells)
    assert cell.options == asked
    architecture = Hybrid()
    request = build_request(cell, replace(SIZE, num_layers=4), Recipe(), None, architecture)
    layer = architecture.build(request).decoder.layers[3]
    attention = layer.attention
    assert (attention.gated, attention.query_key_norm) == (False, "width")
    assert request.options["attention_rotary_share"] == 0.25
    same = HybridLayer(4, 32, 2, form="decoder", vocabulary_size=32, **asked)
    assert same.options == request.options


@pytest.mark.parametrize(
    ("pattern", "carries", "missing"),
    [
        ("gated_deltanet,attention", False, ()),
        ("gated_deltanet,lstm", True, ("heads",)),
        ("mamba2,convolution", False, ("heads",)),
    ],
)
def test_a_pattern_declares_what_all_its_mixers_allow(pattern, carries, missing):
    architecture, request = request_with(pattern)
    assert architecture.build(request).carries_state is carries
    assert architecture.missing_parts(request) == missing


@pytest.mark.parametrize(
    ("claims", "largest"),
    [
        (("n^2", "n"), ("n^2", "n")),
        (("n log n", "n^2"), ("n log n", "n^2")),
        (("n^1.5", "n log n"), ("n^1.5", "n log n")),
    ],
)
def test_a_mixer_of_a_users_own_has_its_own_claims(claims, largest):
    """Its options need not have the names of those of attention."""

    class Own(LongShortTerm):
        def claimed_costs(self, request):
            return claims

    class WithOwn(Hybrid):
        mixers = {**Hybrid.mixers, "own": Own()}
        default_pattern = "own,lstm"

    architecture = WithOwn()
    for form in (Form.ENCODER, Form.DECODER):
        request = request_for(architecture, Inputs.TOKEN_IDS, form=form)
        assert architecture.claimed_costs(request) == largest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": ""}, "pattern of at least one mixer; received: pattern=. Name some of att"),
        ({"pattern": " , "}, "pattern of at least one mixer"),
        (
            {"pattern": "mamba9,lstm"},
            "no mixer 'mamba9'; received: pattern=mamba9,lstm. Choose",
        ),
        ({"pattern": "lstm*0,lstm"}, r"no mixer 'lstm\*0'; received: pattern=lstm\*0,lstm"),
        ({"pattern": "lstm*2,lstm"}, "which names 3, and num_layers=2. Shorten it or use a"),
        (
            {"pattern": "lstm", "attention_window": 8},
            "of the mixers in its pattern; received: pattern=lstm, attention_window=8. Add att",
        ),
        ({"attention_window": 0}, "mixer 'attention' that needs a window .* received: window=0"),
        ({"attention_positions": "alibi"}, "positions rotary, none; received: positions=alibi"),
        (
            {"attention_positions": "none", "attention_rotary_share": 0.5},
            r"positions=none, rotary_base=10000\.0, rotary_share=0\.5\. Use 10000\.0 and 1\.0",
        ),
        ({"attention_query_key_norm": "all"}, "none, head, width; received: query_key_norm=all"),
        (
            {"attention_rotary_share": 0.4},
            "rotary_share=0.4 of 8 channels. Use another share or number of heads",
        ),
        ({"pattern": "jamba"}, "received: pattern=jamba, which names 8, and num_layers=2"),
        (
            {"pattern": "samba,lstm"},
            "the name samba alone, .*; received: pattern=samba,lstm. Write mamba,window_attention",
        ),
        (
            {"pattern": "lstm", "mamba_state_size": 8, "gla_decay_rank": 8},
            "received: pattern=lstm, gla_decay_rank=8. Add gla to the pattern",
        ),
        ({"pattern": "mamba", "mamba_step_rank": -1}, "at least 0; received: -1. Use 0"),
        ({"attention_rotary_base": 1.0}, "rotary_base greater than 1; received: 1.0. Use 10000"),
        ({"attention_key_value_heads": 3}, "num_heads=2, key_value_heads=3. Use a divisor"),
        (
            {"gated_deltanet_short_convolution": -1},
            "mixer 'gated_deltanet' that needs a short_convolution of at least 0; received: -1",
        ),
        ({"pattern": "convolution", "convolution_kernel_size": 4}, "odd .* received: 4. Use 15"),
    ],
)
def test_a_bad_pattern_is_refused_before_anything_is_built(options, message):
    architecture = Hybrid()
    request = request_for(
        architecture, Inputs.TOKEN_IDS, options={**architecture.options, **options}
    )
    with pytest.raises(Unsupported, match=message):
        architecture.build(request)


@pytest.mark.parametrize(
    ("mixers", "pattern"),
    [
        (("lstm",), "samba"),
        (("mamba", "lstm"), "samba"),
        (("lstm", "attention", "window_attention"), "jamba"),
    ],
)
def test_an_architecture_with_other_mixers_has_no_preset_of_those_that_it_lacks(mixers, pattern):
    class WithFew(Hybrid):
        default_pattern = "lstm"

    WithFew.mixers = {name: Hybrid.mixers[name] for name in mixers}
    architecture = WithFew()
    request = request_for(
        architecture, Inputs.TOKEN_IDS, options={**architecture.options, "pattern": pattern}
    )
    reason = architecture.unsupported_reason(request)
    assert reason is not None and f"has no mixer '{pattern}'; received: pattern={pattern}" in reason
    assert pattern not in reason.partition("Choose from")[2]


def test_a_mixer_without_room_for_a_feed_forward_network_is_refused():
    size = replace(SIZE, feedforward_width=2 * SIZE.width)
    architecture, request = request_with("lstm", model_size=size)
    with pytest.raises(Unsupported, match=r"make up for the mixer 'lstm'; .*feedforward_width=32"):
        architecture.build(request)
    encoder = replace(request, form=Form.ENCODER)
    assert architecture.unsupported_reason(encoder) is None
