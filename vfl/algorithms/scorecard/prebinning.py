"""Pre-bins of a party's own columns: cut without labels, none below the owner's minimum of rows.

What leaves a feature party are sums over pre-bins, so here is where the owner's minimum holds: over every
pre-bin, over missing values, and so over whatever is left when others are subtracted from all rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vfl.algorithms.scorecard.merging import merge_small
from vfl.algorithms.scorecard.params import PreBinning
from vfl.arrays import Float32, Float64, Integers, check_columns
from vfl.errors import DataError
from vfl.linear_model.evidence import bins_of

Codes = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class PreBins:
    """Pre-bins of a party's columns.

    Attributes:
        cuts: by column, float32 ascending; a value is in the bin whose number is how many cuts it reaches.
        codes: uint16 [rows, columns], column-major; the pre-bin of each value, ``n_bins[f]`` for a missing
            value that is in none.
        missing: int64 [columns], the pre-bin that missing values are in; ``n_bins[f]`` if they are in none.
    """

    cuts: list[Float32]
    codes: Codes
    missing: Integers

    @property
    def n_bins(self) -> Integers:
        """int64 [columns]; pre-bins of each column, at least 1, missing values in none not counted."""
        return np.array([len(cuts) + 1 for cuts in self.cuts], dtype=np.int64)


def pre_bin(columns: Float32, method: PreBinning, max_prebins: int, min_rows: int = 1) -> PreBins:
    """Cut columns into pre-bins of at least ``min_rows`` rows each.

    A pre-bin with fewer joins the neighbour that has fewer. Fewer missing values than that join the fullest
    pre-bin, and all rows are one pre-bin where fewer than that are known.

    Args:
        columns: float32 [rows, columns], NaN where missing; at least ``min_rows`` rows.
        method: ``quantile`` or ``width``, see `vfl.algorithms.scorecard.params.BinningParams`.
        max_prebins: most pre-bins of a column.
        min_rows: the owner's minimum, 1 or more.

    Raises:
        DataError: an infinite value, or fewer rows than the minimum.
    """
    check_columns(columns)
    if not len(columns) >= min_rows >= 1:
        raise DataError(f"{len(columns)} rows cannot fill a bin of {min_rows}")
    codes = np.empty(columns.shape, dtype=np.uint16, order="F")
    cuts, missing = [], np.empty(columns.shape[1], dtype=np.int64)
    for feature, column in enumerate(columns.T):
        own, bin_of_missing = _pre_bin(column, method, max_prebins, min_rows)
        codes[:, feature] = np.where(np.isnan(column), bin_of_missing, bins_of(column, own))
        missing[feature] = bin_of_missing
        cuts.append(own)
    return PreBins(cuts, codes, missing)


def _pre_bin(column: Float32, method: PreBinning, max_prebins: int, min_rows: int) -> tuple[Float32, int]:
    """Cuts of one column, and the bin of its missing values."""
    known = column[~np.isnan(column)]
    n_missing = len(column) - len(known)
    if len(known) < min_rows:
        return np.zeros(0, np.float32), 0
    edges = (_quantiles if method == "quantile" else _equal_widths)(known, max_prebins)
    cuts = np.unique(_not_below(edges))
    rows = np.bincount(bins_of(known, cuts), minlength=len(cuts) + 1)
    ends = merge_small(rows[:, None].astype(np.float64), np.array([min_rows], dtype=np.float64))
    cuts = cuts[ends[:-1]]
    rows = np.bincount(bins_of(known, cuts), minlength=len(cuts) + 1)
    return cuts, int(np.argmax(rows)) if 0 < n_missing < min_rows else len(rows)


def _quantiles(known: Float32, count: int) -> Float64:
    """Inner edges at equal fractions of rows, interpolated linearly (method 7 of Hyndman and Fan 1996)."""
    return np.asarray(np.quantile(known.astype(np.float64), np.arange(1, count) / count))


def _equal_widths(known: Float32, count: int) -> Float64:
    """Inner edges at equal distances."""
    low, high = float(known.min()), float(known.max())
    return np.linspace(low, high, count + 1)[1:-1] if high > low else np.zeros(0)


def _not_below(edges: Float64) -> Float32:
    """The least float32 not below each edge: float32 values lie on the same side of both."""
    rounded = edges.astype(np.float32)
    return np.where(rounded < edges, np.nextafter(rounded, np.float32(math.inf)), rounded)
