"""A party's own columns: scaled, without gaps, and as whole numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vfl.errors import DataError
from vfl.linear.slots import WEIGHT_BITS

Columns = npt.NDArray[np.floating[Any]]
Float64 = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LARGEST = 2 ** (WEIGHT_BITS - 1) - 1
"""Largest whole number of a column."""

CLIPPED = 6.0
"""Deviations from the mean at which standardised columns end on shares, where predictors must stay small."""

PRODUCT_BITS = 5
"""Significant bits of a product of two columns. They shape a direction and never the solution; a sum of n
rows is off by about 2^-7 / sqrt(n) of itself, and few distinct values make it cheap."""


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
    def fit(cls, columns: Columns, *, standardise: bool, limit: float = math.inf) -> Scaling:
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
        """Columns as they are, all there; 0 stands for a customer that the party does not know."""
        return cls(np.zeros(count), np.zeros(count), np.ones(count))

    def apply(self, columns: Columns) -> Float64:
        """Scaled columns, float64 [n, f], without gaps."""
        x = columns.astype(np.float64)
        scaled = (np.where(np.isnan(x), self.fill, x) - self.shift) / self.scale
        return np.asarray(np.clip(scaled, -self.limit, self.limit))

    def unknown(self) -> Float64:
        """The scaled columns [f] of a customer that the party does not know."""
        return (self.fill - self.shift) / self.scale


def whole_columns(columns: Float64) -> tuple[Integers, Float64]:
    """Columns as whole numbers and their units [f]: ``columns ~ integers * units``.

    An entry moves by at most half a unit, ``2^-24`` of the largest entry of its column: no more than
    float32 rounded the largest entries. A party computes with the rounded columns alone, so its
    coefficients are exact for them. To first order rounding by E moves the solution of a problem with
    Hessian H, residuals r and curvatures D by at most ``||H^-1|| (||E' r|| + ||X' D E w||)``.
    """
    largest = np.abs(columns).max(axis=0, initial=0.0)
    units = np.where(largest > 0, largest, 1.0) / LARGEST
    return np.rint(columns / units).astype(np.int64), units


def whole_products(columns: Float64) -> Iterator[tuple[Integers, float]]:
    """Products of every two columns, ``PRODUCT_BITS`` significant bits each, as whole numbers and units.

    Yields:
        int64 [n] and its unit, in the order of ``numpy.triu_indices(f)``.
    """
    for row, col in zip(*np.triu_indices(columns.shape[1]), strict=True):
        products, units = whole_columns(columns[:, row : row + 1] * columns[:, col : col + 1])
        exact = products[:, 0].astype(np.float64)
        surplus = np.maximum(np.frexp(exact)[1] - PRODUCT_BITS, 0)
        rounded = np.ldexp(np.rint(np.ldexp(exact, -surplus)), surplus)
        yield np.clip(rounded, -LARGEST, LARGEST).astype(np.int64), float(units[0])
