"""Encrypted sums by (column, bin): whatever the plan shares, the sums are the naive ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.aggregation.group_sums import EncryptedHistogram, JointCells, plan
from vfl.crypto.kernel import Modulus, from_ints, to_bytes, to_ints

N_SQUARED = (2**127 - 1) ** 2 * (2**89 - 1) ** 2  # primes; any odd modulus tests the sums
MODULUS = Modulus(to_bytes(N_SQUARED))


def table(seed, rows, widths, missing=0.1):
    """Bins of columns of the given numbers of bins, a tenth of them missing."""
    rng = np.random.default_rng(seed)
    bins = np.stack([rng.integers(0, width, rows) for width in widths], axis=1)
    bins = np.where(rng.random(bins.shape) < missing, np.array(widths), bins)
    return bins.astype(np.uint8), np.array(widths, dtype=np.int64)


def residues_of(values):
    return MODULUS.to_residues(from_ints(values, MODULUS.limbs))


def naive(values, bins, n_bins, columns, rows):
    sums = []
    for column in columns:
        of_bin = [1] * int(n_bins[column])
        for row in rows:
            if bins[row, column] < n_bins[column]:
                of_bin[bins[row, column]] = of_bin[bins[row, column]] * values[row] % N_SQUARED
        sums += of_bin
    return sums


def all_columns(cells: JointCells) -> list[int]:
    return [c for part in cells.parts for c in all_columns(part)] if cells.parts else list(cells.columns)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 200),
    widths=st.lists(st.integers(1, 9), min_size=1, max_size=7),
    part=st.floats(0.05, 1.0),
)
def test_sums_equal_the_naive_ones(seed, rows, widths, part):
    """For every plan and every set of rows each bin holds the product of its rows."""
    bins, n_bins = table(seed, rows, widths)
    rng = np.random.default_rng(seed)
    values = [int(v) for v in rng.integers(2, 2**62, rows)]
    columns = np.flatnonzero(rng.random(len(widths)) < 0.8)
    node = np.flatnonzero(rng.random(rows) < part)
    sums = EncryptedHistogram(MODULUS, plan(bins, n_bins, columns)).sum_by_bin(
        residues_of(values), node, node
    )
    assert to_ints(MODULUS.from_residues(sums)) == naive(values, bins, n_bins, columns, node)


def test_a_plan_holds_each_column_once():
    """No column is lost or summed twice by sharing."""
    bins, n_bins = table(1, 3000, [2, 3, 4, 32, 32, 200])
    columns = np.array([0, 1, 2, 4, 5])
    sets = plan(bins, n_bins, columns)
    assert sorted(c for cells in sets for c in all_columns(cells)) == columns.tolist()
    assert any(cells.parts for cells in sets)


def test_columns_that_share_nothing_stay_apart():
    """Where joint cells are as many as rows, each column keeps a pass of its own."""
    bins, n_bins = table(2, 300, [200, 200, 200], missing=0.0)
    assert all(not cells.parts for cells in plan(bins, n_bins, np.arange(3)))


class Counting:
    """A modulus that counts multiplications the way `sum_by_group` makes them."""

    def __init__(self):
        self.multiplications = 0

    def sum_by_group(self, residues, rows, groups, n_groups):
        self.multiplications += len(rows) - len(np.unique(groups))
        return MODULUS.sum_by_group(residues, rows, groups, n_groups)


@pytest.mark.parametrize(("rows", "fraction"), [(400, 0.6), (4000, 0.4)])
def test_sharing_saves_multiplications(rows, fraction):
    """Correlated columns take far fewer multiplications than one per row and column."""
    rng = np.random.default_rng(3)
    risk = rng.normal(size=rows)
    bins = np.stack([np.clip(risk * 2 + rng.normal(size=rows) + 5, 0, 10) for _ in range(6)], axis=1)
    bins, n_bins, every = bins.astype(np.uint8), np.full(6, 11), np.arange(rows)
    counting = Counting()
    EncryptedHistogram(counting, plan(bins, n_bins, np.arange(6))).sum_by_bin(
        residues_of([3] * rows), every, every
    )
    assert counting.multiplications < rows * 6 * fraction


@pytest.mark.parametrize("block_rows", [1, 7, 100, 1000])
def test_sums_by_blocks_of_rows_are_the_same(block_rows):
    """Rows brought into memory block by block, in their order, give the very sums of rows all at hand."""
    bins, n_bins = table(4, 300, [3, 9, 30])
    residues = residues_of([int(v) for v in np.random.default_rng(4).integers(2, 2**62, 300)])
    sets, node = plan(bins, n_bins, np.arange(3)), np.arange(0, 300, 2)
    at_once = EncryptedHistogram(MODULUS, sets).sum_by_bin(residues, node, node)
    np.testing.assert_array_equal(
        EncryptedHistogram(MODULUS, sets, block_rows).sum_by_bin(residues, node, node), at_once
    )


def test_cells_of_a_set_stay_within_memory(monkeypatch):
    """However much a set would save, its cells are no more than may be in memory at once."""
    monkeypatch.setattr("vfl.aggregation.group_sums.MOST_CELLS", 100)
    bins, n_bins = table(5, 5000, [9] * 6, missing=0.0)
    sets = plan(bins, n_bins, np.arange(6))
    assert max(cells.count for cells in sets) <= 100
    assert any(cells.parts for cells in sets)
