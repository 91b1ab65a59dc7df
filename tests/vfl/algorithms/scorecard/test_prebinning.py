"""Pre-bins of a party's own columns: where they are cut, and that none is below the owner's minimum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import KBinsDiscretizer

from vfl.algorithms.scorecard.prebinning import pre_bin
from vfl.errors import DataError

VALUES = st.one_of(st.floats(-1e6, 1e6, width=32), st.just(float("nan")), st.integers(0, 3).map(float))


@settings(max_examples=60)
@given(
    column=arrays(np.float32, st.integers(5, 60), elements=VALUES),
    method=st.sampled_from(["quantile", "width"]),
    least=st.integers(1, 5),
)
def test_every_count_that_can_be_told_reaches_the_minimum(column, method, least):
    """Each pre-bin, and missing values outside them, hold none or at least the minimum of rows."""
    found = pre_bin(column[:, None], method, 8, least)
    n_bins = int(found.n_bins[0])
    rows = np.bincount(found.codes[:, 0], minlength=n_bins + 1)
    assert len(rows) == n_bins + 1 <= 9
    assert rows.sum() == len(column)
    assert (rows[:n_bins] >= least).all() or (n_bins == 1 and rows[0] == 0)
    assert rows[n_bins] == 0 or rows[n_bins] >= least


@settings(max_examples=60)
@given(column=arrays(np.float32, st.integers(5, 60), elements=VALUES), least=st.integers(1, 5))
def test_codes_follow_the_cuts(column, least):
    """A value's code is the number of cuts that it reaches; all missing values have one code."""
    found = pre_bin(column[:, None], "quantile", 8, least)
    known = ~np.isnan(column)
    if known.sum() >= least:
        reached = (column[known, None] >= found.cuts[0]).sum(axis=1)
        assert np.array_equal(found.codes[known, 0], reached)
    assert set(found.codes[~known, 0]) <= {found.missing[0]}
    assert (np.diff(found.cuts[0]) > 0).all()


@pytest.mark.parametrize(("method", "strategy"), [("quantile", "quantile"), ("width", "uniform")])
def test_cuts_part_rows_as_scikit_learns(method, strategy):
    """Continuous values are parted as scikit-learn's KBinsDiscretizer parts them."""
    column = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    found = pre_bin(column[:, None], method, 10)
    judge = KBinsDiscretizer(10, encode="ordinal", strategy=strategy).fit(column[:, None].astype(float))
    edges = judge.bin_edges_[0][1:-1]
    assert np.array_equal(found.codes[:, 0], np.searchsorted(edges, column, side="right"))


def test_missing_values_below_the_minimum_are_in_the_fullest_bin():
    """Three missing values join the pre-bin with most rows when four are the minimum."""
    column = np.array([0] * 5 + [1] * 9 + [2] * 6 + [np.nan] * 3, dtype=np.float32)[:, None]
    assert pre_bin(column, "quantile", 10, 4).missing.tolist() == [1]
    assert pre_bin(column, "quantile", 10, 3).missing.tolist() == [3]


@pytest.mark.parametrize("known", [0, 2])
def test_a_column_with_hardly_any_value_is_one_bin(known):
    """Fewer known values than the minimum are not told apart from missing ones."""
    column = np.full((10, 1), np.nan, dtype=np.float32)
    column[:known] = 1
    found = pre_bin(column, "quantile", 10, 3)
    assert (found.n_bins.tolist(), found.missing.tolist()) == ([1], [0])
    assert set(found.codes[:, 0]) == {0}


def test_what_cannot_be_binned_is_refused():
    """Fewer rows than the minimum, or an infinite value, raise DataError."""
    for column, least in ((np.zeros((3, 1)), 4), (np.array([[np.inf], [1.0]]), 1), (np.zeros((0, 1)), 1)):
        with pytest.raises(DataError):
            pre_bin(column.astype(np.float32), "width", 5, least)
