"""Publishes records: checks, submissions, leaderboard files, packs for other machines."""
