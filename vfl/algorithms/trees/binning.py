"""Cut points and bins of numeric columns: XGBoost's quantile sketch, on one party's own columns.

Sample weights never move a cut point here, for a feature party does not know them (XGBoost would use
them; a judge gives it the unweighted cut points with ``QuantileDMatrix(ref=...)``). Cut points come
from the rows given, so a party passes its aligned rows only, in aligned order: XGBoost's sketch depends
on the order of rows where a column has many distinct values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vfl.arrays import Bins, Float32, check_columns
from vfl.errors import DataError


@dataclass(frozen=True)
class Cuts:
    """Cut points of a party's columns.

    Attributes:
        values: float32 [all bins]; the upper, excluded bound of each bin, column after column.
        pointers: int64 [columns + 1]; column f owns ``values[pointers[f]:pointers[f + 1]]``.
        min_values: float32 [columns]; a bound below every value of the column, the threshold that sends
            every known value to the right.
    """

    values: npt.NDArray[np.float32]
    pointers: npt.NDArray[np.int64]
    min_values: npt.NDArray[np.float32]

    @property
    def n_bins(self) -> npt.NDArray[np.int64]:
        """int64 [columns]; bins of each column, at least 1, the missing bin not counted."""
        return np.diff(self.pointers)

    def cut_points(self, feature: int) -> npt.NDArray[np.float32]:
        """The cut points of one column."""
        return self.values[self.pointers[feature] : self.pointers[feature + 1]]

    def threshold(self, feature: int, bin_: int) -> float:
        """The value below which a row goes left where bins up to ``bin_`` go left (-1: none does)."""
        return float(self.min_values[feature] if bin_ < 0 else self.cut_points(feature)[bin_])


def cut_points(columns: Float32, max_bin: int) -> Cuts:
    """The cut points that XGBoost's ``QuantileDMatrix`` finds in these columns, NaN being missing.

    Args:
        columns: float32 [rows, columns]; no infinity.
        max_bin: most bins of a column.

    Raises:
        DataError: no rows, or an infinite value.
    """
    check_columns(columns)
    if not len(columns):
        raise DataError("No rows to take cut points from: check the alignment")
    if not columns.shape[1]:
        empty = np.zeros(0, np.float32)
        return Cuts(empty, np.zeros(1, np.int64), empty)
    from xgboost import QuantileDMatrix  # noqa: PLC0415  it takes seconds, and most commands need none

    pointers, values = QuantileDMatrix(columns, max_bin=max_bin).get_quantile_cut()
    # Each column is reported as its minimum bound followed by its cut points.
    pointers, values = pointers.astype(np.int64), values.astype(np.float32)
    starts = pointers[:-1]
    return Cuts(np.delete(values, starts), pointers - np.arange(len(pointers)), values[starts])


def bin_columns(columns: Float32, cuts: Cuts) -> Bins:
    """The bin of every value: the first whose upper bound is above it, the last bin for larger values.

    Returns:
        uint8 or uint16 [rows, columns], column-major. A missing value of column f has the code
        ``cuts.n_bins[f]``, one past its last bin.

    Raises:
        DataError: an infinite value, or another number of columns than the cut points have.
    """
    check_columns(columns)
    n_bins = cuts.n_bins
    if columns.shape[1] != len(n_bins):
        raise DataError(f"{columns.shape[1]} columns given, cut points are of {len(n_bins)}")
    width = np.uint8 if n_bins.max(initial=0) <= np.iinfo(np.uint8).max else np.uint16
    bins = np.empty(columns.shape, dtype=width, order="F")
    for feature, count in enumerate(n_bins):
        column = columns[:, feature]
        bin_numbers = np.searchsorted(cuts.cut_points(feature), column, side="right")
        bins[:, feature] = np.where(np.isnan(column), count, np.minimum(bin_numbers, count - 1))
    return bins
