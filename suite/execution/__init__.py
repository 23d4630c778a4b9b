"""Runs the cells of a plan, one process per cell, and writes their records."""
