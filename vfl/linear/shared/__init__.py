"""Logistic regression of two parties on shares: no partial score and no gradient appears in clear."""
