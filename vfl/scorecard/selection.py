"""Which coded columns of one party are kept: none that repeats others of the same party."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


def select(coded: Float64, max_correlation: float | None, max_vif: float | None) -> list[int]:
    """Select columns by correlation, then by variance inflation.

    A constant column is never kept.

    Args:
        coded: float64 [rows, columns], the columns with more information value first.
        max_correlation, max_vif: see `vfl.scorecard.params.BinningParams`.

    Returns:
        Positions of the columns that are kept, ascending.
    """
    kept = [int(column) for column in np.flatnonzero(np.ptp(coded, axis=0) > 0)] if len(coded) else []
    if max_correlation is not None:
        kept = _uncorrelated(coded, kept, max_correlation)
    if max_vif is not None:
        kept = _not_inflated(coded, kept, max_vif)
    return kept


def _uncorrelated(coded: Float64, columns: list[int], most: float) -> list[int]:
    """Columns that correlate with no better one beyond ``most``."""
    correlations = np.abs(_correlations(coded[:, columns]))
    kept: list[int] = []
    for column in range(len(columns)):
        if (correlations[column, kept] <= most).all():
            kept.append(column)
    return [columns[column] for column in kept]


def _not_inflated(coded: Float64, columns: list[int], most: float) -> list[int]:
    """What is left when the most inflated column goes, of equals the worse, until none is above ``most``."""
    kept = list(columns)
    while len(kept) > 1:
        inflation = variance_inflation(coded[:, kept])
        if inflation.max() <= most:
            break
        del kept[len(kept) - 1 - int(np.argmax(inflation[::-1]))]
    return kept


def variance_inflation(columns: Float64) -> Float64:
    """1 / (1 - R^2) of each column's regression on the others, [columns]; infinite where they make it up.

    Source: the diagonal of the inverse of the correlation matrix (Marquardt 1970).
    """
    values, vectors = np.linalg.eigh(_correlations(columns))
    null = values <= len(values) * np.finfo(np.float64).eps * values.max()
    inflation = (np.square(vectors[:, ~null]) / values[~null]).sum(axis=1)
    dependent = np.square(vectors[:, null]).sum(axis=1) > np.sqrt(np.finfo(np.float64).eps)
    return np.where(dependent, np.inf, inflation)


def _correlations(columns: Float64) -> Float64:
    """Pearson's, [columns, columns]; of columns that are not constant."""
    return np.atleast_2d(np.corrcoef(columns, rowvar=False)) if columns.shape[1] else np.zeros((0, 0))
