"""Injected faults, what is expected of each, and what came of it."""
