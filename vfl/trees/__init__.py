"""Gradient-boosted trees that equal XGBoost on the pooled columns."""
