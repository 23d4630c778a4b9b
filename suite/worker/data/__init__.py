"""Encoded data and batches."""
