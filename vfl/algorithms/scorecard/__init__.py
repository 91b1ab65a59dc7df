"""Bins of every party's columns with weights of evidence, and the points of a scorecard."""
