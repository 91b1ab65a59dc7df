"""Random choice of rows and columns. Seeded and not secret; it does not draw XGBoost's own numbers."""

from __future__ import annotations

import numpy as np

from vfl.algorithms.trees.params import TreeParams
from vfl.arrays import Bool, Float32, Integers


def sample_rows(
    training: Bool, g: Float32, h: Float32, params: TreeParams, rng: np.random.Generator
) -> tuple[Bool, Float32, Float32]:
    """Draw the training rows that one tree is grown on; the others are neither encrypted nor sent.

    With ``bagging`` each row is drawn with probability ``subsample``. With ``goss`` (Ke et al., LightGBM,
    2017) the rows with the largest ``|g h|`` are kept, some of the rest drawn, and the gradients and
    hessians of the drawn multiplied by `goss_factor`, so that sums estimate those over all rows.

    Returns:
        the drawn rows, and g and h as the tree takes them.
    """
    if params.data_sample_strategy == "goss":
        return _one_sided(training, g, h, params, rng)
    if params.subsample == 1:
        return training, g, h
    return training & (rng.random(len(training)) < params.subsample), g, h


def goss_factor(params: TreeParams) -> float:
    """What one-side sampling multiplies the gradients of drawn rows by; 1 for ``bagging``."""
    return (1 - params.top_rate) / params.other_rate if params.data_sample_strategy == "goss" else 1.0


def _one_sided(
    training: Bool, g: Float32, h: Float32, params: TreeParams, rng: np.random.Generator
) -> tuple[Bool, Float32, Float32]:
    rows = np.flatnonzero(training)
    n_top, n_other = (max(1, int(len(rows) * rate)) for rate in (params.top_rate, params.other_rate))
    by_size = rows[np.argsort(-np.abs(g[rows] * h[rows]), kind="stable")]
    rest = by_size[n_top:]
    others = rng.choice(rest, size=min(n_other, len(rest)), replace=False)
    sampled = np.zeros(len(training), dtype=np.bool_)
    sampled[by_size[:n_top]] = True
    sampled[others] = True
    factor = np.ones(len(training), dtype=np.float32)
    factor[others] = np.float32(goss_factor(params))
    return sampled, g * factor, h * factor


def sample_columns(columns: Integers, fraction: float, rng: np.random.Generator) -> Integers:
    """Columns drawn, ascending: the whole part of ``fraction * n``, at least one, as in XGBoost."""
    if fraction == 1 or not len(columns):
        return columns
    # XGBoost multiplies in float32, which decides which side of a whole number the product falls on.
    count = max(1, int(np.float32(fraction) * np.float32(len(columns))))
    return np.sort(rng.choice(columns, size=count, replace=False))
