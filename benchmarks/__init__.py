"""Measurements of the product on the machine at hand; each prints what it measured."""
