"""Records of older schemas are read, and malformed files and requests are refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suite.api import Mode
from suite.api.errors import LengthwiseError
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.migrations import MIGRATIONS, SCHEMA_VERSION
from suite.records.schema import Conformance, RecordError, parse_record, parse_summary
from suite.records.store import Store
from tasks.ner.columns import read_column_folder
from tests.conftest import STORED_RECORDS


def read(name):
    return json.loads((STORED_RECORDS / f"{name}.json").read_text())


@pytest.mark.parametrize(
    "path", sorted(STORED_RECORDS.glob("schema-*.json")), ids=lambda path: path.stem
)
def test_every_published_schema_is_read_whole_and_in_summary(path):
    record, summary = parse_record(path.read_bytes()), parse_summary(path.read_bytes())
    assert record.schema_version == summary.schema_version == SCHEMA_VERSION
    assert summary.ranking == record.ranking and summary.cell == record.cell
    assert parse_record(record.to_json()) == record


def test_each_schema_that_is_read_has_a_published_record():
    schemas = {path.stem.split("-")[1] for path in STORED_RECORDS.glob("schema-*.json")}
    assert schemas == {str(version) for version in range(min(MIGRATIONS), SCHEMA_VERSION + 1)}


@pytest.mark.parametrize("version", [0, 2, 99, -1, "1", 1.5, None, [1], True])
def test_an_unknown_schema_is_refused_with_its_number(version):
    with pytest.raises(RecordError, match="schema"):
        parse_record(json.dumps({**read("schema-3-train"), "schema_version": version}))


def test_the_order_of_the_fields_does_not_matter():
    old = read("schema-3-train")
    reordered = json.dumps(dict(reversed(old.items())))
    assert parse_record(reordered) == parse_record(json.dumps(old))


@pytest.mark.parametrize("version", range(min(MIGRATIONS), SCHEMA_VERSION + 1))
def test_half_a_character_is_refused_in_each_schema(version):
    content = {**read("schema-3-train"), "schema_version": version, "reason": "\ud800"}
    with pytest.raises(RecordError, match="hex escape"):
        parse_record(json.dumps(content))


def test_records_without_a_result_of_the_conformance_kit_state_kit_0():
    assert parse_record(json.dumps(read("schema-3-train"))).conformance == Conformance(kit=0)
    assert parse_record(json.dumps(read("schema-4-final"))).conformance == Conformance(kit=1)


PATHS = sorted(STORED_RECORDS.glob("schema-*.json"))
GOOD = PATHS[-1].read_text()
MANY = settings(
    max_examples=700,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["../../etc/passwd", "<script>alert(1)</script>", "\0", "🙂\u0301"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


def places(value, path=()):
    """Yield the path of everything in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        items = enumerate(value[:2])
    for key, item in items:
        yield from places(item, (*path, key))


PLACES = list(places(json.loads(GOOD)))[1:]


@MANY
@given(place=st.sampled_from(PLACES), value=anything)
def test_a_record_with_anything_anywhere_is_read_or_refused(place, value):
    content = json.loads(GOOD)
    inside = content
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    try:
        record = parse_record(json.dumps(content))
    except RecordError as error:
        assert len(str(error).splitlines()) == 1
        assert len(str(error)) < 1_000
    else:
        assert parse_record(record.to_json()) == parse_record(record.to_json())
        assert parse_summary(json.dumps(content)).cell == record.cell


@MANY
@given(start=st.integers(0, len(GOOD)), end=st.integers(0, len(GOOD)), inserted=st.binary())
def test_a_record_cut_or_spoilt_is_read_or_refused(start, end, inserted):
    text = GOOD.encode()
    try:
        parse_record(text[:start] + inserted + text[end:])
    except RecordError as error:
        assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"\xff\xfe",
        b"1e999999",
        b'{"schema_version": 1e400}',
    ],
    ids=["empty", "deep list", "deep object", "no UTF-8", "huge number", "huge version"],
)
def test_a_malformed_file_is_reported_in_one_line_and_left_alone(store, content):
    path = store.records / "0123456789abcdef.x.json"
    path.write_bytes(content)
    warnings = []
    assert Store(store.home, warnings.append).current() == []
    (warning,) = warnings
    assert warning.startswith(str(path)) and path.read_bytes() == content
    assert len(warning.splitlines()) == 1


REGISTRY = load_registry(())
numbers = st.integers() | st.sampled_from([0, 1, 128, 512, 2**31, 10**30])
words = st.text(max_size=12) | st.sampled_from(["ner", "bert", "vit", "listops", "tfds", "files:x"])


@MANY
@given(
    request=st.builds(
        Request,
        mode=st.sampled_from(Mode),
        benchmark=st.sampled_from(["quick", "smoke"]) | words,
        tasks=st.none() | st.lists(words, max_size=2).map(tuple),
        architectures=st.none() | st.lists(words, max_size=2).map(tuple),
        lengths=st.none() | st.lists(numbers, max_size=3).map(tuple),
        seeds=st.none() | st.lists(numbers, max_size=2).map(tuple),
        rounds=st.none() | st.integers(-2, 3),
        model_size=st.none() | words,
        batch_size=st.none() | numbers,
        steps=st.none() | numbers,
        source=st.none() | words,
        options=st.dictionaries(words | st.just("dropout"), words, max_size=2),
        form=st.none() | words,
        backends=st.lists(st.sampled_from(["tensorflow", "jax"]) | words, max_size=2).map(tuple),
        precisions=st.lists(st.just("float32") | words, max_size=2).map(tuple),
        threads=numbers,
    )
)
def test_any_request_is_expanded_or_refused(request):
    try:
        cells = expand(request, REGISTRY)
    except LengthwiseError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert len({planned.cell.id for planned in cells}) == len(cells)


lines = st.sampled_from(
    ["EU B-ORG", "rejects O", "Peter B-PER", "x I-PER", "-DOCSTART- O", "", " ", "\t", "a b c d"]
) | st.text(max_size=30)


@MANY
@given(
    texts=st.lists(st.lists(lines, max_size=6).map("\n".join), min_size=3, max_size=3),
    spoilt=st.binary(max_size=4),
)
def test_any_column_files_are_read_or_refused(tmp_path, texts, spoilt):
    for split, text in zip(("train", "validation", "test"), texts, strict=True):
        content = text.encode("utf-8", "surrogatepass")
        (tmp_path / f"{split}.txt").write_bytes(content + (spoilt if split == "test" else b""))
    try:
        splits = read_column_folder(tmp_path).sentences
    except LengthwiseError as error:
        assert len(" ".join(str(error).split())) < 1_000
    else:
        assert all(len(ws) == len(ts) > 0 for split in splits.values() for ws, ts in split)
