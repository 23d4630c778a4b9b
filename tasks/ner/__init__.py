"""The named entity recognition task."""
