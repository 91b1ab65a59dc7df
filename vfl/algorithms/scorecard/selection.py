"""Which coded columns of one party are kept: none that repeats others of the same party."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from vfl.arrays import Float64

EPSILON = 1e-12
"""Eigenvalues below so much of the largest are rounding, of correlations summed over millions of rows too."""


def correlations(blocks: Iterable[Float64]) -> Float64:
    """Pearson's correlations of columns that come in blocks of rows, at least one row in all.

    Args:
        blocks: float64 [rows of the block, columns] each.

    Returns:
        float64 [columns, columns]; of a constant column NaN.
    """
    rows, origin, total, squares = 0, np.zeros(0), np.zeros(0), np.zeros((0, 0))
    for block in blocks:
        if not rows:  # sums of differences from any one row lose fewer digits than sums of values
            origin = block[0]
            total, squares = np.zeros(len(origin)), np.zeros((len(origin), len(origin)))
        rows += len(block)
        difference = block - origin
        total += difference.sum(axis=0)
        squares += difference.T @ difference
    covariance = squares / rows - np.outer(total / rows, total / rows)
    variance = np.where(np.diag(squares) > 0, np.diag(covariance), np.nan)
    return np.asarray(covariance / np.sqrt(np.outer(variance, variance)))


def select(correlations: Float64, max_correlation: float | None, max_vif: float | None) -> list[int]:
    """Select columns by correlation, then by variance inflation; a constant column is never kept.

    Args:
        correlations: float64 [columns, columns], the columns with more information value first.
        max_correlation, max_vif: see `vfl.algorithms.scorecard.params.BinningParams`.

    Returns:
        Positions of the columns that are kept, ascending.
    """
    selected = np.flatnonzero(~np.isnan(np.diag(correlations))).tolist()
    if max_correlation is not None:
        selected = _uncorrelated(np.abs(correlations), selected, max_correlation)
    if max_vif is not None:
        selected = _not_inflated(correlations, selected, max_vif)
    return selected


def _uncorrelated(strengths: Float64, columns: list[int], most: float) -> list[int]:
    """Columns that correlate with no better one that is kept beyond ``most``."""
    selected: list[int] = []
    for column in columns:
        if (strengths[column, selected] <= most).all():
            selected.append(column)
    return selected


def _not_inflated(correlations: Float64, columns: list[int], most: float) -> list[int]:
    """What is left when the most inflated column goes, of equals the worse, until none is above ``most``."""
    selected = list(columns)
    while len(selected) > 1:
        inflation = variance_inflation(correlations[np.ix_(selected, selected)])
        if inflation.max() <= most:
            break
        del selected[len(selected) - 1 - int(np.argmax(inflation[::-1]))]
    return selected


def variance_inflation(correlations: Float64) -> Float64:
    """1 / (1 - R^2) of each column's regression on the others, [columns]; infinite where they make it up.

    Source: the diagonal of the inverse of the correlation matrix (Marquardt 1970).
    """
    values, vectors = np.linalg.eigh(correlations)
    null = values <= EPSILON * len(values) * values.max()
    inflation = (np.square(vectors[:, ~null]) / values[~null]).sum(axis=1)
    dependent = np.square(vectors[:, null]).sum(axis=1) > np.sqrt(EPSILON)
    return np.where(dependent, np.inf, inflation)
