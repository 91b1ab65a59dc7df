"""Vertical federated learning: alignment, training and scoring across institutions.

The library does no I/O. A feature party turns a message into a reply; a label party asks. Servers,
files and HTTPS live in ``parties``.
"""
