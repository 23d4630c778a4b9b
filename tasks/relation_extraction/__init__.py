"""The relation extraction task."""
