"""Logistic regression on secret shares, with one feature party."""
