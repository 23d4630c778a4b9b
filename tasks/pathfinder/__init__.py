"""Pathfinder."""
