"""The Pathfinder task."""
