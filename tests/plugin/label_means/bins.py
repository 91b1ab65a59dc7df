"""Bins of a column: about as many rows in each, and none for missing values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vfl.arrays import Bins, Bool, Float32, Integers


def cut_points(columns: Float32, bins: int) -> list[list[float]]:
    """Return by column the ascending lower ends of all bins but the first; every bin holds a row."""
    ends = []
    for values in columns.T:
        known = values[~np.isnan(values)]
        quantiles = np.quantile(known, np.arange(1, bins) / bins) if len(known) else np.zeros(0)
        inner = np.unique(quantiles.astype(np.float32))
        ends.append([float(end) for end in inner if known.min() < end <= known.max()])
    return ends


def bin_numbers(columns: Float32, cuts: Sequence[Sequence[float]]) -> Bins:
    """Return uint16 [rows, columns]: the bin of each value, one past the last bin for a missing one."""
    numbers = np.empty(columns.shape, dtype=np.uint16)
    for column, ends in enumerate(cuts):
        values = columns[:, column]
        number = np.searchsorted(np.array(ends, dtype=np.float32), values, side="right")
        numbers[:, column] = np.where(np.isnan(values), len(ends) + 1, number)
    return numbers


def one_hot(numbers: Bins, n_bins: Integers) -> Bool:
    """Return bool [rows, bins of all columns]: the bit of each value's bin, no bit for a missing value."""
    blocks = [
        numbers[:, column, None] == np.arange(count)[None] for column, count in enumerate(n_bins.tolist())
    ]
    return np.hstack(blocks) if blocks else np.zeros((len(numbers), 0), dtype=np.bool_)
