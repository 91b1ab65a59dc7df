"""Estimators with scikit-learn's interface, for the label party's notebooks and pipelines."""
