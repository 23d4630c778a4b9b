"""Compiled steps: one file per backend, with the same functions in each."""
