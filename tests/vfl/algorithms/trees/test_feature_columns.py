"""A feature party's binned columns: made from rows that train, and coarser where few rows would show."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.algorithms.trees.binning import bin_columns, cut_points
from vfl.algorithms.trees.columns import Split
from vfl.algorithms.trees.feature_columns import FeatureColumns

NAMES = ["a", "b", "c"]


def population(rows=120, missing=0.2, seed=0):
    """Return columns of few and of many values, and which rows train, validate, or do neither."""
    rng = np.random.default_rng(seed)
    columns = np.column_stack(
        [rng.normal(size=rows), rng.integers(0, 4, rows), rng.normal(size=rows).round(1)]
    )
    columns[rng.random(columns.shape) < missing] = np.nan
    role = rng.integers(0, 4, rows)
    return columns.astype(np.float32), role < 2, role == 2


def prepare(columns, fit, watch, least=1, max_bin=8):
    return FeatureColumns.prepare(NAMES, columns, fit, watch, max_bin=max_bin, least=least)


def split(column, bin_, default_left):
    return Split(0, 0, 1, column, bin_, default_left)


def test_without_disclosure_control_bins_are_those_of_the_rows_that_train():
    """Job rows are the fit and watch rows in their order, binned by cut points of the fit rows."""
    columns, fit, watch = population()
    table = prepare(columns, fit, watch)
    cuts = cut_points(columns[fit], 8)
    assert np.array_equal(table.bins, bin_columns(columns[fit | watch], cuts))
    assert np.array_equal(table.cuts.values, cuts.values)
    assert np.array_equal(table.fit, fit[fit | watch])
    assert (table.joined, table.coarser) == ({}, 0)
    assert table.n_bins.tolist() == cuts.n_bins.tolist()


@pytest.mark.parametrize("least", [1, 9])
def test_rows_that_do_not_train_move_no_bin(least):
    """Other values in rows that validate, or take no part, leave every cut point where it was."""
    columns, fit, watch = population()
    other = columns.copy()
    other[~fit] = 1000
    before, after = prepare(columns, fit, watch, least), prepare(other, fit, watch, least)
    assert np.array_equal(before.cuts.values, after.cuts.values)
    assert (before.joined, before.coarser) == (after.joined, after.coarser)
    rows_of_fit = before.fit
    assert np.array_equal(before.bins[rows_of_fit], after.bins[rows_of_fit])


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    least=st.integers(2, 40),
    missing=st.sampled_from([0.0, 0.03, 0.3, 0.97]),
    max_bin=st.integers(2, 30),
)
def test_no_bin_and_no_missing_values_have_few_rows(seed, least, missing, max_bin):
    """A column has enough rows in every bin, or one bin alone; and enough missing values, or none."""
    columns, fit, watch = population(missing=missing, seed=seed)
    table = prepare(columns, fit, watch, least, max_bin)
    for column, n_bins in enumerate(table.n_bins.tolist()):
        counts = np.bincount(table.bins[table.fit, column], minlength=n_bins + 1)
        assert counts[n_bins] == 0 or counts[n_bins] >= least
        assert n_bins == 1 or counts[:n_bins].min() >= least


def test_coarser_columns_are_counted_once():
    """A column that lost bins and whose missing values were joined counts once, an unchanged one not."""
    rows = 60
    changed = np.arange(rows, dtype=np.float32)
    changed[:2] = np.nan
    columns = np.column_stack([changed, np.arange(rows) % 2, np.arange(rows) % 3]).astype(np.float32)
    columns[0, 2] = np.nan
    table = prepare(columns, np.ones(rows, bool), np.zeros(rows, bool), least=15, max_bin=16)
    assert list(table.joined) == [0, 2]
    assert table.coarser == 2


def test_a_row_goes_left_where_its_value_is_below_the_threshold():
    """Bins say of every row, one that validates included, what the values themselves say."""
    columns, fit, watch = population()
    table = prepare(columns, fit, watch)
    values = columns[fit | watch]
    rows = np.arange(len(values))[::-3]
    for column, n_bins in enumerate(table.n_bins.tolist()):
        for bin_ in range(-1, n_bins - 1):
            for default_left in (False, True):
                value = values[rows, column]
                below = value < table.cuts.threshold(column, bin_)
                expected = np.where(np.isnan(value), default_left, below)
                went = table.go_left(rows, split(column, bin_, default_left))
                assert np.array_equal(went, expected)


@pytest.mark.parametrize("default_left", [False, True])
def test_missing_values_that_are_counted_in_a_bin_go_where_it_goes(default_left):
    """Training and the part that is kept agree about them, whatever the label party asks for."""
    rows = 40
    columns = np.repeat(np.arange(4, dtype=np.float32), 10)[:, None].copy()
    columns[-3:] = np.nan
    everyone, nobody = np.ones(rows, bool), np.zeros(rows, bool)
    table = FeatureColumns.prepare(["a"], columns, everyone, nobody, max_bin=8, least=5)
    fullest = table.joined[0]
    assert table.n_bins.tolist() == [4]
    for bin_ in range(-1, 4):
        asked = split(0, bin_, default_left)
        assert table.missing_left(asked) == (fullest <= bin_)
        assert (table.go_left(np.arange(rows - 3, rows), asked) == table.missing_left(asked)).all()


@pytest.mark.parametrize("default_left", [False, True])
def test_missing_values_of_their_own_go_where_the_label_party_says(default_left):
    """Where they are many enough, or there are none, the split's default stands."""
    columns, fit, watch = population()
    table = prepare(columns, fit, watch, least=2)
    assert table.joined == {}
    assert table.missing_left(split(0, 0, default_left)) is default_left
