"""Selects, groups, aggregates and ranks records. Every table, page and board uses this package."""
