"""Scoring: one path for batch and online, one round trip to each feature party."""
