"""A feature party's columns as one training sees them: binned, and coarser where disclosure control asks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfl.algorithms.trees.binning import Cuts, bin_columns, cut_points
from vfl.algorithms.trees.columns import Split, goes_left
from vfl.algorithms.trees.disclosure_control import few_missing, merge_bins
from vfl.arrays import Bins, Bool, Float32, Integers


@dataclass(frozen=True)
class FeatureColumns:
    """Binned columns over the job's rows, those that train or validate.

    Attributes:
        names: by column.
        fit: bool [job rows], rows that train.
        cuts: cut points of the columns.
        bins: uint8/uint16 [job rows, columns], the missing code being ``n_bins[column]``.
        joined: by column with few missing values, the bin in which these are counted.
        coarser: how many columns have fewer bins than asked for, or joined missing values.
    """

    names: list[str]
    fit: Bool
    cuts: Cuts
    bins: Bins
    joined: dict[int, int]
    coarser: int

    @classmethod
    def prepare(
        cls, names: list[str], columns: Float32, fit: Bool, watch: Bool, *, max_bin: int, least: int
    ) -> FeatureColumns:
        """Bin the columns.

        Args:
            names: by column.
            columns: float32 [aligned rows, columns].
            fit, watch: bool [aligned rows], rows that train and rows that validate.
            max_bin: most bins of a column.
            least: fewest rows of a bin, and of the missing values of a column.
        """
        job_rows = fit | watch
        fit_of_job = fit[job_rows]
        cuts = cut_points(columns[fit], max_bin)
        bins = bin_columns(columns[job_rows], cuts)
        if least <= 1:
            return cls(names, fit_of_job, cuts, bins, {}, 0)
        merged = merge_bins(cuts, bins[fit_of_job], least)
        bins = bin_columns(columns[job_rows], merged)
        joined = few_missing(bins, merged.n_bins, fit_of_job, least)
        for column, fullest in joined.items():
            codes = bins[:, column]
            codes[codes == merged.n_bins[column]] = fullest
        coarser = {*np.flatnonzero(cuts.n_bins != merged.n_bins).tolist(), *joined}
        return cls(names, fit_of_job, merged, bins, joined, len(coarser))

    @property
    def n_bins(self) -> Integers:
        """int64 [columns]."""
        return self.cuts.n_bins

    def go_left(self, rows: Integers, split: Split) -> Bool:
        """Return which of some job rows a split sends left."""
        codes = self.bins[rows, split.column]
        return goes_left(codes, int(self.n_bins[split.column]), split.bin, split.default_left)

    def missing_left(self, split: Split) -> bool:
        """Return where missing values go: those that are counted in a bin go where the bin goes."""
        bin_of_missing = self.joined.get(split.column)
        return split.default_left if bin_of_missing is None else bin_of_missing <= split.bin
