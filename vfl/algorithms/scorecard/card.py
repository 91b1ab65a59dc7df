"""A party's part of a scorecard: points of its own bins, which no other party needs to see.

Points of a row are the sum over the parties of the points of its bins, and the label party's base points.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec
import numpy as np

from vfl.algorithms.scorecard.points import Scale
from vfl.arrays import Float64
from vfl.errors import DataError
from vfl.linear_model.evidence import Binning, CodedColumn


class PointsRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a party's scorecard.

    Attributes:
        column: name of the party's column.
        kind: ``values`` from ``low`` to below ``high``, or ``missing``.
        low, high: bounds; None where there is none.
        woe: weight of evidence.
        points: what a row in this bin is given.
    """

    column: str
    kind: Literal["values", "missing"]
    low: float | None
    high: float | None
    woe: float
    points: float


def points_table(binning: Binning, coefficients: Float64, scale: Scale) -> list[PointsRow]:
    """The points of every bin of a party's columns.

    Args:
        binning: the party's own.
        coefficients: float64 [kept columns], of its columns in weight of evidence.
        scale: of the scorecard.

    Raises:
        DataError: not one coefficient for each kept column.
    """
    _check(binning, coefficients)
    columns = zip(binning.names, binning.coded, coefficients.tolist(), strict=True)
    return [row for name, column, coefficient in columns for row in _rows(name, column, coefficient, scale)]


def _rows(name: str, column: CodedColumn, coefficient: float, scale: Scale) -> Iterator[PointsRow]:
    bounds = [None, *column.cuts, None]
    points = scale.points(np.array([*column.woe, column.missing]), np.array(coefficient)).tolist()
    for low, high, woe, value in zip(bounds, bounds[1:], column.woe, points, strict=False):
        yield PointsRow(column=name, kind="values", low=low, high=high, woe=woe, points=value)
    yield PointsRow(column=name, kind="missing", low=None, high=None, woe=column.missing, points=points[-1])


def _check(binning: Binning, coefficients: Float64) -> None:
    if coefficients.shape != (len(binning.coded),):
        raise DataError(f"a scorecard needs a coefficient for each of {len(binning.coded)} columns")
