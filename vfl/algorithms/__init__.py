"""Federated algorithms, a folder each; the registry in `registry.py` has a line for each."""
