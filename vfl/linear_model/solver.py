"""Newton's method on few columns: the quadratic model with an L1 penalty and bounds, and the whole problem.

The label party minimises over its own columns and the directions offered to it; a feature party minimises
its quadratic model. Both are small, dense and exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfl.arrays import Float64
from vfl.linear_model.loss import Loss

MOST_STEPS = 200
"""Newton steps of one problem: a handful is usual, many only where a step must be shortened often."""

MOST_SWEEPS = 20_000
"""Sweeps of coordinate descent over one quadratic model."""

EXACT = 1e-13
"""Relative change at which an iteration has nothing left to improve in float64."""

SINGULAR = 1e-11
"""Eigenvalues of a scaled matrix below this are none: the direction is left alone."""


@dataclass(frozen=True)
class Penalty:
    """What coefficients cost besides the loss: ``t' square t / 2 + linear' t + l1' |t|``, within bounds.

    Attributes:
        square: float64 [k, k], symmetric, no negative eigenvalue.
        linear, l1, low, high: float64 [k]; bounds may be infinite, and hold 0 or the start.
    """

    square: Float64
    linear: Float64
    l1: Float64
    low: Float64
    high: Float64

    @classmethod
    def ridge(cls, square: Float64) -> Penalty:
        """Without L1 and bounds."""
        zero = np.zeros(len(square))
        return cls(square, zero, zero, zero - np.inf, zero + np.inf)

    @property
    def is_smooth(self) -> bool:
        return not self.l1.any() and not np.isfinite(self.low).any() and not np.isfinite(self.high).any()

    def value(self, t: Float64) -> float:
        return float(t @ self.square @ t / 2 + self.linear @ t + self.l1 @ np.abs(t))


def quadratic_minimum(Q: Float64, b: Float64, penalty: Penalty, start: Float64) -> Float64:
    """The t that minimises ``t' Q t / 2 + b' t`` with the L1 part and the bounds of a penalty.

    Directions in which Q is flat up to rounding stay where they start. With an L1 part or bounds by
    coordinate descent (Friedman, Hastie and Tibshirani 2010).

    Args:
        Q: float64 [k, k], symmetric; eigenvalues below zero count as zero.
        b, start: float64 [k].
    """
    scale = np.sqrt(np.maximum(np.diag(Q), 0.0))
    scale = np.where(scale > 0, scale, 1.0)
    Q, b, start = Q / np.outer(scale, scale), b / scale, start * scale
    if penalty.is_smooth:
        values, vectors = np.linalg.eigh(Q)
        steep = values > SINGULAR
        slope = vectors.T @ (Q @ start + b)
        step = np.divide(slope, values, out=np.zeros_like(slope), where=steep)
        return np.asarray((start - vectors @ step) / scale)
    return _descend(Q, b, penalty, start, scale) / scale


def _descend(Q: Float64, b: Float64, penalty: Penalty, start: Float64, scale: Float64) -> Float64:
    """Coordinate descent in scaled coordinates."""
    t, slope = start.copy(), Q @ start + b
    l1, low, high = penalty.l1 / scale, penalty.low * scale, penalty.high * scale
    for _ in range(MOST_SWEEPS):
        largest = 0.0
        for j in range(len(t)):
            if Q[j, j] <= SINGULAR:
                continue
            free = t[j] - slope[j] / Q[j, j]
            shrunk = np.sign(free) * max(abs(free) - l1[j] / Q[j, j], 0.0)
            change = min(max(shrunk, low[j]), high[j]) - t[j]
            if change:
                t[j] += change
                slope += change * Q[j]
                largest = max(largest, abs(change))
        if largest <= EXACT * max(1.0, float(np.abs(t).max())):
            break
    return t


def minimise(
    loss: Loss,
    columns: Float64,
    offset: Float64,
    y: Float64,
    weights: Float64,
    penalty: Penalty,
    start: Float64,
) -> Float64:
    """The coefficients t [k] of least loss at ``z = offset + columns t``, penalty included.

    Proximal Newton steps, halved until they improve (Lee, Sun and Saunders 2014).

    Args:
        columns: float64 [n, k].
        offset, y, weights: float64 [n].
        start: float64 [k] within the bounds.
    """

    def cost(t: Float64) -> float:
        return float(weights @ loss.value(offset + columns @ t, y)) + penalty.value(t)

    t, now = start, cost(start)
    for _ in range(MOST_STEPS):
        z = offset + columns @ t
        slope = columns.T @ (weights * (loss.mean(z) - y)) + penalty.square @ t + penalty.linear
        Q = (columns * (weights * loss.curvature(z))[:, None]).T @ columns + penalty.square
        step = quadratic_minimum(Q, slope - Q @ t, penalty, t) - t
        length = 1.0
        rounding = EXACT * abs(now)
        while not (after := cost(t + length * step)) <= now + rounding and length > 1e-10:
            length /= 2
        if not after <= now + rounding:
            break
        t, gained, now = t + length * step, now - after, after
        if gained <= rounding:
            break
    return t
