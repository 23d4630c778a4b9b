"""The ListOps task."""
