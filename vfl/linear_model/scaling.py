"""A party's own columns, scaled and without gaps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vfl.arrays import Float64, Floats
from vfl.errors import DataError

CLIPPED = 6.0
"""Deviations from the mean at which standardised columns end in training on secret shares: predictors must
stay small there."""


@dataclass(frozen=True)
class Scaling:
    """What is done to a party's columns: ``(x - shift) / scale``, ``fill`` standing for a missing x.

    Attributes:
        fill, shift, scale: float64 [f].
        limit: larger values, scaled, count as this one; smaller ones likewise.
    """

    fill: Float64
    shift: Float64
    scale: Float64
    limit: float = math.inf

    @classmethod
    def fit(cls, columns: Floats, *, standardise: bool, limit: float = math.inf) -> Scaling:
        """Means and deviations of the values that are there; a constant column keeps its scale.

        Raises:
            DataError: a column has no value at all, or an infinite one.
        """
        x = columns.astype(np.float64)
        there = ~np.isnan(x)
        count = there.sum(axis=0)
        if not count.all():
            raise DataError(f"{int((count == 0).sum())} columns have no value in any row: leave them out")
        if np.isinf(x).any():
            raise DataError(f"{int(np.isinf(x).any(axis=0).sum())} columns have infinite values")
        mean = np.where(there, x, 0.0).sum(axis=0) / count
        if not standardise:
            return cls(mean, np.zeros_like(mean), np.ones_like(mean))
        deviation = np.sqrt((np.where(there, x - mean, 0.0) ** 2).sum(axis=0) / count)
        tiny = 10 * np.finfo(np.float32).eps * np.abs(mean)  # what rounding leaves of a constant column
        return cls(mean, mean, np.where(deviation > tiny, deviation, 1.0), limit)

    @classmethod
    def none(cls, count: int) -> Scaling:
        """Floats as they are, all there; 0 stands for a customer that the party does not know."""
        return cls(np.zeros(count), np.zeros(count), np.ones(count))

    def apply(self, columns: Floats) -> Float64:
        """Scaled columns, float64 [n, f], without gaps."""
        x = columns.astype(np.float64)
        scaled = (np.where(np.isnan(x), self.fill, x) - self.shift) / self.scale
        return np.asarray(np.clip(scaled, -self.limit, self.limit))

    def unknown(self) -> Float64:
        """The scaled columns [f] of a customer that the party does not know."""
        return (self.fill - self.shift) / self.scale
