"""Cut points and bins are those of xgboost's own quantile matrix."""

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.algorithms.trees.binning import Cuts, bin_columns, cut_points
from vfl.errors import DataError


def columns(kinds, rows, seed):
    rng = np.random.default_rng(seed)
    make = {
        "plain": lambda: rng.standard_normal(rows),
        "skewed": lambda: np.exp(5 * rng.standard_normal(rows)),
        "whole": lambda: rng.integers(-2, 5, rows),
        "constant": lambda: np.full(rows, -7.5),
        "zero": lambda: np.zeros(rows),
        "missing": lambda: np.full(rows, np.nan),
    }
    X = np.stack([make[kind]() for kind in kinds], axis=1).astype(np.float32)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


def xgboost_bins(X, max_bin):
    """Bins as xgboost's matrix stores them: its CSR view holds each value's bin's lower bound."""
    return xgboost.QuantileDMatrix(X, max_bin=max_bin).get_data()


KINDS = st.lists(
    st.sampled_from(["plain", "skewed", "whole", "constant", "zero", "missing"]), min_size=1, max_size=5
)


@settings(max_examples=30, deadline=None)
@given(KINDS, st.integers(2, 300), st.integers(0, 2**32 - 1), st.sampled_from([2, 8, 64]))
def test_every_value_is_in_the_bin_where_xgboost_has_it(kinds, rows, seed, max_bin):
    """Values read back out of xgboost's quantile matrix are the lower bounds of our bins."""
    X = columns(kinds, rows, seed)
    cuts = cut_points(X, max_bin)
    bins = bin_columns(X, cuts)
    stored = xgboost_bins(X, max_bin).toarray()
    for feature in range(X.shape[1]):
        known = ~np.isnan(X[:, feature])
        bounds = np.concatenate([[cuts.min_values[feature]], cuts.cut_points(feature)])
        assert np.array_equal(stored[known, feature], bounds[bins[known, feature]])
        assert (bins[~known, feature] == cuts.n_bins[feature]).all()


@settings(max_examples=30, deadline=None)
@given(KINDS, st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_bins_lie_between_their_bounds(kinds, rows, seed):
    """Each value is below its bin's cut point and not below the previous one; the minimum bounds all."""
    X = columns(kinds, rows, seed)
    cuts = cut_points(X, 16)
    bins = bin_columns(X, cuts)
    assert (cuts.n_bins >= 1).all()
    assert (cuts.n_bins <= 17).all()
    for feature in range(X.shape[1]):
        known = ~np.isnan(X[:, feature])
        values, codes = X[known, feature], bins[known, feature].astype(int)
        bounds = np.concatenate([[cuts.min_values[feature]], cuts.cut_points(feature)])
        assert (values < bounds[codes + 1]).all()
        assert (values >= bounds[codes]).all()


def test_cut_points_do_not_depend_on_the_other_columns():
    """A party's columns alone give the cut points that they have in the pooled table."""
    X = columns(["plain", "skewed", "whole", "plain"], 3000, 0)
    pooled, own = cut_points(X, 32), cut_points(X[:, 2:], 32)
    for feature in (0, 1):
        assert np.array_equal(pooled.cut_points(feature + 2), own.cut_points(feature))
        assert pooled.min_values[feature + 2] == own.min_values[feature]


def test_missing_rows_move_no_cut_point():
    """A customer that the party does not know, all missing, leaves its cut points as they are."""
    X = columns(["plain", "skewed"], 2000, 1)
    known = np.random.default_rng(0).random(2000) < 0.7
    left_joined = np.where(known[:, None], X, np.float32(np.nan))
    assert np.array_equal(cut_points(left_joined, 32).values, cut_points(X[known], 32).values)


def test_new_values_beyond_the_cut_points_take_the_outer_bins():
    """A value above every cut point falls into the last bin, one below all into the first."""
    cuts = cut_points(columns(["plain"], 500, 0), 8)
    beyond = np.array([[1e30], [-1e30]], dtype=np.float32)
    assert bin_columns(beyond, cuts)[:, 0].tolist() == [cuts.n_bins[0] - 1, 0]


@pytest.mark.parametrize(("max_bin", "dtype"), [(200, np.uint8), (256, np.uint16), (1000, np.uint16)])
def test_bins_are_as_narrow_as_the_missing_code_allows(max_bin, dtype):
    """One byte a value up to 255 bins, for the missing code is one past the last bin; two above."""
    X = columns(["plain"], 5000, 0)
    assert bin_columns(X, cut_points(X, max_bin)).dtype == dtype


def test_threshold_below_the_first_bin_is_the_minimum():
    """Where only missing rows go left, the threshold lies below every known value."""
    cuts = Cuts(np.array([1, 2, 9], np.float32), np.array([0, 2, 3]), np.array([-5, 0], np.float32))
    assert [cuts.threshold(0, bin_) for bin_ in (-1, 0, 1)] == [-5, 1, 2]
    assert [cuts.threshold(1, bin_) for bin_ in (-1, 0)] == [0, 9]


def test_a_party_without_columns_has_no_bins():
    """The label party may have no column of its own."""
    X = np.zeros((5, 0), dtype=np.float32)
    cuts = cut_points(X, 8)
    assert len(cuts.n_bins) == 0
    assert bin_columns(X, cuts).shape == (5, 0)


def test_what_cannot_be_binned_is_refused():
    """Infinity is named by column; no rows, another type and another width are refused."""
    X = columns(["plain", "plain"], 50, 0)
    cuts = cut_points(X, 8)
    infinite = X.copy()
    infinite[3, 1] = -np.inf
    for call in (lambda: cut_points(infinite, 8), lambda: bin_columns(infinite, cuts)):
        with pytest.raises(DataError, match=r"\[1\].*infinite"):
            call()
    for wrong in (X[:0], X.astype(np.float64), X[:, 0]):
        with pytest.raises(DataError):
            cut_points(wrong, 8)
    with pytest.raises(DataError, match="1 columns given"):
        bin_columns(X[:, :1], cuts)
