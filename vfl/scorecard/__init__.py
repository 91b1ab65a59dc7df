"""Scorecards over the columns of several institutions: bins, weight of evidence, selection, points."""
