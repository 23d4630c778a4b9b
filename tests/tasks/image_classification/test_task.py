"""Tests of the image classification task: folders, errors and splits."""

from __future__ import annotations

import os
import struct
from zlib import compress, crc32

import numpy as np
import pytest
from PIL import Image, ImageOps

from suite.api import DataError, SourceRequest
from tasks.image_classification.image_folders import read_image
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
        (lambda f: (f / "test" / "dog" / "0.png").write_bytes(b""), "0.png"),
        (lambda f: Image.new("L", (10_000, 10_000)).save(f / "train" / "cat" / "big.png"), "big"),
        (lambda f: Image.new("1", (20_000, 20_000)).save(f / "train" / "cat" / "big.png"), "big"),
    ],
)
def test_a_corrupt_image_is_named_in_the_error(tmp_path, change, named):
    write_images(tmp_path)
    change(tmp_path)
    with pytest.raises(DataError) as caught:
        TASK.inspect(request(tmp_path), {})
    assert named in str(caught.value)


def test_malformed_folders_are_rejected(tmp_path):
    with pytest.raises(DataError, match="must exist"):
        TASK.inspect(request(tmp_path / "nowhere"), {})
    with pytest.raises(DataError, match=r"train/CLASS/IMAGE.*none of them in"):
        TASK.inspect(request(tmp_path), {})
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    with pytest.raises(DataError, match="no image for train"):
        TASK.inspect(request(tmp_path), {})
    write_images(tmp_path, class_names=("cat",))
    with pytest.raises(DataError, match="at least two classes"):
        TASK.inspect(request(tmp_path), {})
    write_images(tmp_path, class_names=("dog",), splits=("test",))
    write_images(tmp_path, class_names=("emu",), splits=("train",))
    with pytest.raises(DataError, match="'dog'"):
        TASK.inspect(request(tmp_path), {})


def test_digits_have_disjoint_splits_with_all_classes():
    data = TASK.load(SourceRequest("embedded"), 16, {})
    assert data.facts["examples"] == {"train": 4_050, "validation": 450, "test": 500}
    assert data.facts["shared_with_train"] == {"validation": 0, "test": 0}
    assert np.bincount(data.train.targets["labels"]).min() > 300
    assert data.facts["fingerprint"] == (  # that of the published records
        "49a26f45fdb9e6331d5e78206f9c60631126da8d97cd40349d5e3f8675c535ea"
    )


@pytest.mark.slow  # 60,000 images
def test_cifar_10_is_read(tfds_data_dir):
    source = SourceRequest("tfds", data_dir=str(tfds_data_dir))
    data = TASK.load(source, 16, {})
    assert data.facts["examples"] == {"train": 45_000, "validation": 5_000, "test": 10_000}
    assert len(data.spec["classes"]) == 10
    assert data.train.features["patches"].shape == (45_000, 16, 192)


LAST_CHUNK = 12
"""The bytes of the chunk that ends a PNG file. No pixel depends on them."""


def save(path, image, **how):
    image.save(path, **how)
    return path


@pytest.mark.parametrize(
    ("image", "how"),
    [
        (Image.new("RGBA", (8, 8), (0, 0, 0, 0)), {}),
        (Image.new("LA", (8, 8), (0, 0)), {}),
        (Image.new("L", (8, 8), 7), {"transparency": 7}),
        (Image.new("RGB", (8, 8), (1, 2, 3)), {"transparency": (1, 2, 3)}),
        (Image.new("L", (8, 8), 3).convert("P"), {"transparency": 3}),
    ],
    ids=lambda value: getattr(value, "mode", ""),
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_is_transparent_is_white(tmp_path, image, how, mode):
    path = save(tmp_path / "a.png", image, **how)
    assert (read_image(path, 8, mode) == 255).all()


def test_half_a_transparency_is_half_white(tmp_path):
    path = save(tmp_path / "a.webp", Image.new("RGBA", (8, 8), (0, 0, 0, 128)), lossless=True)
    assert np.abs(read_image(path, 8, "RGB").astype(int) - 127).max() <= 1


def test_grey_of_16_bits_is_scaled(tmp_path):
    values = np.array([[0, 255, 256], [32_768, 65_000, 65_535], [1, 2, 3]], np.uint16)
    path = save(tmp_path / "a.png", Image.fromarray(values))
    expected = [[0, 0, 1], [128, 253, 255], [0, 0, 0]]
    for mode in ("RGB", "L"):
        assert read_image(path, 3, mode)[:, :, 0].tolist() == expected
    save(path, Image.fromarray(np.full((3, 3), 500, np.uint16)), transparency=500)
    assert (read_image(path, 3, "RGB") == 255).all()


def write_png(path, depth, color_type, row, transparent):
    """Write a PNG file of two equal rows of two pixels, with a transparent colour."""

    def chunk(name, content):
        size, check = (struct.pack(">I", value) for value in (len(content), crc32(name + content)))
        return size + name + content + check

    header = struct.pack(">IIBBBBB", 2, 2, depth, color_type, 0, 0, 0)
    parts = [(b"IHDR", header), (b"tRNS", transparent)]
    parts += [(b"IDAT", compress(2 * (b"\0" + row))), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    return path


@pytest.mark.parametrize(
    ("depth", "color_type", "row", "transparent", "other"),
    [
        (1, 0, b"\x40", b"\0\1", 0),
        (2, 0, b"\x60", b"\0\1", 170),
        (4, 0, b"\x5a", b"\0\5", 170),
        (8, 0, b"\x64\x65", b"\0\x64", 101),
        (16, 0, b"\x01\x02\x07\x02", b"\x01\x02", 7),
        (8, 2, b"\1\2\3\4\4\4", b"\0\1\0\2\0\3", 4),
        (16, 2, b"\x12\x34\x56\x78\x9a\xbc\7\1\7\2\7\3", b"\x12\x34\x56\x78\x9a\xbc", 7),
        (16, 2, b"\0\x34\0\x78\0\xbc\7\1\7\2\7\3", b"\0\x34\0\x78\0\xbc", 7),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_transparent_colour_is_white_at_any_depth(
    tmp_path, depth, color_type, row, transparent, other, mode
):
    path = write_png(tmp_path / "a.png", depth, color_type, row, transparent)
    values = sorted({*read_image(path, 2, mode).flat})
    assert values == [other, 255]


def test_a_png_file_with_a_changed_byte_is_an_error(tmp_path):
    pixels = np.random.default_rng(0).integers(256, size=(8, 8, 3), dtype=np.uint8)
    good = save(tmp_path / "a.png", Image.fromarray(pixels)).read_bytes()
    for place in range(8, len(good) - LAST_CHUNK, 5):
        changed = bytearray(good)
        changed[place] ^= 4
        (tmp_path / "b.png").write_bytes(changed)
        with pytest.raises(DataError, match=r"b\.png"):
            read_image(tmp_path / "b.png", 8, "RGB")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_its_exif_data_say(tmp_path, orientation):
    pixels = np.random.default_rng(0).integers(256, size=(8, 8, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.png", Image.fromarray(pixels), exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert (read_image(path, 8, "RGB") == expected).all()
    assert (expected == pixels).all() == (orientation == 1)


def test_damaged_exif_data_say_nothing(tmp_path):
    path = save(tmp_path / "a.jpg", Image.new("RGB", (8, 8)), exif=b"Exif\0\0nonsense")
    assert read_image(path, 8, "RGB").shape == (8, 8, 3)


def test_the_name_of_a_class_that_is_no_utf_8_is_written(tmp_path):
    write_images(tmp_path, ("cat", os.fsdecode(b"caf\xe9")))
    data = TASK.load(request(tmp_path), 16, {})
    assert data.spec["classes"] == ["caf?", "cat"]
