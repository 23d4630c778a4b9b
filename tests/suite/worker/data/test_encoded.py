"""The cache of encoded data: one entry per content, found again by later cells."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest

from suite.api import Examples, TaskData
from suite.api.files import CHECKOUT
from suite.api.plugins import TASKS, find_plugin, plugin_files
from suite.matrix.registry import load_registry
from suite.worker.data import encoded
from tasks.duplication import Duplication
from tests.builders.trainings import job_of, plan


class CountingTask(Duplication):
    """Counts the calls of `load`."""

    loads = 0

    def load(self, request, sequence_length, options):
        self.loads += 1
        values = np.arange(12.0).reshape(4, 3)
        split = Examples(
            {"values": values, "padding_mask": np.ones((4, 3), bool)}, {"labels": np.arange(4)}
        )
        return TaskData(split, split, split, {"classes": ["a"]}, {"fingerprint": "f"})


@pytest.fixture
def job(tmp_path):
    (planned,) = plan("duplication", "vanilla", lengths=(64,), score_test=True)
    return dataclasses.replace(job_of(planned, tmp_path), cache=tmp_path / "cache")


def entries(job):
    return sorted(path.name for path in job.cache.iterdir())


def test_the_second_cell_reads_the_entry_of_the_first(job):
    task = CountingTask()
    first, second = encoded.load(job, task, {}), encoded.load(job, task, {})
    assert task.loads == 1 and len(entries(job)) == 1
    assert isinstance(second.train.features["values"], np.memmap)
    for data in (first, second):
        assert data.spec == {"classes": ["a"]} and data.facts == {"fingerprint": "f"}
        assert (data.test.features["values"] == np.arange(12.0).reshape(4, 3)).all()
        assert (data.validation.targets["labels"] == np.arange(4)).all()


def test_a_cell_that_scores_no_test_opens_no_test_file(job, monkeypatch):
    answers = {"answers": ["of validation", "of test"]}
    sealed = {"answers": ["of validation"]}
    load = CountingTask.load

    def load_with_answers(self, *given):
        data = load(self, *given)
        return dataclasses.replace(data, spec=answers, sealed_spec=sealed)

    monkeypatch.setattr(CountingTask, "load", load_with_answers)
    task = CountingTask()
    for scores_test, expected in ((True, answers), (False, sealed)):
        cell = dataclasses.replace(job.cell, scores_test=scores_test)
        asked = dataclasses.replace(job, cell=cell)
        assert [encoded.load(asked, task, {}).spec for _ in range(2)] == [expected] * 2
    assert task.loads == 1
    (entry,) = job.cache.iterdir()
    assert "of test" not in (entry / "about.json").read_text()
    for path in entry.glob("test.*"):
        path.write_text("broken")
    assert encoded.load(asked, task, {}).spec == sealed


def test_different_content_has_a_different_entry_and_other_cells_share_it(job):
    task = CountingTask()
    for changes in ({}, {"seed": 1}, {"architecture": "gpt"}, {"batch_size": 3}):
        cell = dataclasses.replace(job.cell, **changes)
        encoded.load(dataclasses.replace(job, cell=cell), task, {})
    assert task.loads == 1
    encoded.load(job, task, {"units": "bytes"})
    encoded.load(dataclasses.replace(job, source_digest="other"), task, {})
    longer = dataclasses.replace(job.cell, sequence_length=128)
    encoded.load(dataclasses.replace(job, cell=longer), task, {})
    assert task.loads == 4 and len(entries(job)) == 4


COUNTING_TASK = """
from tasks.duplication import Duplication

from ..common.shared import SHARED
from .constants import OWN


class Numbers(Duplication):
    loads = 0

    def load(self, request, sequence_length, options):
        self.loads += 1
        return super().load(request, sequence_length, options)


TASK = Numbers()
"""


@pytest.mark.parametrize(
    ("helper", "counts"),
    [
        ("numbers/constants.py", True),
        ("numbers/deeper/helper.py", True),
        ("common/shared.py", True),
        ("_helper.py", True),
        ("letters/helper.py", False),
        ("words.py", False),
    ],
)
def test_editing_code_that_a_task_may_use_makes_new_data(job, tmp_path, helper, counts):
    tasks = tmp_path / "mine" / "tasks"
    modules = ("numbers/constants.py", "common/shared.py", "letters/task.py")
    for name in (*modules, helper):
        (tasks / name).parent.mkdir(parents=True, exist_ok=True)
        (tasks / name).write_text("OWN = SHARED = 1\n")
    (tasks / "numbers" / "task.py").write_text(COUNTING_TASK)
    task = find_plugin(TASKS, "numbers", (str(tmp_path / "mine"),))
    encoded.load(job, task, {})
    encoded.load(job, task, {})
    assert task.loads == 1
    (tasks / helper).write_text("OWN = SHARED = 2\n")
    encoded.load(job, task, {})
    assert task.loads == (2 if counts else 1)


def test_the_digest_of_a_built_in_task_covers_its_folder_and_the_common_helpers():
    for key, task in load_registry(()).tasks.plugins.items():
        covered = set(plugin_files(task))
        folder = CHECKOUT / "tasks" / key
        own = set(folder.rglob("*.py")) if folder.is_dir() else {folder.with_suffix(".py")}
        assert own | set((CHECKOUT / "tasks" / "common").rglob("*.py")) <= covered


def truncate(path):
    path.write_bytes(path.read_bytes()[:-5])


def clear(path):
    path.write_bytes(b"")


def zero(path):
    """Leave the zeros of a disk that lost its power: the size and the header are right."""
    content = path.read_bytes()
    path.write_bytes(content[:128] + bytes(len(content) - 128))


def replace_by_list(path):
    path.write_text("[]")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("train.features.values.npy", truncate),
        ("train.features.values.npy", clear),
        ("train.features.values.npy", zero),
        ("validation.targets.labels.npy", Path.unlink),
        ("test.features.values.npy", truncate),
        ("about.json", clear),
        ("about.json", truncate),
        ("about.json", replace_by_list),
        ("about.json", Path.unlink),
        ("test.json", clear),
        ("test.json", Path.unlink),
    ],
)
def test_a_damaged_entry_is_discarded_and_encoded_again(job, name, damage):
    cell = dataclasses.replace(job.cell, scores_test=True)
    job, task = dataclasses.replace(job, cell=cell), CountingTask()
    encoded.load(job, task, {})
    (entry,) = job.cache.iterdir()
    damage(entry / name)
    for _ in range(2):
        data = encoded.load(job, task, {})
        assert (data.train.features["values"] == np.arange(12.0).reshape(4, 3)).all()
        assert data.spec == {"classes": ["a"]}
        assert task.loads == 2 and len(entries(job)) == 1


def test_data_in_any_layout_is_found_again(job, monkeypatch):
    def load(self, request, sequence_length, options):
        self.loads += 1
        values = {
            "turned": np.arange(24.0).reshape(2, 3, 4).transpose(1, 2, 0),
            "steps": np.arange(24)[::2].reshape(3, 4)[:, ::-1],
            "empty": np.zeros((3, 0), np.float32),
            "padding_mask": np.ones((3, 4), bool),
        }
        split = Examples(values, {"labels": np.arange(3)})
        return TaskData(split, split, split, {}, {})

    monkeypatch.setattr(CountingTask, "load", load)
    task = CountingTask()
    for _ in range(2):
        data = encoded.load(job, task, {})
        assert (data.train.features["steps"][0] == [6, 4, 2, 0]).all()
    assert task.loads == 1


def test_an_entry_is_on_disk_before_it_has_its_name(job, monkeypatch):
    flushed = []
    flush = encoded.flush_to_disk

    def note(path):
        flush(path)
        flushed.append((path.parent.name[:8], path.name, bool(list(job.cache.glob("dup*")))))

    monkeypatch.setattr(encoded, "flush_to_disk", note)
    encoded.load(job, CountingTask(), {})
    (entry,) = job.cache.iterdir()
    inside = {name for folder, name, has_entry in flushed if folder == ".making-"}
    assert inside >= {path.name for path in entry.iterdir()}
    assert [has_entry for *_, has_entry in flushed] == [False] * (len(flushed) - 1) + [True]


def test_data_without_a_source_digest_is_not_cached(job):
    encoded.load(dataclasses.replace(job, source_digest=None), CountingTask(), {})
    assert not job.cache.exists()


def test_concurrent_cells_leave_one_complete_entry(job):
    task, found = CountingTask(), []
    threads = [
        threading.Thread(target=lambda: found.append(encoded.load(job, task, {}))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(entries(job)) == 1
    assert all((data.train.targets["labels"] == np.arange(4)).all() for data in found)


def test_a_cell_gets_its_share_and_all_shares_have_one_entry_in_the_cache(job):
    task = CountingTask()
    less = dataclasses.replace(
        job, cell=dataclasses.replace(job.cell, options={"train_share": 0.5}, batch_size=2)
    )
    for _ in range(2):
        whole, half = encoded.load(job, task, {}), encoded.load(less, task, {})
        assert whole.train.num_examples == whole.test.num_examples == 4
        assert half.train.num_examples == 2 and half.validation.num_examples == 4
        assert "train_share_examples" not in whole.facts
    assert task.loads == 1 and len(entries(job)) == 1
