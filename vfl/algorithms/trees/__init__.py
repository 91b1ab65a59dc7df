"""Boosted trees over the columns of several institutions, grown as XGBoost grows them."""
