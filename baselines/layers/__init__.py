"""Mechanisms that architectures assemble, one file each, in `keras.ops` for every backend."""
