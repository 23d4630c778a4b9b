"""Methods in requests and cells: names, options, order, ids, parents, ranking facts."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from suite.actions.request import make_request
from suite.api import TRAINED, AppliedMethod, Cell, Method, Stage, Track, methods_text
from suite.api.errors import PluginError, RequestError
from suite.matrix.expansion import expand
from suite.matrix.method_sets import parents_of, parse_methods
from suite.matrix.registry import PluginSet, load_registry
from suite.records.tuned_rates import tuning_setting
from tests.builders.records import CELL


class Teaching(Method):
    """A method that needs a parent, and refuses 0."""

    version = 3
    title = "Teaching"
    summary = "takes a teacher"
    paper = "none"
    stage = Stage.TRAIN
    options = {"teacher": "lstm", "weight": 0.5, "strengths": [0.1]}

    def check(self, options):
        if options["weight"] == 0:
            raise RequestError("The weight is above 0", received=0)

    def unsupported_reason(self, request):
        return "takes no vit" if request.cell.architecture == "vit" else None

    def needs(self, cell, options):
        # The window is an option that the teacher does not have.
        changed = {"window": [8], "learning_rate": 0.5}
        teacher = replace(cell, architecture=options["teacher"], methods=(), options=changed)
        return {"teacher": teacher}


class Squeezing(Method):
    """A method that compresses."""

    version = 1
    title = "Squeezing"
    summary = "compresses"
    paper = "none"
    stage = Stage.COMPRESS

    def compress(self, model, context):
        return model


METHODS = {"teaching": Teaching(), "squeezing": Squeezing()}
KNOWN = PluginSet("method", METHODS, {"torn": "it raised"})


@pytest.fixture(scope="module")
def registry():
    return replace(load_registry(()), methods=KNOWN)


def ask(registry, methods, **keywords):
    given = {"task": "ner", "architectures": "vanilla", "lengths": [32], "methods": methods}
    return expand(make_request({**given, **keywords}), registry)


def test_a_method_has_the_options_that_differ_from_its_defaults():
    (found,) = parse_methods(["teaching:weight=1,teacher=lstm,strengths=[0.1,0.2]"], KNOWN)
    assert found == AppliedMethod("teaching", 3, {"weight": 1.0, "strengths": [0.1, 0.2]})
    assert found.text == "teaching:strengths=0.1,0.2,weight=1.0"


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        (["teachign"], RequestError, "Did you mean 'teaching'?"),
        (["torn"], PluginError, "it raised"),
        (["teaching:wait=1"], RequestError, "no option of the method 'teaching'"),
        (["teaching:weight"], RequestError, "NAME:OPTION=VALUE"),
        (["teaching:weight=1,weight=2"], RequestError, "each option once"),
        (["teaching:weight=much"], RequestError, "'weight' is a number"),
        (["teaching:weight=0"], RequestError, "above 0"),
        (["squeezing", "squeezing"], RequestError, "each method once"),
        (["squeezing", "teaching"], RequestError, 'Write "teaching squeezing"'),
    ],
)
def test_bad_methods_are_refused(texts, error, message):
    with pytest.raises(error) as caught:
        parse_methods(texts, KNOWN)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "none squeezing", "squeezing;;none"])
def test_a_set_of_methods_is_not_empty_and_none_stands_alone(text):
    with pytest.raises(RequestError, match="'none' stands alone"):
        make_request({"task": "ner", "methods": text})


def test_a_cell_without_methods_has_its_former_id():
    fields = {name: value for name, value in asdict(CELL).items() if name != "methods"}
    assert Cell.from_dict(fields).id == CELL.id
    changed = replace(CELL, methods=(AppliedMethod("squeezing", 1),))
    newer = replace(CELL, methods=(AppliedMethod("squeezing", 2),))
    assert len({CELL.id, changed.id, newer.id}) == 3
    assert Cell.from_dict(json.loads(json.dumps(asdict(changed)))) == changed


def test_each_set_of_methods_is_an_entry_of_the_open_track(registry):
    cells = ask(registry, "none;teaching;teaching:weight=1 squeezing")
    entries = {planned.ranking.entry: planned for planned in cells}
    assert entries.keys() == {
        "vanilla",
        "lstm (learning_rate=0.5)",
        "vanilla + teaching",
        "vanilla + teaching:weight=1.0",
        "vanilla + teaching:weight=1.0 + squeezing",
    }
    tracks = {name: planned.ranking.track for name, planned in entries.items()}
    assert {name for name, track in tracks.items() if track == Track.OPEN} == {
        name for name in entries if "+" in name
    }
    # Two children share their teacher, which comes before them.
    assert [planned.ranking.entry for planned in cells].index("lstm (learning_rate=0.5)") < 2


def test_a_parent_keeps_its_weights_and_has_only_options_that_its_architecture_has(registry):
    teacher, child, squeezed = ask(registry, "teaching squeezing", threads=1)
    assert child.parents == {"teacher": teacher.cell.id}
    assert squeezed.parents == {TRAINED: child.cell.id}
    assert [one.keeps_weights for one in (teacher, child, squeezed)] == [True, True, False]
    assert teacher.cell.options == {"learning_rate": 0.5}
    assert teacher.cell.architecture_version == registry.architectures.get("lstm").version
    assert not teacher.cell.scores_test


def test_a_parent_that_cannot_run_is_the_reason_of_the_child(registry):
    *_, child = ask(registry, "teaching:teacher=vit")
    assert child.unsupported.startswith(
        "it needs ner · vit (learning_rate=0.5) · 32 · seed 0: does not take"
    )


def test_a_method_states_why_a_cell_cannot_use_it(registry):
    *_, child = ask(
        registry, "teaching", task="image_classification", architectures="vit", lengths=[16]
    )
    assert child.unsupported == "the method 'teaching' takes no vit"


def test_a_compressed_cell_has_the_final_settings_of_its_parent(registry):
    parent, child = ask(registry, "squeezing", test=True)
    assert parent.cell == replace(child.cell, methods=())
    assert parent.cell.scores_test


def test_a_probe_takes_methods_that_change_the_model_alone(registry):
    request = make_request(
        {"mode": "probe", "methods": "none;squeezing;teaching", "architectures": "vanilla"}
    )
    found = {methods_text(one.cell.methods): one for one in expand(request, registry)}
    assert set(found) == {"", "squeezing", "teaching"}
    assert all(planned.parents == {} for planned in found.values())
    assert found["squeezing"].unsupported is None
    assert found["squeezing"].ranking.track == Track.OPEN
    assert found[""].ranking.track == Track.STANDARD
    assert found["teaching"].unsupported.startswith("the method 'teaching' changes the data")


def test_a_method_that_reads_the_task_of_a_probe_is_named(registry):
    class Reading(Squeezing):
        def unsupported_reason(self, request):
            return None if request.task.options else "reads options"

    known = replace(KNOWN, plugins={"reading": Reading()})
    request = make_request({"mode": "probe", "methods": "reading", "architectures": "vanilla"})
    with pytest.raises(PluginError, match=r"'reading' must not read the task of a probe.*for None"):
        expand(request, replace(registry, methods=known))


def test_a_mistake_in_a_method_is_not_called_a_read_of_the_task(registry):
    class Mistaken(Squeezing):
        def unsupported_reason(self, request):
            return self.raeson

    known = replace(KNOWN, plugins={"mistaken": Mistaken()})
    request = make_request({"mode": "probe", "methods": "mistaken", "architectures": "vanilla"})
    with pytest.raises(AttributeError, match="raeson"):
        expand(request, replace(registry, methods=known))


def test_decodings_take_no_methods(registry):
    with pytest.raises(RequestError, match=r"no methods\. Received: none; squeezing\."):
        expand(make_request({"mode": "decode", "methods": "none;squeezing"}), registry)


def test_roles_are_unique():
    methods = {"teaching": Teaching(), "again": Teaching()}
    cell = replace(CELL, methods=(AppliedMethod("teaching", 3), AppliedMethod("again", 3)))
    with pytest.raises(PluginError, match="its own role"):
        parents_of(cell, methods)


def test_a_rate_is_tuned_for_the_methods_of_a_cell():
    changed = replace(CELL, methods=(AppliedMethod("squeezing", 1),))
    assert "methods" not in tuning_setting(CELL, "d")
    assert tuning_setting(changed, "d")["methods"] == "squeezing"


def test_an_option_must_have_a_value_that_a_record_can_hold():
    with pytest.raises(PluginError, match="must have a JSON value"):
        type("Wrong", (Method,), {"options": {"shape": {1, 2}}})
