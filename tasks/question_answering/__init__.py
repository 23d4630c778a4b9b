"""The extractive question answering task."""
