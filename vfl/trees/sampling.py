"""Random choice of rows and columns. Seeded and not secret; it does not draw XGBoost's own numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vfl.params import TreeParams

Bool = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


def sample_rows(training: Bool, params: TreeParams, rng: np.random.Generator) -> Bool:
    """The training rows that one tree is grown on: each is drawn with probability ``subsample``."""
    if params.subsample == 1:
        return training
    return training & (rng.random(len(training)) < params.subsample)


def sample_columns(columns: Integers, share: float, rng: np.random.Generator) -> Integers:
    """A share of the columns, ascending: the whole part of ``share * n``, at least one, as in XGBoost."""
    if share == 1 or not len(columns):
        return columns
    # XGBoost multiplies in float32, which decides which side of a whole number the product falls on.
    count = max(1, int(np.float32(share) * np.float32(len(columns))))
    return np.sort(rng.choice(columns, size=count, replace=False))
