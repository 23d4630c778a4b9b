"""Tests of the image classification task: folders, errors and splits."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from suite.api import DataError, SourceRequest
from tasks.image_classification.task import TASK


def write_images(
    folder, class_names=("cat", "dog"), count=12, size=(32, 32), splits=("train", "test")
):
    generator = np.random.default_rng(0)
    for split in splits:
        for class_name in class_names:
            class_folder = folder / split / class_name
            class_folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = generator.integers(256, size=(size[1], size[0], 3), dtype=np.uint8)
                Image.fromarray(pixels).save(class_folder / f"{number}.png")


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


def truncate(path):
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda f: truncate(f / "train" / "cat" / "3.png"), "3.png"),
        (lambda f: (f / "test" / "dog" / "0.png").write_text("no image"), "0.png"),
    ],
)
def test_a_corrupt_image_is_named_in_the_error(tmp_path, change, named):
    write_images(tmp_path)
    change(tmp_path)
    with pytest.raises(DataError) as caught:
        TASK.inspect(request(tmp_path), {})
    assert named in str(caught.value) and "\n" not in str(caught.value)


def test_malformed_folders_are_rejected(tmp_path):
    with pytest.raises(DataError, match="must exist"):
        TASK.inspect(request(tmp_path / "nowhere"), {})
    with pytest.raises(DataError, match="no image for train"):
        TASK.inspect(request(tmp_path), {})
    write_images(tmp_path, class_names=("cat",))
    with pytest.raises(DataError, match="at least two classes"):
        TASK.inspect(request(tmp_path), {})
    write_images(tmp_path, class_names=("dog",), splits=("test",))
    write_images(tmp_path, class_names=("emu",), splits=("train",))
    with pytest.raises(DataError, match="'dog'"):
        TASK.inspect(request(tmp_path), {})


@pytest.mark.parametrize("length", [17, 100, 63])
def test_lengths_that_no_patch_size_gives_are_rejected(length):
    assert "64 (patch 4)" in str(TASK.unsupported_reason(length, TASK.options))
    assert TASK.unsupported_reason(64, TASK.options) is None


def test_digits_have_disjoint_splits_with_all_classes():
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
