"""Decorrelates a party's columns, scales them to variance 1 and rotates them, for steps of one length.

The feature party's coordinates are a secret rotation of its columns, the label party's likewise. What one
learns of the other's coordinates it learns up to that rotation.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass

import numpy as np

from vfl.arrays import Float64, Integers
from vfl.errors import DataError

FRACTION_BITS = 9
"""Binary places of a coordinate, whose variance is 1: rounding moves it by 2^-10 at most."""

MOST_EXPONENT = 12
"""A coordinate of n rows is at most about sqrt(n); 2^12 would be one row against 16 million equal ones."""

SINGULAR = 1e-9
"""Share of the largest variance below which a direction of columns is left out, as without content."""


@dataclass(frozen=True)
class Basis:
    """Coordinates of a party's columns.

    Attributes:
        columns: float64 [n, d], coordinates of the rows, whole multiples of ``2^-FRACTION_BITS``.
        transform: float64 [f, d]; times the coefficients of coordinates it gives those of the columns.
        penalty: float64 [d, d]; half of ``t' penalty t`` is what coefficients t of coordinates cost.
        exponent: every coordinate is smaller than ``2^exponent``.
    """

    columns: Float64
    transform: Float64
    penalty: Float64
    exponent: int

    @classmethod
    def from_columns(cls, columns: Float64, square: Float64) -> Basis:
        """Coordinates in which ``X'X / 4`` plus the penalty is a multiple n / 4 of the identity.

        Args:
            columns: float64 [n, f].
            square: float64 [f], the penalty's factor of each half squared coefficient.

        Raises:
            DataError: the columns are all constant zero, or too large.
        """
        n = len(columns)
        values, axes = np.linalg.eigh(columns.T @ columns / 4 + np.diag(square))
        there = values > SINGULAR * values[-1]
        if not values[-1] > 0:
            raise DataError("the columns are 0 in every row: leave them out")
        whitening = axes[:, there] / np.sqrt(values[there]) * math.sqrt(n / 4)
        transform = whitening @ _rotation(int(there.sum()))
        rounded = np.ldexp(np.rint(np.ldexp(columns @ transform, FRACTION_BITS)), -FRACTION_BITS)
        exponent = max(0, math.frexp(float(np.abs(rounded).max()))[1])
        if exponent > MOST_EXPONENT:
            raise DataError(
                "one customer's columns are thousands of deviations away from the others': correct them"
            )
        return cls(rounded, transform, transform.T @ (square[:, None] * transform), exponent)

    @property
    def width(self) -> int:
        """d, how many coordinates there are."""
        return int(self.columns.shape[1])

    @property
    def whole(self) -> Integers:
        """Coordinates in units of ``2^-FRACTION_BITS``, int64 [n, d]."""
        return np.asarray(np.ldexp(self.columns, FRACTION_BITS).astype(np.int64))

    @property
    def bits(self) -> int:
        """Bits of a coordinate in these units, sign included."""
        return bits_of(self.exponent)


def bits_of(exponent: int) -> int:
    """Bits of whole coordinates below ``2^exponent``, sign included."""
    return exponent + FRACTION_BITS + 1


def _rotation(size: int) -> Float64:
    """A random orthogonal matrix; evenly distributed (Stewart 1980)."""
    uniform = np.frombuffer(secrets.token_bytes(16 * size * size), dtype="<u8").reshape(2, size, size)
    a, b = (uniform >> np.uint64(11)).astype(np.float64) / 2**53
    normal = np.sqrt(-2 * np.log(1 - a)) * np.cos(2 * np.pi * b)
    q, r = np.linalg.qr(normal)
    return np.asarray(q * np.where(np.diag(r) < 0, -1.0, 1.0))
