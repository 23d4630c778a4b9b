"""What SECURITY.md promises about input of others, and that each of its promises has a test."""

from __future__ import annotations

import ast
import dataclasses
import io
import json
import re
import tarfile
import zipfile

import keras
import numpy as np
import pytest

from baselines.layers.layer import PACKAGE
from suite.api.errors import LengthwiseError
from suite.cli.publish_command import ADDRESS
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.schema import RecordError, parse_record
from suite.worker.data import encoded
from suite.worker.train.checkpoint import Checkpoint
from tests.builders.benchmarks import SMALL
from tests.builders.records import make_record
from tests.builders.trainings import job_of, plan
from tests.conftest import ROOT
from tests.layers import mixers


class Touch:
    """An object whose pickle writes a file when it is loaded."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_each_promise_names_a_test_that_exists():
    promised = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text())
    assert len(promised) > 15
    for path, name in promised:
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name


@pytest.mark.parametrize("run_id", ["../../x", "/etc/x", "..", "a/b", "a\0b", ""])
def test_a_run_id_that_is_a_path_is_refused(run_id):
    content = json.loads(make_record().to_json())
    assert parse_record(json.dumps(content)).run_id == content["run_id"]
    with pytest.raises(RecordError, match="run_id"):
        parse_record(json.dumps({**content, "run_id": run_id}))


def test_a_benchmark_names_plug_ins_and_no_modules(tmp_path):
    """The folder of the benchmark is trusted to hold plug-ins; what the file names is not."""
    (tmp_path / "benchmarks").mkdir()
    outside = tmp_path / "outside.py"
    outside.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    for name in ("os", "subprocess", str(outside), "../outside", "outside"):
        text = SMALL.replace('"vanilla"', json.dumps(name))
        (tmp_path / "benchmarks" / "small.toml").write_text(text)
        with pytest.raises(LengthwiseError):
            expand(Request(mode=None, benchmark="small"), load_registry((str(tmp_path),)))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["parent", "absolute", "link"])
def test_an_archive_writes_nothing_outside_its_folder(bench, tmp_path, kind):
    outside = tmp_path / "outside"
    outside.mkdir()
    path = tmp_path / "results-1.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        name = {"parent": "../" * 12 + str(outside)[1:], "absolute": str(outside), "link": "link"}
        if kind == "link":
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, str(outside)
            archive.addfile(link)
        member = tarfile.TarInfo(f"{name[kind]}/written")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"text"))
    result = bench("import", str(path))
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1
    assert not list(outside.iterdir())


def changed(path, find, replacement):
    """Replace parts of the configuration in a `.keras` file, and return their number."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    text = files["config.json"].decode()
    files["config.json"] = text.replace(find, replacement).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return text.count(find)


@pytest.mark.parametrize("name", ["ReversibleStack", "LSHAttention"])
def test_a_saved_model_runs_no_code_of_its_own(tmp_path, name):
    """Keras refuses this; the layers must not load their inner layers in a laxer way."""
    path = tmp_path / "model.keras"
    inputs = keras.Input((8, 8))
    outputs = mixers()["ReversibleStack"]()(inputs)
    keras.Model(inputs, outputs).save(path)
    keras.saving.load_model(path)
    ours = '"module": "baselines.layers.{}", "class_name": "{}"'
    module = {"ReversibleStack": "reversible", "LSHAttention": "lsh_attention"}[name]
    foreign = '"module": "os", "class_name": "system"'
    assert changed(path, ours.format(module, name), foreign)
    changed(path, f'"registered_name": "{PACKAGE}>{name}"', '"registered_name": null')
    with pytest.raises((TypeError, ValueError), match="Could not"):
        keras.saving.load_model(path)


def test_a_saved_lambda_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    inputs = keras.Input((8, 8))
    outputs = keras.layers.Lambda(lambda x: x)(mixers()["FullAttention"]()(inputs))
    keras.Model(inputs, outputs).save(path)
    with pytest.raises(ValueError, match="Lambda"):
        keras.saving.load_model(path)


def test_pickles_are_not_loaded(tmp_path):
    ran = tmp_path / "ran"
    evil = np.array([Touch(ran)], object)
    about = json.dumps({"digests": [], "state": {}})
    np.savez(tmp_path / "cell.npz", variable_0=evil, about=np.array(about))
    assert Checkpoint(tmp_path / "cell.npz", []).read([]) is None
    (planned,) = plan("duplication", "vanilla", lengths=(64,))
    job = dataclasses.replace(job_of(planned, tmp_path), cache=tmp_path / "cache")
    task = load_registry().tasks.get("duplication")
    expected = encoded.load(job, task, {}).train.num_examples
    (entry,) = job.cache.iterdir()
    for path in entry.glob("train.*.npy"):
        path.unlink()  # the arrays that were loaded are maps of these files
        np.save(path, evil, allow_pickle=True)
    assert encoded.load(job, task, {}).train.num_examples == expected, "the entry is made anew"
    assert not ran.exists()


@pytest.mark.parametrize(
    "address",
    ['https://a"onload="x', "javascript:alert(1)", "https://a<b", "https://a\nb", "a.org"],
)
def test_an_address_that_leaves_its_attribute_is_refused(bench, tmp_path, address):
    assert ADDRESS.fullmatch("https://example.org/lengthwise")
    result = bench("publish", "--to", str(tmp_path / "public"), "--url", address)
    assert result.returncode == 2 and "--url" in result.stderr
    assert not (tmp_path / "public").exists()
