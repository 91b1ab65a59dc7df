"""A party's own columns, and their products, as whole numbers: weights of encrypted sums."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vfl.algorithms.linear.slots import WEIGHT_BITS
from vfl.arrays import Float64, Integers

LARGEST = 2 ** (WEIGHT_BITS - 1) - 1
"""Largest whole number of a column."""

PRODUCT_BITS = 5
"""Significant bits of a product of two columns. They shape a direction and never the solution; a sum of n
rows is off by about 2^-7 / sqrt(n) of itself, and few distinct values make it cheap."""


def whole_columns(columns: Float64) -> tuple[Integers, Float64]:
    """Floats as whole numbers and their units [f]: ``columns ~ integers * units``.

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
