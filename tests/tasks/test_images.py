"""Images: folders are read, faults named, patches cut; generated curves are what they say."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops
from PIL import Image

from suite.api import SourceRequest
from suite.api.errors import DataError, RequestError
from tasks.common.patches import cut_patches
from tasks.image_classification import task as image_classification
from tasks.pathfinder import task as pathfinder
from tasks.pathfinder.curves import CURVE, MARK, _draw_pairs, _marked, draw_pictures
from tasks.pathfinder.patch_convolutions import PatchConvolutions

TASK = image_classification.TASK


def write_images(folder, kinds=("cat", "dog"), count=12, size=(32, 32), splits=("train", "test")):
    generator = np.random.default_rng(0)
    for split in splits:
        for kind in kinds:
            inside = folder / split / kind
            inside.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = generator.integers(256, size=(size[1], size[0], 3), dtype=np.uint8)
                Image.fromarray(pixels).save(inside / f"{number}.png")


def request(folder) -> SourceRequest:
    return SourceRequest("files", str(folder))


def test_folders_of_mixed_sizes_and_modes_are_read(tmp_path):
    write_images(tmp_path)
    Image.new("L", (100, 40), 7).save(tmp_path / "train" / "cat" / "grey.jpg")
    Image.new("RGBA", (8, 8)).save(tmp_path / "test" / "dog" / "small.png")
    data = TASK.load(request(tmp_path), 64, {})
    assert data.spec["classes"] == ["cat", "dog"]
    assert data.facts["examples"] == {"train": 23, "validation": 2, "test": 25}
    assert data.train.features["patches"].shape[1:] == (64, 4 * 4 * 3)
    assert abs(float(data.train.features["patches"].mean())) < 0.1


def spoil(path):
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: spoil(f / "train" / "cat" / "3.png"), "3.png"),
        (lambda f: (f / "test" / "dog" / "0.png").write_text("no image"), "0.png"),
    ],
)
def test_a_corrupt_image_is_named(tmp_path, change, said):
    write_images(tmp_path)
    change(tmp_path)
    with pytest.raises(DataError) as caught:
        TASK.inspect(request(tmp_path), {})
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_folders_must_make_sense(tmp_path):
    with pytest.raises(DataError, match="must exist"):
        TASK.inspect(request(tmp_path / "nowhere"), {})
    with pytest.raises(DataError, match="no image for train"):
        TASK.inspect(request(tmp_path), {})
    write_images(tmp_path, kinds=("cat",))
    with pytest.raises(DataError, match="at least two classes"):
        TASK.inspect(request(tmp_path), {})
    write_images(tmp_path, kinds=("dog",), splits=("test",))
    write_images(tmp_path, kinds=("emu",), splits=("train",))
    with pytest.raises(DataError, match="'dog'"):
        TASK.inspect(request(tmp_path), {})


@pytest.mark.parametrize("length", [17, 100, 63])
def test_lengths_that_no_patch_gives_are_refused(length):
    assert "64 (patch 4)" in str(TASK.unsupported_reason(length))
    assert TASK.unsupported_reason(64) is None


def test_digits_are_whole_and_splits_apart():
    data = TASK.load(SourceRequest("embedded"), 16, {})
    assert data.facts["examples"] == {"train": 4_050, "validation": 450, "test": 500}
    assert data.facts["shared_with_train"] == {"validation": 0, "test": 0}
    assert np.bincount(data.train.targets["labels"]).min() > 300


def test_cifar_10_is_read(tfds_data_dir):
    source = SourceRequest("tfds", data_dir=str(tfds_data_dir))
    data = TASK.load(source, 16, {})
    assert data.facts["examples"] == {"train": 45_000, "validation": 5_000, "test": 10_000}
    assert len(data.spec["classes"]) == 10
    assert data.train.features["patches"].shape == (45_000, 16, 192)


def test_pictures_are_balanced_different_and_drawn_again_the_same():
    pictures, labels, _ = draw_pictures(400, 32, 0, 12)
    again, _, _ = draw_pictures(400, 32, 0, 12)
    other, _, _ = draw_pictures(400, 32, 1, 12)
    assert (pictures == again).all() and (pictures != other).any()
    assert 0.4 < labels.mean() < 0.6
    assert set(np.unique(pictures)) == {0, CURVE, MARK}
    assert len(np.unique(pictures.reshape(400, -1), axis=0)) == 400
    joined, apart = pictures[labels == 1], pictures[labels == 0]
    assert abs(joined.mean() - apart.mean()) < 0.01, "how much is drawn tells nothing"


@pytest.mark.parametrize(("size", "points"), [(32, 6), (32, 9), (64, 12)])
def test_where_the_marks_are_tells_nothing(size, points):
    generator = np.random.default_rng(0)
    pairs = _draw_pairs(generator, points, size / 32, size)
    assert len(pairs) > 100 and pairs.min() >= 1 and pairs.max() <= size - 2
    by_label = []
    for label in (0, 1):
        marks, marked = _marked(generator, pairs, np.full(len(pairs), label))
        at_end = (marks[:, :, None, None] == pairs[:, None, :, [0, -1]]).all(axis=-1).any(axis=-1)
        both_on_one = at_end.all(axis=1).any(axis=1)
        assert at_end.any(axis=-1).all() and (both_on_one == label).all()
        assert (at_end.any(axis=1) == marked).all()
        by_label.append(marks)
    apart, joined = (np.linalg.norm(marks[:, 0] - marks[:, 1], axis=-1) for marks in by_label)
    assert np.allclose(apart, joined, atol=1e-4)
    rims = [np.minimum(marks, size - 1 - marks).min(axis=(1, 2)) for marks in by_label]
    assert abs(np.mean(rims[0]) - np.mean(rims[1])) < 0.1 * np.std(rims[0])


def test_a_trace_is_of_the_curves_that_have_a_mark_and_no_others():
    pictures, labels, traces = draw_pictures(400, 32, 0, 9)
    assert (pictures[traces] > 0).all()
    lit = traces.sum(axis=(1, 2))
    assert lit[labels == 1].min() > 0
    assert 1.9 < lit[labels == 0].mean() / lit[labels == 1].mean() < 2.1, "two curves for one"
    untraced = (pictures == CURVE) & ~traces
    assert untraced[labels == 1].any(axis=(1, 2)).all(), "the other curve has no mark"


@pytest.mark.parametrize("patch_size", [1, 2, 4, 8])
def test_patches_are_convolved_where_they_lie(patch_size):
    """What changes at one pixel reaches the patches around it, and no others."""
    convolutions = PatchConvolutions()
    picture = np.zeros((2, 32, 32, 1), np.float32)
    picture[1, 16, 8] = 1
    patches = cut_patches(picture, patch_size)
    found = ops.convert_to_numpy(convolutions({"patches": patches}))
    assert found.shape[:2] == patches.shape[:2]
    side = 32 // patch_size
    row, column = np.divmod(np.flatnonzero((found[0] != found[1]).any(axis=1)), side)
    reach = 1 if patch_size > 3 else 3 if patch_size == 1 else 2
    assert len(row) > 0
    assert abs(row - 16 // patch_size).max() <= reach
    assert abs(column - 8 // patch_size).max() <= reach


def test_the_label_alone_is_learned_where_no_traces_are_asked_for():
    task = pathfinder.TASK
    features = {"padding_mask": np.ones((3, 64), bool)}
    for trace, outputs in ((True, 2 + 64), (False, 2)):
        head = task.build_head({"classes": pathfinder.CLASSES, "trace": trace})
        states = np.ones((3, 64, 8), np.float32)
        scores = head(states, features)
        assert tuple(scores.shape) == (3, outputs)
        targets = {"labels": np.ones(3, np.int32), "trace": np.zeros((3, 64), bool)}
        losses = [
            float(task.loss(ops.convert_to_tensor(scores), {**targets, "trace": traces}, features))
            for traces in (targets["trace"], ~targets["trace"])
        ]
        assert (losses[0] != losses[1]) == trace
        assert tuple(task.predict(scores, targets, features).shape) == (3, 2)


def test_a_class_token_answers_and_the_patches_say_where_the_curves_run():
    head = pathfinder.TASK.build_head({"classes": pathfinder.CLASSES, "trace": True})
    random = np.random.default_rng(0)
    token, states = (random.normal(size=(3, n, 8)).astype("float32") for n in (1, 64))
    mask = {"padding_mask": np.ones((3, 1), bool)}
    scores = ops.convert_to_numpy(head(token, {**mask, "position_states": states}))
    other = ops.convert_to_numpy(head(token, {**mask, "position_states": -states}))
    assert scores.shape == (3, 2 + 64)
    np.testing.assert_array_equal(scores[:, :2], other[:, :2])
    assert (scores[:, 2:] != other[:, 2:]).all()


def test_larger_pictures_have_larger_curves():
    small, _, _ = draw_pictures(50, 32, 0, 12)
    large, _, _ = draw_pictures(50, 64, 0, 12)
    assert large.shape == (50, 64, 64)
    assert large.sum(axis=(1, 2)).mean() > 1.5 * small.sum(axis=(1, 2)).mean()


def test_pathfinder_takes_pixels_or_patches():
    task = pathfinder.TASK
    assert task.unsupported_reason(1_024) is None and task.unsupported_reason(60)
    options = {"image_size": 64, "train_examples": 20}
    data = task.load(SourceRequest("synthetic"), 4_096, options)
    assert data.train.features["patches"].shape == (20, 4_096, 1)
    with pytest.raises(RequestError, match="image_size"):
        task.load(SourceRequest("synthetic"), 4_096, {"image_size": 32})
