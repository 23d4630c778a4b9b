"""Records with methods, variants and conditions: published, submitted, verified and refused."""

from __future__ import annotations

import dataclasses

import pytest

from suite.api import AppliedMethod, RequestError
from suite.execution.jobs import check_no_weights
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.publish.frozen import benchmark_contradiction
from suite.publish.publishing import publish
from suite.publish.reduction import reduced
from suite.publish.verify import verify
from suite.records.published import max_archived_bytes
from suite.records.schema import Measurement, parse_record, parse_summary
from tests.builders.frozen import frozen_registry
from tests.builders.publishing import CLEAN
from tests.builders.records import FINGERPRINT, make_record
from tests.conftest import FAKES

METHODS = ("label_smoothing", "int8 typos:strengths=0.0,0.2")
ENTRIES = """
[[entries]]
architecture = "vanilla"
methods = ["label_smoothing"]

[[entries]]
architecture = "vanilla"
methods = ["int8", "typos:strengths=0.0,0.2"]
"""
SIZE = Measurement(value=9.0, n=1, samples=(9.0,), quartiles=None, method="a count")
SCORES = {"validation": {"entity_f1": 0.4}, "test": {"entity_f1": 0.5}}


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    text = (FAKES / "benchmarks" / "miniature.toml").read_text().split("[frozen]")[0]
    before, _, after = text.partition("[[entries]]")
    listed = 'architectures = ["vanilla", "longformer", "convolution", "identity"]\n'
    before = before.replace("[tasks.ner]", f"{listed}\n[tasks.ner]")
    folder = tmp_path_factory.mktemp("benchmark")
    return frozen_registry(folder, f"{before}{ENTRIES}\n[[entries]]{after}")


@pytest.fixture
def finals(registry):
    """Return the final runs of seed 0 at length 128 by their methods."""
    request = Request(benchmark="miniature", tasks=("ner",), lengths=(128,), seeds=(0,))
    found = {}
    for planned in expand(request, registry):
        if planned.cell.architecture == "vanilla":
            fields = {
                "metrics": SCORES,
                "reports": {"test": {"without_part": {"entity_f1": (0.4, 0.5, 0.6)}}},
                "data": {"fingerprint": FINGERPRINT},
                "environment": CLEAN,
                "ranking": planned.ranking,
            }
            methods = " ".join(method.text for method in planned.cell.methods)
            if "int8" in methods:
                size = {"inference": {"weight_bytes": {"value": 9.0}}}
                fields |= {
                    "measurements": {"inference": {"weight_bytes": SIZE}},
                    "variants": {"trained": {"metrics": SCORES, "measurements": size}},
                    "conditions": {"typos=0": SCORES, "typos=0.2": SCORES},
                }
            found[methods] = make_record(cell=planned.cell, **fields)
    return found


def test_the_entries_of_a_benchmark_are_published_with_their_methods(
    finals, registry, store, tmp_path
):
    assert set(finals) == {"", *METHODS}
    for record in finals.values():
        store.write(record)
    outcome = publish(store, into=tmp_path / "results" / "published", registry=registry)
    assert [reason for _, reason in outcome.refused] == []
    by_id = {
        record.cell_id: record for record in (parse_record(p.read_bytes()) for p in outcome.written)
    }
    for methods, record in finals.items():
        read = by_id[record.cell_id]
        assert read.cell == record.cell
        assert read.conditions == record.conditions
        assert read.variants == record.variants
        assert read.ranking.entry == " + ".join(["vanilla", *methods.split()])
        assert read.ranking.track == ("open" if methods else "standard")


def test_methods_that_the_benchmark_does_not_list_are_refused(finals, registry):
    record = finals["label_smoothing"]
    other = dataclasses.replace(
        record.cell, methods=(AppliedMethod("label_smoothing", 1, {"share": 0.2}),)
    )
    changed = record.model_copy(update={"cell": other, "cell_id": other.id})
    assert "its methods" in benchmark_contradiction(changed, registry)
    assert benchmark_contradiction(record, registry) is None


def trial_of(final, **fields):
    """Return a trial with the cell of a final run."""
    cell = dataclasses.replace(final.cell, benchmark=None, scores_test=False)
    scores = {"metrics": {"validation": {"entity_f1": 0.123456789}}, "reports": {}}
    return final.model_copy(update={"cell": cell, "cell_id": cell.id, **scores, **fields})


def test_an_archived_trial_keeps_its_scores_under_conditions(finals):
    scores = {"entity_f1": 0.123456789}
    conditions = {f"typos={place / 10}": {"validation": scores} for place in range(4)}
    trial = trial_of(finals[METHODS[1]], conditions=conditions)
    kept = parse_summary(reduced(trial))
    assert kept.conditions["typos=0.3"]["validation"]["entity_f1"] == 0.1234568
    assert kept.cell.methods == trial.cell.methods
    assert not kept.variants["trained"].measurements
    many = {f"metric_{number}": 0.123456789 for number in range(60)}
    large = {name: {"validation": {**scores, **many}} for name in conditions}
    content = reduced(trial.model_copy(update={"conditions": large}))
    assert len(content) <= max_archived_bytes(parse_summary(content))
    assert set(parse_summary(content).conditions["typos=0.3"]["validation"]) == {"entity_f1"}


@pytest.mark.parametrize("count", [12, 60])
def test_a_trial_has_room_for_a_curve_against_the_strength_of_a_disturbance(finals, count):
    """The rest of the record takes nearly all bytes that a trial without conditions has."""
    scores = {"validation": {"directed_macro_f1": 0.123456789, "accuracy": 0.5}}
    conditions = {f"adversarial={place / 1000:.3f}": scores for place in range(count)}
    final = finals[METHODS[1]]
    ranking = final.ranking.model_copy(update={"metric": "directed_macro_f1"})
    trial = trial_of(final, variants={}, conditions={}, ranking=ranking)
    room = max_archived_bytes(trial) - len(reduced(trial))
    trial = trial.model_copy(update={"reason": "x" * (room - 20), "conditions": conditions})
    content = reduced(trial)
    assert max_archived_bytes(final) < len(content) <= max_archived_bytes(trial)
    assert len(parse_summary(content).conditions) == count


def test_verification_runs_the_parents_before_the_cell(store):
    registry = load_registry(())
    request = Request(
        tasks=("ner",),
        architectures=("vanilla",),
        lengths=(128,),
        seeds=(0,),
        methods=(("int8",),),
        score_test=True,
    )
    *_, planned = expand(request, registry)
    assert planned.cell.benchmark is None, "the benchmark does not list the method"
    record = make_record(cell=planned.cell, ranking=planned.ranking)
    seen = []

    def run(prepared):
        seen.extend(prepared.plan.to_run)
        return [make_record(cell=one.cell, ranking=one.ranking) for one in prepared.plan.to_run]

    verification = verify(record, store, run, registry=registry)
    parent, child = seen
    assert (parent.cell.methods, child.cell) == ((), record.cell)
    assert parent.keeps_weights and set(child.parents.values()) == {parent.cell.id}
    assert verification.again.cell_id == record.cell_id


def test_packs_and_clusters_refuse_cells_with_parents():
    request = Request(tasks=("ner",), architectures=("vanilla",), methods=(("int8",),))
    cells = expand(request, load_registry(()))
    with pytest.raises(RequestError, match=r"and not in a pack.*int8.*takes a trained model"):
        check_no_weights(cells[-1:], "in a pack")
    with pytest.raises(RequestError, match="keeps its weights"):
        check_no_weights(cells[:1], "on a Ray cluster")
    check_no_weights(expand(Request(tasks=("ner",)), load_registry(())), "in a pack")
